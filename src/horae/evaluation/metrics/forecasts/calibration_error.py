"""How far told chances are from the shares that came true."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["calibration_error"]


BINS = 10


def calibration_error(probability_NC: FloatArray, came_N: IndexArray) -> float:
    """`sum over bins of (pairs in it / all pairs) * |mean chance - share that came true|`; 0 is perfect.

    Source: Naeini, Cooper and Hauskrecht 2015 (doi:10.1609/aaai.v29i1.9602), ECE, with ten bins of equal width.
    Differs: over every class's chance of every event, not only over the most probable one's.
    """
    said = probability_NC.ravel()
    true = (came_N[:, None] == np.arange(probability_NC.shape[1])).ravel()
    place = np.clip((said * BINS).astype(np.int64), 0, BINS - 1)
    gap = np.bincount(place, said, BINS) - np.bincount(place, true, BINS)
    return float(np.abs(gap).sum() / len(said)) if len(said) else float("nan")
