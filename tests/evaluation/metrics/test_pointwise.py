"""Metrics of scored pairs, worked by hand and against the definition."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.evaluation.metrics.accuracy import accuracy
from horae.evaluation.metrics.log_loss import log_loss
from horae.evaluation.metrics.pointwise_auc import pointwise_auc

YES = np.array([True, True, False, False])


def test_auc_counts_pairs_in_order_and_ties_as_halves() -> None:
    assert pointwise_auc(np.array([0.9, 0.5, 0.5, 0.1]), YES) == (1 + 1 + 0.5 + 1) / 4
    assert math.isnan(pointwise_auc(np.array([0.9]), np.array([True])))


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=2, max_size=15))
def test_weights_stand_for_repeated_pairs(rows: list[tuple[int, bool, int]]) -> None:
    score = np.array([float(row[0]) for row in rows])
    came = np.array([row[1] for row in rows])
    weight = np.array([float(row[2]) for row in rows])
    repeat = weight.astype(int)
    pairs = [(s, t) for s in np.repeat(score, repeat)[np.repeat(came, repeat)]
             for t in np.repeat(score, repeat)[~np.repeat(came, repeat)]]  # fmt: skip
    value = pointwise_auc(score, came, weight)
    if not pairs:
        assert math.isnan(value)
    else:
        assert value == pytest.approx(np.mean([1.0 if s > t else 0.5 if s == t else 0.0 for s, t in pairs]))


def test_accuracy_asks_for_the_right_side_of_one_half() -> None:
    assert accuracy(np.array([0.9, 0.2, 0.5, 0.1]), YES).tolist() == [1, 0, 0, 1]


def test_log_loss_is_ln_two_for_a_coin_and_bounded_for_a_wrong_certainty() -> None:
    assert log_loss(np.array([0.5, 0.25, 0.25]), np.array([True, True, False])).tolist() == pytest.approx(
        [math.log(2), math.log(4), -math.log(0.75)]
    )
    assert log_loss(np.array([0.0]), np.array([True]))[0] == pytest.approx(-math.log(1e-7))
