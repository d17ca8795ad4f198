"""How far off, on average."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray

__all__ = ["mae"]


def mae(told_N: FloatArray, came_N: FloatArray) -> FloatArray:
    """One value per event: `|told - came|`, in the unit of what came; its mean is the MAE.

    Source: Willmott and Matsuura 2005 (doi:10.3354/cr030079), eq. 2.
    Differs: nothing.
    """
    error: FloatArray = np.abs(told_N - came_N)
    return error
