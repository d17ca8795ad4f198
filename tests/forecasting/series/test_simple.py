import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from horae.forecasting.series.simple import SIMPLE, drift, filled, last_value, moving_average, seasonal_naive

LEVELS = (0.1, 0.5, 0.9)


def points(method, values, horizon=5, season=3):
    return method(np.array([values], dtype=float), horizon, season, LEVELS)[0, :, 1].tolist()


def test_points_by_hand():
    values = [1, 2, 3, 4, 5, 6, 9]
    assert points(seasonal_naive, values) == [5, 6, 9, 5, 6]
    assert points(last_value, values) == [9] * 5
    assert points(moving_average, values) == pytest.approx([30 / 7] * 5)
    assert points(drift, values) == pytest.approx([9 + step * 8 / 6 for step in range(1, 6)])


def test_unknown_values_are_taken_from_a_season_before():
    values = [1, 2, 3, 4, np.nan, 6, np.nan]
    assert points(seasonal_naive, values) == [2, 6, 4, 2, 6]
    assert points(last_value, values) == [6] * 5
    assert points(drift, values)[0] == pytest.approx(6 + 2 * 5 / 5)


def test_filling_by_seasons():
    found = filled(np.array([[np.nan, 1, 2, np.nan, np.nan, 5, np.nan]]), 2)
    assert np.array_equal(found, [[np.nan, 1, 2, 1, 2, 5, 2]], equal_nan=True)


def test_bounds_are_the_quantiles_of_the_rules_own_errors():
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(size=(1, 3000)), axis=1)
    said = last_value(values, 9, 1, LEVELS)[0]
    # of a random walk the errors are normal with the variance of the lead
    for lead in (1, 4, 9):
        assert (said[lead - 1, 2] - said[lead - 1, 0]) / 2 == pytest.approx(1.2816 * lead**0.5, rel=0.2)


def test_a_constant_and_a_single_point_are_forecast_as_they_are():
    for method in SIMPLE.values():
        assert method(np.full((1, 20), 7.0), 4, 7, LEVELS).tolist() == [[[7.0] * 3] * 4]
        assert method(np.array([[np.nan, 7.0]]), 4, 7, LEVELS).tolist() == [[[7.0] * 3] * 4]


def test_a_gap_longer_than_four_seasons_leaves_the_last_known_value():
    values = np.array([[*range(1, 11), *[np.nan] * 40]], dtype=float)
    assert points(moving_average, values[0]) == [10] * 5
    assert points(seasonal_naive, values[0]) == [9, 10, 8, 9, 10]  # column 50 is in step with column 8


@settings(max_examples=40)
@given(
    arrays(np.float64, (3, 12), elements=st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")))),
    st.integers(1, 20),
    st.sampled_from([1, 3, 7]),
)
def test_every_method_orders_its_bounds_and_speaks_wherever_anything_is_known(values, horizon, season):
    for method in SIMPLE.values():
        said = method(values, horizon, season, LEVELS)
        known = ~np.isnan(values).all(axis=1)
        assert said.shape == (3, horizon, 3)
        assert np.isfinite(said[known]).all() and np.isnan(said[~known, :, 1]).all()
        assert (said[known, :, 0] <= said[known, :, 1]).all() and (said[known, :, 1] <= said[known, :, 2]).all()


@pytest.mark.parametrize(("width", "season"), [(8, 1), (28, 7), (96, 24)])
def test_a_monstrous_value_spoils_no_mean_of_a_window_that_does_not_hold_it(width: int, season: int):
    value = np.random.default_rng(0).random((2, 150)).round(6)
    wild = value.copy()
    wild[0, 10] = 1e25
    clean, spoiled = (moving_average(one, 1, season, LEVELS)[:, 0, 1] for one in (value, wild))
    assert spoiled == pytest.approx(clean, rel=1e-12)
    assert clean == pytest.approx(value[:, -width:].mean(axis=1), rel=1e-12)
