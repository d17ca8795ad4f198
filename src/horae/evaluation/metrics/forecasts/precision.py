"""How often a class that was told came, averaged over classes."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["precision"]


def precision(probability_NC: FloatArray, came_N: IndexArray) -> float:
    """The mean over classes of `told and came / told`; a class is told where it is the most probable.

    Source: Sokolova and Lapalme 2009 (doi:10.1016/j.ipm.2009.03.002), table 3, precision_M.
    Differs: over the classes that came at least once; one that was never told counts 0.
    """
    told_N = probability_NC.argmax(1)
    shares = [(came_N[told_N == c] == c).mean() if (told_N == c).any() else 0.0 for c in np.unique(came_N)]
    return float(np.mean(shares)) if shares else float("nan")
