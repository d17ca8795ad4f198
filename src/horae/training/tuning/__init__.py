"""The parts of a search over a recipe's settings: ranges, trials on disk, what to ask next, the report."""
