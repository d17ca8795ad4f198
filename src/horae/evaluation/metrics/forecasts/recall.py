"""How often a class that came was told, averaged over classes."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["recall"]


def recall(probability_NC: FloatArray, came_N: IndexArray) -> float:
    """The mean over classes of `told and came / came`; a class is told where it is the most probable.

    Source: Sokolova and Lapalme 2009 (doi:10.1016/j.ipm.2009.03.002), table 3, recall_M.
    Differs: over the classes that came at least once.
    """
    told_N = probability_NC.argmax(1)
    shares = [(told_N[came_N == c] == c).mean() for c in np.unique(came_N)]
    return float(np.mean(shares)) if shares else float("nan")
