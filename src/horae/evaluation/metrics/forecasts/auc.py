"""Area under the ROC curve of each class against the others, averaged over classes."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.pointwise_auc import pointwise_auc
from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["auc"]


def auc(probability_NC: FloatArray, came_N: IndexArray) -> float:
    """The mean over classes of the chance that the class is more probable where it came than where it did not.

    NaN where only one class came. Equal probabilities count one half.

    Source: Hanley and McNeil 1982, The meaning and use of the area under a ROC curve, one class against the rest.
    Differs: an unweighted mean, over the classes that came at least once.
    """
    classes = np.unique(came_N)
    if len(classes) < 2:
        return float("nan")
    return float(np.mean([pointwise_auc(probability_NC[:, c], came_N == c) for c in classes]))
