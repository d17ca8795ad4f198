"""Novelty at k: mean self-information."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["novelty"]


def novelty(item_BK: IndexArray, users_I1: IndexArray, num_users: int) -> FloatArray:
    """Mean over a list of `log2(users / users of the item)`, in bits: 0 = everybody had it, 10 = one in a thousand.

    Args:
        item_BK: Item indices from 1; 0 where a list is shorter (not counted). An empty list gives NaN.
        users_I1: Users who had each item in training; entry 0 is not used.
        num_users: Users in training.

    Source: Zhou et al. 2010, Solving the apparent diversity-accuracy dilemma of recommender systems, PNAS 107(10),
        "surprisal / novelty".
    Differs: An item that no training user had counts as if one had.
    """
    bits_I1 = np.log2(max(num_users, 1) / np.maximum(users_I1, 1))
    return mean_over_list(item_BK, bits_I1)


def mean_over_list(item_BK: IndexArray, value_I1: FloatArray) -> FloatArray:
    """Mean of an item's value over each list; NaN where the list is empty."""
    there = item_BK > 0
    total = np.where(there, value_I1[item_BK], 0.0).sum(axis=1)
    count = there.sum(axis=1)
    mean: FloatArray = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return mean
