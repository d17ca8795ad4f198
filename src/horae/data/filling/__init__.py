"""What missing values are filled with: lines of values in, guesses out. `data/impute.py` is the way in."""
