"""A language model orders the top of a list by titles: off unless a recipe asks for it."""
