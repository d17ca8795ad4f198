"""Precision at k."""

from __future__ import annotations

from horae.evaluation.metrics.ranks import FloatArray, Ranks

__all__ = ["precision"]


def precision(ranks: Ranks, k: int) -> FloatArray:
    """The share of the k places that hold a target: `hits / k`.

    Source: Manning, Raghavan and Schütze 2008, Introduction to Information Retrieval, section 8.4.
    Differs: The denominator stays k where fewer than k items are allowed. With one target per request it cannot
        exceed 1 / k.
    """
    return ranks.hits(k) / k
