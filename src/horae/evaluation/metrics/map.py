"""Mean average precision at k (one request's term of it)."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, Ranks

__all__ = ["average_precision"]


def average_precision(ranks: Ranks, k: int) -> FloatArray:
    """The mean, over the targets that a list of k can hold, of the precision at each hit's rank.

    `1 / min(k, |targets|) * sum over hits of (targets at this rank or above) / rank`.

    Source: Manning, Raghavan and Schütze 2008, Introduction to Information Retrieval, equation 8.8.
    Differs: Cut at k with the denominator `min(k, |targets|)`, so that a perfect list scores one; the book divides
        by all targets. With one target it equals the reciprocal rank.
    """
    top = ranks.top(k)
    value_T = np.divide(ranks.place_T, ranks.rank_T, out=np.zeros(len(ranks.rank_T)), where=top)
    return ranks.sums(value_T) / np.minimum(ranks.size_B, k)
