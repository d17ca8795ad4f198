"""Hit rate at k."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, Ranks

__all__ = ["hit_rate"]


def hit_rate(ranks: Ranks, k: int) -> FloatArray:
    """One where at least one target stands among the first k items, else zero.

    Source: Deshpande and Karypis 2004, Item-based top-N recommendation algorithms, section 5.2 (hit-rate).
    Differs: A request may have several targets; any of them is a hit.
    """
    return (ranks.hits(k) > 0).astype(np.float64)
