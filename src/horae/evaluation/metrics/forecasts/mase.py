"""How far off, in units of what saying the last value again would have been off."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray

__all__ = ["mase"]


def mase(told_N: FloatArray, came_N: FloatArray, naive_error: float) -> float:
    """`mean |told - came| / naive_error`; below 1 is better than repeating the last value was in training.

    Args:
        told_N: What was told.
        came_N: What came.
        naive_error: Mean `|value - the same user's value before it|` over the training events.

    Source: Hyndman and Koehler 2006 (doi:10.1016/j.ijforecast.2006.03.001), eq. 3.2.
    Differs: one scale for all users, since most have too few values for their own.
    """
    return float(np.mean(np.abs(told_N - came_N)) / naive_error) if len(came_N) and naive_error > 0 else float("nan")
