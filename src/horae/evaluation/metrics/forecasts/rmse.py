"""The root of the mean squared error, back in the unit of what came."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray

__all__ = ["rmse"]


def rmse(told_N: FloatArray, came_N: FloatArray) -> float:
    """`sqrt(mean((told - came)^2))`.

    Source: Willmott and Matsuura 2005 (doi:10.3354/cr030079), eq. 1.
    Differs: nothing.
    """
    return float(np.sqrt(np.mean(np.square(told_N - came_N)))) if len(came_N) else float("nan")
