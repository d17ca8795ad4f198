"""There and back; learned from the training rows alone; saved as plain JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.data.scale import Scaler, fit_scaler
from horae.errors import DataError

KINDS = ("min_max", "standard", "robust", "log")
ULP = np.finfo(float).eps
numbers = st.one_of(st.floats(-1e100, 1e100), st.integers(-1000, 1000).map(float), st.just(float("nan")))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("min_max", [0, 0.25, 0.5, 1]),
        ("standard", [-1.1832159566, -0.5070925528, 0.1690308509, 1.5212776585]),
        ("robust", [-0.8571428571, -0.2857142857, 0.2857142857, 1.4285714286]),
        ("log", [0, np.log(2), np.log(3), np.log(5)]),
    ],
)
def test_numbers_by_hand(kind, expected):
    # mean 1.75, deviation sqrt(35) / 4; quartiles 0.75 and 2.5, median 1.5
    np.testing.assert_allclose(fit_scaler(np.array([0.0, 1, 2, 4]), kind).scale(np.array([0.0, 1, 2, 4])), expected)


def test_a_logarithm_keeps_the_sign():
    values = np.array([-np.e + 1, 0, np.e - 1])
    np.testing.assert_allclose(fit_scaler(values, "log").scale(values), [-1, 0, 1])


@given(
    train=st.lists(numbers, min_size=1, max_size=20), later=st.lists(numbers, max_size=20), kind=st.sampled_from(KINDS)
)
def test_there_and_back_is_the_same_number(train, later, kind):
    values = np.array(train + later)
    scaler = fit_scaler(values, kind, np.arange(len(values)) < len(train))
    saved = Scaler.from_dict(json.loads(json.dumps(scaler.as_dict())))
    with np.errstate(over="ignore"):
        scaled = saved.scale(values)
    np.testing.assert_array_equal(scaled, scaler.scale(values))
    back = saved.invert(scaled)
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    size = np.nanmax(np.abs([values, np.broadcast_to(scaler.center_F, values.shape)]), axis=0)
    if kind == "log":
        size = (1 + np.abs(values)) * (1 + np.log1p(np.abs(values)))
    size = np.maximum(size, scaler.spread_F)
    known = ~np.isnan(values)
    assert (np.abs(back - values)[known] <= 4 * ULP * size[known]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_later_rows_change_nothing_that_was_learned(kind):
    values = np.random.default_rng(0).normal(size=(40, 3))
    train = np.arange(40) < 25
    edited = np.where(train[:, None], values, 1e6)
    assert fit_scaler(values, kind, train).as_dict() == fit_scaler(edited, kind, train).as_dict()
    assert fit_scaler(values, kind, train).as_dict() == fit_scaler(values[:25], kind).as_dict()


@pytest.mark.parametrize("kind", ["min_max", "standard", "robust"])
@pytest.mark.parametrize("constant", [0.1, -4e9, 0.0])
def test_a_column_without_variance_is_zero_and_others_are_told_apart(kind, constant):
    scaler = fit_scaler(np.full((7, 1), constant), kind)
    assert scaler.scale(np.full((2, 1), constant)).tolist() == [[0.0], [0.0]]
    assert scaler.invert(np.zeros((1, 1))).tolist() == [[constant]]
    assert scaler.scale(np.array([[constant + 2.0]]))[0, 0] == 2.0


@pytest.mark.parametrize("kind", KINDS)
def test_missing_values_stay_missing_and_teach_nothing(kind):
    values = np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    scaler = fit_scaler(values, kind)
    np.testing.assert_array_equal(np.isnan(scaler.scale(values)), np.isnan(values))
    assert scaler.center_F[1] == 0 and scaler.spread_F[1] == 1
    assert fit_scaler(values[:, 0], kind).as_dict() == fit_scaler(values[[0, 2], 0], kind).as_dict()


def test_robust_falls_back_to_the_deviation_where_the_middle_half_is_equal():
    values = np.array([2.0] * 9 + [12.0])
    assert fit_scaler(values, "robust").spread_F[0] == pytest.approx(3.0)  # sqrt(0.1 * 0.9) * 10


def test_what_cannot_be_scaled_is_refused():
    with pytest.raises(DataError, match="Infinite"):
        fit_scaler(np.array([1.0, np.inf]))
    with pytest.raises(DataError, match="too far apart"):
        fit_scaler(np.array([-1.7e308, 1.7e308]), "min_max")
    with pytest.raises(DataError, match="kind"):
        fit_scaler(np.array([1.0]), "cubic")
    with pytest.raises(DataError, match="Expected 2 columns"):
        fit_scaler(np.zeros((3, 2))).scale(np.zeros((3, 1)))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "standard", "center": [1.0], "spread": []},
        {"kind": "cubic", "center": [1.0], "spread": [1.0]},
        {"kind": "standard", "center": [1.0], "spread": [0.0]},
        {"kind": "standard", "center": ["x"], "spread": [1.0]},
    ],
)
def test_what_is_no_saved_scaler_is_refused(document):
    with pytest.raises(DataError, match="Not a saved scaler"):
        Scaler.from_dict(document)
