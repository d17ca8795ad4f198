"""Ranked items in; lists that are not all of one kind, and fair to groups of items, out."""
