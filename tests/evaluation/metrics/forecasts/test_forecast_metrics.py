"""By hand, and by scikit-learn where it has the same number."""

import math

import numpy as np
import pytest

from horae.evaluation.metrics.forecasts.accuracy import accuracy
from horae.evaluation.metrics.forecasts.auc import auc
from horae.evaluation.metrics.forecasts.brier import brier
from horae.evaluation.metrics.forecasts.calibration_error import calibration_error
from horae.evaluation.metrics.forecasts.f1 import f1
from horae.evaluation.metrics.forecasts.interval_coverage import interval_coverage
from horae.evaluation.metrics.forecasts.interval_width import interval_width
from horae.evaluation.metrics.forecasts.log_loss import log_loss
from horae.evaluation.metrics.forecasts.mae import mae
from horae.evaluation.metrics.forecasts.mase import mase
from horae.evaluation.metrics.forecasts.mse import mse
from horae.evaluation.metrics.forecasts.precision import precision
from horae.evaluation.metrics.forecasts.recall import recall
from horae.evaluation.metrics.forecasts.rmse import rmse

CHANCE = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.6, 0.3, 0.1]])
CAME = np.array([0, 1, 1, 2, 0])
# Told: 0, 0, 1, 2, 0. Class 0: told 3, came 2, hits 2; class 1: told 1, came 2, hits 1; class 2: all 1.


def test_kinds_by_hand():
    assert accuracy(CHANCE, CAME).tolist() == [1, 0, 1, 1, 1]
    assert log_loss(CHANCE, CAME).tolist() == pytest.approx([-math.log(p) for p in (0.7, 0.4, 0.8, 0.4, 0.6)])
    assert precision(CHANCE, CAME) == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert recall(CHANCE, CAME) == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert f1(CHANCE, CAME) == pytest.approx((4 / 5 + 2 / 3 + 1) / 3)
    assert auc(CHANCE, CAME) == pytest.approx(1.0)  # each class is likelier where it came than anywhere else


def test_a_class_that_never_came_counts_nowhere_and_one_never_told_has_no_precision():
    assert precision(CHANCE[:2], np.array([1, 1])) == 0.0
    assert recall(CHANCE[:2], np.array([0, 1])) == pytest.approx(0.5)
    assert math.isnan(auc(CHANCE[:2], np.array([1, 1])))
    assert log_loss(np.array([[1.0, 0.0]]), np.array([1])).tolist() == pytest.approx([-math.log(1e-7)])


def test_calibration_error_by_hand():
    # Chances 0.25 (twice, came once) and 0.75 (twice, came once): both bins are off by a quarter.
    chance = np.array([[0.25, 0.75], [0.75, 0.25]])
    assert calibration_error(chance, np.array([0, 0])) == pytest.approx(0.25)
    assert calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0.0


def test_kinds_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    chance = rng.dirichlet([1, 2, 3], 300)
    came = np.array([rng.choice(3, p=row) for row in chance])
    told = chance.argmax(1)
    how = {"average": "macro", "zero_division": 0}
    assert precision(chance, came) == pytest.approx(metrics.precision_score(came, told, **how))
    assert recall(chance, came) == pytest.approx(metrics.recall_score(came, told, **how))
    assert f1(chance, came) == pytest.approx(metrics.f1_score(came, told, **how))
    assert auc(chance, came) == pytest.approx(metrics.roc_auc_score(came, chance, multi_class="ovr"))
    assert log_loss(chance, came).mean() == pytest.approx(metrics.log_loss(came, chance))


def test_amounts_by_hand():
    told, came = np.array([1.0, 5.0]), np.array([4.0, 5.0])
    assert mae(told, came).tolist() == [3, 0] and mse(told, came).tolist() == [9, 0]
    assert rmse(told, came) == pytest.approx(math.sqrt(4.5))
    assert mase(told, came, naive_error=3.0) == pytest.approx(0.5) and math.isnan(mase(told, came, 0.0))


def test_intervals_by_hand():
    low, high = np.array([0.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0])
    assert interval_coverage(low, high, np.array([1.0, 5.0, 3.0])).tolist() == [1, 0, 1]  # ends belong to it
    assert interval_width(low, high).tolist() == [1, 2, 6]


def test_brier_by_hand_and_by_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    chance, came = np.array([0.9, 0.2, 0.5]), np.array([True, True, False])
    assert brier(chance, came).tolist() == pytest.approx([0.01, 0.64, 0.25])
    assert brier(chance, came).mean() == pytest.approx(metrics.brier_score_loss(came, chance))
