"""Precision and recall of each class in one number, averaged over classes."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["f1"]


def f1(probability_NC: FloatArray, came_N: IndexArray) -> float:
    """The mean over classes of `2 hits / (told + came)`; a class is told where it is the most probable.

    Source: Opitz and Burst 2019 (arXiv:1911.03347), section 2, the averaged F1 ("F1 of averages" is another number).
    Differs: over the classes that came at least once.
    """
    told_N = probability_NC.argmax(1)
    each = []
    for c in np.unique(came_N):
        hits = np.sum((told_N == c) & (came_N == c))
        each.append(2 * hits / (np.sum(told_N == c) + np.sum(came_N == c)))
    return float(np.mean(each)) if each else float("nan")
