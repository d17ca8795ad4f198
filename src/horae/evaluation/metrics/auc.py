"""Area under the ROC curve over the whole catalog."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, Ranks

__all__ = ["auc"]


def auc(ranks: Ranks) -> FloatArray:
    """The share of (target, other allowed item) pairs that the list has in the right order.

    A target at rank r, the j-th best of its request, has `r - j` other items above it, of
    `candidates - (targets that could be ranked)` in all.

    Source: Hanley and McNeil 1982, The meaning and use of the area under a ROC curve (the Wilcoxon form); per request
        as in Rendle et al. 2009, BPR (arXiv:1205.2618), section 5.2.
    Differs: A target that could not be ranked has every item above it (zero). Equal scores are ordered by item index,
        not counted as halves. Where every allowed item is a target there is nothing to order: one half.
    """
    ranked = ranks.rank_T > 0
    other_B = ranks.candidates_B - ranks.sums(ranked.astype(np.float64))
    other_T = other_B[ranks.request_of_T]
    above_T = (ranks.rank_T - ranks.place_T).astype(np.float64)
    right_T = 1 - np.divide(above_T, other_T, out=np.full(len(above_T), 0.5), where=other_T > 0)
    return ranks.sums(np.where(ranked, right_T, 0.0)) / ranks.size_B
