import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.forecasting.series.lines import table_of, weekly

from horae.errors import DataError
from horae.forecasting.series.judging import ahead_of, judge, plan_of, summary
from horae.forecasting.series.methods import METHODS, method_of, names_for
from horae.forecasting.series.settings import SeriesNetworkSettings, SeriesSettings

SMALL = SeriesSettings(network=SeriesNetworkSettings(dim=4, epochs=1, windows_per_epoch=32, batch_size=16, window=14))
LEVELS = SMALL.levels


def made(name: str, most: int = 1):
    return method_of(name, 7, 7, SMALL, most, 0, torch.device("cpu"))


@pytest.mark.parametrize(
    ("bins", "validation", "test"),
    [
        (365, (225, 253), (281, 309, 337)),  # all that was asked for, 28 apart
        (120, (36,), (64, 92)),  # room for three
        (90, (34,), (62,)),
        (70, (), (42,)),  # no room for a validation part
        (30, (), (2,)),
    ],
)
def test_origins_by_hand(bins, validation, test):
    plan = plan_of(bins, 28, 7, 3, 2)
    assert (plan.validation, plan.test) == (validation, test)


@given(st.integers(1, 400), st.integers(1, 60), st.integers(1, 52), st.integers(1, 5), st.integers(1, 4))
def test_validation_lies_before_the_test_and_all_truths_are_there(bins, horizon, season, origins, held):
    if bins < horizon + 2:
        with pytest.raises(DataError, match="longer than the history"):
            plan_of(bins, horizon, season, origins, held)
        return
    plan = plan_of(bins, horizon, season, origins, held)
    columns = [*plan.validation, *plan.test]
    assert plan.test and columns[-1] + horizon == bins and columns[0] >= 1
    assert all(later - earlier == horizon for earlier, later in itertools.pairwise(columns))


@pytest.mark.parametrize("name", METHODS)
def test_what_comes_at_an_origin_or_later_never_changes_what_is_said_there(name: str):
    table, other = weekly(2, 80), weekly(2, 80)
    other.value_ST[:, 66:] = np.random.default_rng(1).uniform(-1e3, 1e3, (2, 14))
    first, second = (judge(one, [made(name)], (66,), 7, LEVELS, fit="once") for one in (table, other))
    assert np.array_equal(first.said[name], second.said[name], equal_nan=True)


def test_a_perfect_forecast_has_no_error_and_covers_everything():
    table = table_of(*(np.tile([1.0, 2, 3, 4, 5, 6, 7], 12) * size for size in (1, 10)))
    judged = judge(table, [made("seasonal-naive")], (70, 77), 7, LEVELS, fit="once")
    means = summary(judged.errors["seasonal-naive"])
    assert (means["mae"], means["rmse"], means["mase"], means["coverage"], means["width"]) == (0, 0, 0, 1, 0)
    assert means["series"] == 2 and len(means["by_horizon"]["mase"]) == 7


def test_errors_by_step_by_hand():
    table = table_of([1.0] * 20 + [2, 3, 5], [2.0] * 20 + [2, 2, float("nan")], season=1)
    judged = judge(table, [made("last-value")], (20,), 3, LEVELS, fit="once")
    means = summary(judged.errors["last-value"])
    assert means["by_horizon"]["mae"] == [0.5, 1.0, 4.0]
    assert means["by_horizon"]["mse"] == [0.5, 2.0, 16.0]
    assert means["by_horizon"]["rmse"] == pytest.approx([0.5**0.5, 2**0.5, 4])
    assert means["mae"] == pytest.approx((1 + 2 + 4) / 5) and means["mase"] == pytest.approx((1 + 2 + 4) / 5)


def test_a_series_that_was_not_there_yet_is_not_asked_about():
    late = [float("nan")] * 69 + [1.0] * 15
    judged = judge(table_of(np.arange(84.0), late), [made("last-value")], (70, 77), 7, LEVELS, fit="once")
    assert np.isnan(judged.said["last-value"][0, 1]).all() and np.isfinite(judged.said["last-value"][1, 1]).all()


def test_counts_are_never_forecast_below_zero():
    rng = np.random.default_rng(0)
    table = table_of(*rng.poisson(0.4, (5, 84)).astype(float), np.linspace(50, 1, 84))
    for name in METHODS:
        judged = judge(table, [made(name, most=2)], (77,), 7, LEVELS, fit="once")
        assert np.nanmin(judged.said[name]) >= 0, name


def test_who_is_ahead_is_told_series_by_series():
    rng = np.random.default_rng(0)
    hard = rng.uniform(0, 100, (3, 20, 1))  # some series are hard for everybody
    errors = {"mase": hard + rng.uniform(0, 1, (3, 20, 7)), "pinball": hard + 0.0 * rng.uniform(size=(3, 20, 7))}
    better = {name: one - 0.5 for name, one in errors.items()}
    found = ahead_of(better, errors, 500, 0)
    assert found["mase"].mean == pytest.approx(-0.5) and found["mase"].below_zero
    errors["mase"][0, 3, 1:] = np.nan  # truths that are not known do not count, here nor in the mean
    partly = ahead_of(better, errors, 500, 0)["mase"]
    assert partly.mean == pytest.approx(np.nanmean(better["mase"] - errors["mase"])) and partly.below_zero
    few = ahead_of({n: one[:, :1] for n, one in better.items()}, {n: one[:, :1] for n, one in errors.items()}, 500, 0)
    assert few["mase"].mean == pytest.approx(-0.5) and few["mase"].low is None


@settings(max_examples=5)
@given(st.sampled_from(["once", "never", "each"]))
def test_refitting_is_as_often_as_said(refit):
    class Counted:
        name, fits = "counted", 0

        def fit(self, table):
            self.fits += 1

        def forecast(self, table, horizon):
            return np.zeros((len(table), horizon, 3))

        def facts(self):
            return {}

    method = Counted()
    judge(weekly(2, 80), [method], (59, 66, 73), 7, LEVELS, fit=refit)
    assert method.fits == {"once": 1, "never": 0, "each": 3}[refit]


def test_names_for_auto_and_for_one():
    everybody, notes = names_for("auto", SMALL)
    assert set(everybody) == set(METHODS) and notes == []
    beside, _ = names_for("lstm", SMALL)
    assert "lstm" in beside and "transformer" not in beside and "ets" in beside


def test_without_statsmodels_the_others_stand_and_it_is_said(monkeypatch):
    monkeypatch.setattr("horae.forecasting.series.methods.have_statsmodels", lambda needed=(): False)
    names, notes = names_for("auto", SMALL)
    assert not {"ets", "arima"} & set(names) and "horae[series]" in notes[0]
