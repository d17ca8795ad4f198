"""What each user had before a place: how many known numbers, and their sum. Flat arrays in and out, no loops."""

from __future__ import annotations

import numpy as np

from horae.schema import IndexArray
from horae.sequences.history import FloatArray

__all__ = ["STRENGTHS", "sums_before"]

STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""How many events of everybody's a user's own may be mixed with; whoever mixes lets training events choose."""


def sums_before(value_E: FloatArray, first_N: IndexArray, row_N: IndexArray) -> tuple[FloatArray, FloatArray]:
    """How many numbers of `value_E` from each `first` to before each `row` are known (not NaN), and their sum."""
    there_E = ~np.isnan(value_E)
    return _between(there_E, first_N, row_N), _between(np.where(there_E, value_E, 0.0), first_N, row_N)


def _between(value_E: FloatArray, first_N: IndexArray, row_N: IndexArray) -> FloatArray:
    total = np.concatenate([[0.0], np.cumsum(value_E, dtype=np.float64)])
    difference: FloatArray = total[row_N] - total[first_N]
    return difference
