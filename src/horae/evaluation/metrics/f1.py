"""F1 at k."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.precision import precision
from horae.evaluation.metrics.ranks import FloatArray, Ranks
from horae.evaluation.metrics.recall import recall

__all__ = ["f1"]


def f1(ranks: Ranks, k: int) -> FloatArray:
    """The harmonic mean of precision and recall at k: `2 p r / (p + r)`, zero without a hit.

    Source: van Rijsbergen 1979, Information Retrieval, chapter 7 (E measure with equal weights).
    Differs: Taken per request and then averaged; the F1 of the averaged precision and recall is another number.
    """
    p, r = precision(ranks, k), recall(ranks, k)
    return np.divide(2 * p * r, p + r, out=np.zeros(len(ranks)), where=p + r > 0)
