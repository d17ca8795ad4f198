"""Mean reciprocal rank at k (one request's term of it)."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, Ranks

__all__ = ["mrr"]


def mrr(ranks: Ranks, k: int) -> FloatArray:
    """`1 / rank` of the request's best target, zero where none stands among the first k.

    Source: Voorhees 1999, The TREC-8 question answering track report, section 3.
    Differs: Cut at k; the mean is taken per user first.
    """
    best = ranks.top(k) & (ranks.place_T == 1)
    return ranks.sums(np.divide(1.0, ranks.rank_T, out=np.zeros(len(ranks.rank_T)), where=best))
