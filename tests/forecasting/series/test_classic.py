import importlib.util
import warnings

import numpy as np
import pytest

from horae.errors import MissingExtraError
from horae.forecasting.series.classic import ARIMA, ETS, have_statsmodels

LEVELS = (0.1, 0.5, 0.9)


def walk(length: int = 120, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=length)) + 50


def seasonal(length: int = 140, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (
        20 + 0.05 * np.arange(length) + np.array([0, 1, 2, 3, 8, 9, 1])[np.arange(length) % 7] + rng.normal(size=length)
    )


@pytest.mark.parametrize("method", [ETS, ARIMA])
def test_a_season_and_a_slope_are_found(method):
    values = seasonal(154)
    own = method(7, LEVELS, 5)
    own.fit(values[None, :140])
    said = own.forecast(values[None, :140], 14)[0]
    truth = values[140:]
    assert np.abs(said[:, 1] - truth).mean() < 1.3  # the noise's own mean error is 0.8
    assert 0.5 <= ((said[:, 0] <= truth) & (truth <= said[:, 2])).mean() <= 1


def test_ets_of_a_walk_is_simple_exponential_smoothing_as_the_library_has_it():
    from statsmodels.tsa.holtwinters import SimpleExpSmoothing

    values = walk()
    own = ETS(1, LEVELS, 1)
    own.fit(values[None])
    other = SimpleExpSmoothing(values, initialization_method="estimated").fit()
    assert own.forecast(values[None], 3)[0, :, 1] == pytest.approx(other.forecast(3), abs=0.2)


def test_a_walk_is_differenced_and_noise_is_not():
    assert ARIMA(1, LEVELS, 1)._differences(walk(400)) == (1, 0)
    assert ARIMA(1, LEVELS, 1)._differences(np.random.default_rng(0).normal(size=400)) == (0, 0)
    assert ARIMA(7, LEVELS, 1)._differences(seasonal(400)) == (0, 1)


@pytest.mark.parametrize("method", [ETS, ARIMA])
def test_only_the_largest_series_are_covered_and_bad_ones_left_to_others(method):
    values = np.full((4, 40), np.nan)
    values[0], values[1], values[2, -3:], values[3] = seasonal(40), 5.0, 1.0, seasonal(40)
    own = method(7, LEVELS, 3)
    own.fit(values)
    said = own.forecast(values, 2)
    assert np.isfinite(said[0]).all()
    assert np.isnan(said[1:]).all()  # constant, too short, beyond the limit


@pytest.mark.parametrize("method", [ETS, ARIMA])
def test_gaps_are_borne(method):
    values = seasonal(100)
    values[[20, 50, 51, 99]] = np.nan
    own = method(7, LEVELS, 1)
    own.fit(values[None])
    assert np.isfinite(own.forecast(values[None], 7)).all()


def test_warnings_of_the_library_stay_inside_and_failed_fits_are_counted():
    class Hasty(ARIMA):
        def _fitted(self, values, order):
            return self._model(values, order).fit(disp=False, maxiter=1, cov_type="none")

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        own = Hasty(7, LEVELS, 1)
        own.fit(seasonal(60)[None])
        assert shown == []
        warnings.warn("others are heard", UserWarning, stacklevel=1)
    assert len(shown) == 1 and own.not_converged > 0


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not have_statsmodels()
    with pytest.raises(MissingExtraError, match=r"horae\[series\]"):
        have_statsmodels(["arima"])
