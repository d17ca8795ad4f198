"""How far off, large misses counting more."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray

__all__ = ["mse"]


def mse(told_N: FloatArray, came_N: FloatArray) -> FloatArray:
    """One value per event: `(told - came)^2`, in the square of the unit; its mean is the MSE.

    Source: Willmott and Matsuura 2005 (doi:10.3354/cr030079), eq. 1 before the root.
    Differs: nothing.
    """
    error: FloatArray = np.square(told_N - came_N)
    return error
