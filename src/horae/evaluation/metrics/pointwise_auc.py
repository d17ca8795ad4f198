"""Area under the ROC curve of scored pairs, pooled over everybody."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import BoolArray, FloatArray

__all__ = ["pointwise_auc"]


def pointwise_auc(score_P: FloatArray, came_P: BoolArray, weight_P: FloatArray | None = None) -> float:
    """The chance that a pair that came true scores above one that did not; equal scores count one half.

    NaN unless both kinds are there.

    Source: Hanley and McNeil 1982, The meaning and use of the area under a ROC curve.
    Differs: Pairs of all users are compared with each other, so it also asks whether scores mean the same for two
        users; weights (a bootstrap's counts) multiply the pairs.
    """
    weight = np.ones(len(score_P)) if weight_P is None else weight_P
    levels, level_of = np.unique(score_P, return_inverse=True)
    came = np.bincount(level_of, weights=weight * came_P, minlength=len(levels))
    not_ = np.bincount(level_of, weights=weight * ~came_P, minlength=len(levels))
    below = np.cumsum(not_) - not_
    pairs = came.sum() * not_.sum()
    return float((came * (below + not_ / 2)).sum() / pairs) if pairs > 0 else float("nan")
