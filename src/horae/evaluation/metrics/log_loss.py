"""Log loss of scored pairs."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import BoolArray, FloatArray

__all__ = ["log_loss"]

SMALLEST = 1e-7


def log_loss(probability_P: FloatArray, came_P: BoolArray) -> FloatArray:
    """`-log(p)` where the pair came true, `-log(1 - p)` where it did not, in nats; lower is better, ln 2 is a coin's.

    Source: Good 1952, Rational decisions (the logarithmic score).
    Differs: Probabilities are kept 1e-7 away from 0 and 1, so that one wrong certainty costs 16 nats, not infinity.
    """
    p = np.clip(probability_P, SMALLEST, 1 - SMALLEST)
    return -np.log(np.where(came_P, p, 1 - p))
