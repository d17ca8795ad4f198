"""The steps that `horae.data.clean` runs: each a small function that returns the frame and what it did."""
