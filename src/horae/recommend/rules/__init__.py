"""Business rules in a small, safe language over the catalog: text in, masks and weights over the items out."""
