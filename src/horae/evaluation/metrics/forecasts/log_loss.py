"""How surprising what came was, in nats."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["log_loss"]


SMALLEST = 1e-7


def log_loss(probability_NC: FloatArray, came_N: IndexArray) -> FloatArray:
    """One value per event: `-log p(what came)`; lower is better.

    Source: Good 1952, Rational decisions (the logarithmic score).
    Differs: probabilities below 1e-7 count as 1e-7.
    """
    chance_N: FloatArray = probability_NC[np.arange(len(came_N)), came_N]
    return -np.log(np.clip(chance_N, SMALLEST, 1.0))
