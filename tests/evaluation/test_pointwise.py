"""Pairs are half true, seeded, and scored by the recommender's own `score`."""

import numpy as np
import pytest
from tests.evaluation.shop import recommender, split

from horae.evaluation.cut import requests_of
from horae.evaluation.intervals import Resamples
from horae.evaluation.pointwise import _others, pointwise
from horae.recommend.recommender import Calibration, Recommender


def calibrated() -> Recommender:
    run = recommender()
    run.calibration = run.calibration or Calibration(1.0, 0.0)
    return run


def test_order_is_seen_in_the_pairs() -> None:
    cut = requests_of(split())
    found = pointwise(calibrated(), cut, Resamples(len(cut.users), 50))
    assert found is not None and found.auc.mean is not None and found.auc.low is not None
    assert found.pairs == 2 * len(cut)
    assert found.auc.mean > 0.8 and found.auc.low < found.auc.mean
    assert found.accuracy is not None and found.log_loss is not None
    assert sum(row[0] for row in found.calibration) == found.pairs
    assert set(found.as_dict()) == {"pairs", "negatives", "seed", "auc", "accuracy", "log_loss", "calibration"}


def test_without_calibration_there_are_no_chances() -> None:
    cut, run = requests_of(split()), calibrated()
    kept, run.calibration = run.calibration, None
    try:
        found = pointwise(run, cut, Resamples(len(cut.users), 10))
    finally:
        run.calibration = kept
    assert found is not None and found.accuracy is None and found.log_loss is None and found.calibration == ()
    assert found.auc.mean is not None and found.auc.mean > 0.8


def test_the_other_item_is_uniform_and_never_the_target() -> None:
    item = np.full(30_000, 2)
    drawn = _others(item, 4, np.random.default_rng(0))
    counts = np.bincount(drawn, minlength=5)
    assert counts[0] == counts[2] == 0
    assert counts[[1, 3, 4]] / len(item) == pytest.approx([1 / 3] * 3, abs=0.02)


def test_the_same_seed_gives_the_same_pairs() -> None:
    cut = requests_of(split())
    assert pointwise(calibrated(), cut, Resamples(len(cut.users), 10), 3) == pointwise(
        calibrated(), cut, Resamples(len(cut.users), 10), 3
    )
