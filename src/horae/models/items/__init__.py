"""Item tables: what a network sees of an item."""
