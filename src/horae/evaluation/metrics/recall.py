"""Recall at k."""

from __future__ import annotations

from horae.evaluation.metrics.ranks import FloatArray, Ranks

__all__ = ["recall"]


def recall(ranks: Ranks, k: int) -> FloatArray:
    r"""The share of a request's targets that stand among its first k items: `hits / |targets|`.

    Source: Manning, Raghavan and Schütze 2008, Introduction to Information Retrieval, section 8.3.
    Differs: Cut at k. The denominator is all targets, also where there are more than k of them and where an item is
        unknown to the model; some libraries divide by `min(k, |targets|)`. With one target it equals the hit rate.
    """
    return ranks.hits(k) / ranks.size_B
