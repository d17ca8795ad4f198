"""Normalised discounted cumulative gain at k."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, Ranks

__all__ = ["ndcg"]


def ndcg(ranks: Ranks, k: int) -> FloatArray:
    """`DCG / ideal DCG`, with `DCG = sum over hits of 1 / log2(rank + 1)`.

    The ideal list begins with the targets: `sum for i = 1 .. min(k, |targets|) of 1 / log2(i + 1)`.

    Source: Järvelin and Kekäläinen 2002, Cumulated gain-based evaluation of IR techniques, section 2.2.
    Differs: Binary gain; the discount is `log2(rank + 1)` from the first place on, as is usual for recommenders,
        where the paper leaves the first two places alone. Targets that could not be ranked stay in the ideal list.
    """
    top = ranks.top(k)
    gain_T = np.zeros(len(ranks.rank_T))
    gain_T[top] = 1 / np.log2(ranks.rank_T[top] + 1)
    ideal_K: FloatArray = np.cumsum(1 / np.log2(np.arange(2, k + 2)))
    ideal_B: FloatArray = ideal_K[np.minimum(ranks.size_B, k) - 1]
    return ranks.sums(gain_T) / ideal_B
