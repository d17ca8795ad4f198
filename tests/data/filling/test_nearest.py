"""k-nearest beside scikit-learn's own imputer, and as of what was before."""

import numpy as np
import pytest
from sklearn.impute import KNNImputer

from horae.data.impute import ImputeSettings
from horae.forecasting.imputing import impute


def gappy(seed, shape=(60, 3)):
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=shape).cumsum(0) * [1, 20, 0.1]
    return np.where(rng.random(shape) < 0.25, np.nan, whole)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_scikit_learns_imputer_over_scaled_values_and_their_neighbours(seed):
    values = gappy(seed)
    scaled = (values - np.nanmean(values, 0)) / np.nanstd(values, 0)
    padded = np.pad(scaled, ((1, 1), (0, 0)), constant_values=np.nan)
    around = np.concatenate([padded[:-2], padded[1:-1], padded[2:]], 1)
    around = around[~np.isnan(scaled).all(1)], around
    reference = KNNImputer(n_neighbors=4).fit(around[0]).transform(around[1])[:, 3:6]
    expected = reference * np.nanstd(values, 0) + np.nanmean(values, 0)
    result = impute(values, ImputeSettings("nearest", neighbours=4, lags=1))
    np.testing.assert_allclose(result, expected, rtol=1e-9)


def test_a_coupled_series_tells_what_the_line_between_cannot():
    rng = np.random.default_rng(0)
    first = rng.normal(size=400)
    values = np.stack([first, -3 * first], 1)
    gaps = np.zeros(values.shape, dtype=bool)
    gaps[rng.permutation(400)[:80], 1] = True
    shown = np.where(gaps, np.nan, values)
    error = {
        method: np.abs(impute(shown, ImputeSettings(method)) - values)[gaps].mean() for method in ("nearest", "linear")
    }
    assert error["nearest"] < 0.8 * error["linear"]


def test_a_moment_of_which_nothing_around_is_known_takes_the_mean():
    values = np.array([1.0, 3, 5, 7] + [np.nan] * 7)[:, None]
    assert impute(values, ImputeSettings("nearest", lags=1))[-1, 0] == 4


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    import sys

    from horae.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "sklearn.metrics.pairwise", None)
    with pytest.raises(MissingExtraError, match="scikit-learn") as caught:
        impute(gappy(0), ImputeSettings("nearest"))
    assert "horae[series]" in caught.value.hint
