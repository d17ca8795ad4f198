"""The share of events whose kind was told rightly."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["accuracy"]


def accuracy(probability_NC: FloatArray, came_N: IndexArray) -> FloatArray:
    """One value per event: 1 where the most probable class is the one that came, else 0.

    Source: the proportion of correct classifications; Metz 1978, Basic principles of ROC analysis.
    Differs: equal probabilities go to the class of the lower number.
    """
    right: FloatArray = (probability_NC.argmax(1) == came_N).astype(np.float64)
    return right
