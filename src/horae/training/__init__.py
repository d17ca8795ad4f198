"""Events and a recipe in, a trained recommender out; see `train` for the whole and `loop` for the network's part."""
