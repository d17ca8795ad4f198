"""Each method by hand, and at its edges: leading gap, nothing known, one value, a constant, the end."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from horae.data.impute import ImputeSettings
from horae.forecasting.imputing import fit_imputer, impute

NAN = float("nan")
METHODS = {
    "forward_fill": ImputeSettings("forward_fill"),
    "mean": ImputeSettings("mean"),
    "median": ImputeSettings("median"),
    "linear": ImputeSettings("linear"),
    "time": ImputeSettings("time"),
    "seasonal": ImputeSettings("seasonal", period=3),
    "nearest": ImputeSettings("nearest", neighbours=2),
}


def filled(method, *values, until=None):
    column = np.array(values, dtype=float)[:, None]
    return impute(column, METHODS[method], until=until)[:, 0].tolist()


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("forward_fill", [NAN, 2, 2, 2, 8, 5, 5]),  # what was last known, and nothing before the first
        ("mean", [5, 2, 5, 5, 8, 5, 5]),
        ("median", [5, 2, 5, 5, 8, 5, 5]),
        ("linear", [2, 2, 4, 6, 8, 5, 5]),  # thirds of the way from 2 to 8; the ends carried outwards
        ("time", [2, 2, 4, 6, 8, 5, 5]),
    ],
)
def test_gaps_are_filled_as_by_hand(method, expected):
    np.testing.assert_allclose(filled(method, NAN, 2, NAN, NAN, 8, 5, NAN), expected)


def test_the_median_is_not_the_mean():
    assert filled("median", 1, 2, 30, NAN)[-1] == 2
    assert filled("mean", 1, 2, 30, NAN)[-1] == 11


@pytest.mark.parametrize("method", METHODS)
def test_a_series_without_values_stays_missing(method):
    assert np.isnan(filled(method, NAN, NAN, NAN)).all()
    beside = np.array([[NAN, 1.0], [NAN, NAN], [NAN, 3.0]])
    assert np.isnan(impute(beside, METHODS[method])[:, 0]).all()


@pytest.mark.parametrize("method", METHODS)
def test_one_value_fills_its_series(method):
    start = NAN if method == "forward_fill" else 7.1
    np.testing.assert_equal(filled(method, NAN, 7.1, NAN, NAN), [start, 7.1, 7.1, 7.1])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("constant", [0.1, -3e7, 0.0])
def test_a_constant_stays_constant(method, constant):
    values = [constant, NAN, constant, constant, NAN, NAN, constant, NAN]
    np.testing.assert_allclose(filled(method, *values), constant, rtol=1e-15)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (4, 0)])
def test_an_empty_matrix_stays_empty(method, shape):
    assert impute(np.empty(shape), METHODS[method]).shape == shape


@pytest.mark.parametrize("method", METHODS)
def test_known_values_are_never_changed(method):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(30, 3))
    gaps = rng.random(values.shape) < 0.4
    result = impute(np.where(gaps, NAN, values), METHODS[method])
    np.testing.assert_array_equal(result[~gaps], values[~gaps])


@pytest.mark.parametrize(("method", "expected"), [("linear", 4), ("time", 4), ("forward_fill", 4), ("mean", 2)])
def test_after_the_training_part_only_the_past_is_looked_at(method, expected):
    assert filled(method, 0, 2, 4, NAN, 100, until=3)[3] == expected


@pytest.mark.parametrize("method", ["linear", "time", "seasonal"])
def test_a_gap_at_the_end_of_training_does_not_reach_into_what_follows(method):
    assert filled(method, 2, 2, NAN, 9, 9, until=3)[2] == 2


def test_a_leading_gap_after_the_training_part_stays_missing():
    values = np.array([[NAN], [NAN], [5.0]])
    for method in ("linear", "time", "forward_fill", "seasonal"):
        assert np.isnan(impute(values, METHODS[method], until=1)[:2]).all(), method


def test_a_sharp_season_on_a_trend_is_found_with_a_fifth_missing():
    rng = np.random.default_rng(0)
    values = (np.tile([0.0, 0, 0, 0, 0, 5, 9], 60) + 0.05 * np.arange(420))[:, None]
    gaps = rng.random(values.shape) < 0.2
    result = impute(np.where(gaps, NAN, values), ImputeSettings("seasonal", period=7))
    assert np.abs(result - values)[gaps].max() < 0.1


def test_an_even_period_weighs_each_phase_alike():
    values = np.tile([0.0, 6, 3, 3], 10)[:, None]
    gaps = np.zeros(values.shape, dtype=bool)
    gaps[[5, 14, 21]] = True
    np.testing.assert_allclose(
        impute(np.where(gaps, NAN, values), ImputeSettings("seasonal", period=4)), values, atol=1e-4
    )


def test_a_season_goes_on_after_the_training_part_on_the_last_known_level():
    values = np.tile([1.0, 2, 6], 8)[:, None] + np.where(np.arange(24) < 18, 0, 10)[:, None]
    shown = values.copy()
    shown[19:] = NAN
    result = fit_imputer(values[:18], ImputeSettings("seasonal", period=3)).transform(shown)
    np.testing.assert_allclose(result, values)  # row 18 is known: ten higher than in training


def test_phases_are_right_in_a_table_that_begins_elsewhere_and_lacks_days():
    days = pl.datetime_range(datetime(2024, 1, 1), datetime(2024, 3, 31), "1d", eager=True)
    phase = pl.Series(range(len(days))) % 7
    frame = pl.DataFrame({"timestamp": days, "value": phase.cast(pl.Float64) ** 2})
    absent = pl.int_range(pl.len()).is_in([10, 11, 25, 40])  # rows that are not there at all
    imputer = fit_imputer(frame.filter(~absent).head(60), ImputeSettings("seasonal", period=7))
    later = frame.slice(66, 20).with_columns(pl.when(pl.int_range(pl.len()) < 5).then("value").alias("value"))
    filled = imputer.transform(later)["value"]
    assert filled.to_list() == pytest.approx(frame["value"].slice(66, 20).to_list(), abs=0.5)  # of 0 to 36


def test_months_are_counted_as_rows():
    months = pl.datetime_range(datetime(2018, 1, 1), datetime(2023, 12, 1), "1mo", eager=True)
    values = pl.Series([float(n % 12 == 11) for n in range(len(months))])
    frame = pl.DataFrame({"timestamp": months, "value": values})
    shown = frame.with_columns(pl.when(~pl.int_range(pl.len()).is_in([23, 30])).then("value").alias("value"))
    filled = impute(shown, ImputeSettings("seasonal", period=12))["value"]
    assert filled.to_list() == pytest.approx(values.to_list(), abs=0.05)


def test_a_phase_never_seen_adds_nothing():
    values = np.array([0.0, 4, NAN] * 6)[:, None]
    result = impute(values, ImputeSettings("seasonal", period=3))
    assert np.isfinite(result).all() and (result[2::3] >= 0).all() and (result[2::3] <= 4).all()
