"""How often what came lay within what was told."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray

__all__ = ["interval_coverage"]


def interval_coverage(low_N: FloatArray, high_N: FloatArray, came_N: FloatArray) -> FloatArray:
    """One value per event: 1 where `low <= came <= high`, else 0; of 80% intervals, the mean should be 0.8.

    Source: Gneiting and Raftery 2007 (doi:10.1198/016214506000001437), section 6.2, nominal and actual coverage.
    Differs: nothing.
    """
    inside: FloatArray = ((low_N <= came_N) & (came_N <= high_N)).astype(np.float64)
    return inside
