"""What the reference pages are made of, one page per module; `docs/generate.py` puts them together."""
