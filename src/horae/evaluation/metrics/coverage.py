"""Catalog coverage at k."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import IndexArray

__all__ = ["coverage"]


def coverage(item_BK: IndexArray, num_items: int) -> float:
    """The share of the item table that stands in at least one of the lists.

    Args:
        item_BK: Item indices from 1; 0 where a list is shorter.
        num_items: Items that the recommender knows.

    Source: Ge, Delgado-Battenfeld and Jannach 2010, Beyond accuracy, section 3.1 (catalog coverage).
    Differs: It grows with the number of lists, so it compares recommenders on the same requests only; it has no
        interval for the same reason (a resample of users repeats lists).
    """
    shown = np.unique(item_BK)
    return float(np.count_nonzero(shown)) / max(num_items, 1)
