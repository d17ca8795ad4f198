"""Diversity at k: how unlike each other the items of a list are."""

from __future__ import annotations

from typing import Any

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["diversity"]

PAIRS_AT_ONCE = 20_000


def diversity(item_BK: IndexArray, users_of_item: Any) -> FloatArray:
    """One minus the mean cosine, over all pairs of a list, between the sets of users who had the two items.

    `1 - mean over pairs of |U_i and U_j| / sqrt(|U_i| |U_j|)`: 1 = nobody had any two of these items, near 0 = the
    same people had all of them. Lists of fewer than two items give NaN.

    Args:
        item_BK: Item indices from 1; 0 where a list is shorter.
        users_of_item: scipy CSR matrix [items + 1, users] of zeros and ones, from the training events; row 0 empty.

    Source: Ziegler et al. 2005, Improving recommendation lists through topic diversification, section 3.3 (intra-list
        similarity).
    Differs: Similarity by co-occurrence instead of a taxonomy, so that it needs no catalog; reported as a distance,
        and as a mean over pairs instead of a sum.
    """
    first, second = np.triu_indices(item_BK.shape[1], k=1)
    a, b = item_BK[:, first], item_BK[:, second]
    there = (a > 0) & (b > 0)
    similarity = np.zeros(a.shape)
    similarity[there] = _cosines(a[there], b[there], users_of_item)
    pairs = there.sum(axis=1)
    mean: FloatArray = np.divide(similarity.sum(axis=1), pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return 1 - mean


def _cosines(a_P: IndexArray, b_P: IndexArray, users_of_item: Any) -> FloatArray:
    """Cosine of every pair; each distinct pair is computed once."""
    size = users_of_item.shape[0]
    low, high = np.minimum(a_P, b_P), np.maximum(a_P, b_P)
    pairs, where = np.unique(low.astype(np.int64) * size + high, return_inverse=True)
    norm_I = np.sqrt(np.diff(users_of_item.indptr))
    cosine = np.empty(len(pairs))
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        x, y = np.divmod(pairs[start : start + PAIRS_AT_ONCE], size)
        both = users_of_item[x].multiply(users_of_item[y]).sum(axis=1)
        cosine[start : start + len(x)] = np.asarray(both).ravel() / np.maximum(norm_I[x] * norm_I[y], 1)
    return cosine[where]
