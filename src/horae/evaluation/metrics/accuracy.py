"""Accuracy of scored pairs."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import BoolArray, FloatArray

__all__ = ["accuracy"]


def accuracy(probability_P: FloatArray, came_P: BoolArray, threshold: float = 0.5) -> FloatArray:
    """One where the probability falls on the right side of the threshold, else zero; exactly on it counts as a yes.

    Source: Manning, Raghavan and Schütze 2008, Introduction to Information Retrieval, section 8.3.
    Differs: One value per pair. It says something only for probabilities, and beside the share of pairs that came true.
    """
    right: BoolArray = (probability_P >= threshold) == came_P
    return right.astype(np.float64)
