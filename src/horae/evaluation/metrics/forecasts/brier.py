"""How far told chances are from what came, squared."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import BoolArray, FloatArray

__all__ = ["brier"]


def brier(chance_N: FloatArray, came_N: BoolArray) -> FloatArray:
    """One value per question: `(chance - 1)^2` where it came, `chance^2` where it did not; lower is better.

    Source: Brier 1950 (doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).
    Differs: of two classes the one that came true alone, so 1 is the worst, not 2.
    """
    error: FloatArray = np.square(chance_N - came_N)
    return error
