import numpy as np
import pytest
import torch
from tests.forecasting.series.lines import table_of, weekly

from horae.errors import NotTrainedError, RecipeError
from horae.forecasting.series.fitting import Trainer, enough_to_train
from horae.forecasting.series.network import NETWORKS
from horae.forecasting.series.settings import SeriesNetworkSettings
from horae.forecasting.series.table import SeriesTable

TINY = SeriesNetworkSettings(dim=8, epochs=3, windows_per_epoch=128, batch_size=32, window=21, patience=2)
LEVELS = (0.1, 0.5, 0.9)


def trainer(name: str = "lstm", settings: SeriesNetworkSettings = TINY, seed: int = 0) -> Trainer:
    return Trainer(name, settings, 7, LEVELS, seed, torch.device("cpu"))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_learns_what_no_mean_of_weeks_shows(name: str):
    """A ramp that starts anew every 10 days: the seasonal shortcuts are in the wrong step."""
    day = np.arange(150)
    rows = [(day + 3 * n) % 10 + 10.0 for n in range(6)]
    own = trainer(
        name,
        SeriesNetworkSettings(
            dim=8, epochs=8, windows_per_epoch=256, batch_size=32, window=21, learning_rate=0.02, dropout=0.0
        ),
    )
    table = table_of(*rows)
    said = own.forecast(own.fit(table.until(143)), table.until(143))[:, :, 1]
    naive = table.value_ST[:, 136:143]
    truth = table.value_ST[:, 143:]
    assert np.abs(said - truth).mean() < 0.6 * np.abs(naive - truth).mean()


def test_the_same_seed_gives_the_same_forecast_and_another_seed_another():
    table = weekly()
    first, again, other = (
        run.forecast(run.fit(table), table) for run in (trainer(seed=1), trainer(seed=1), trainer(seed=2))
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_training_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    trainer().fit(weekly(4, 80), epochs=1)
    assert torch.equal(torch.rand(1), expected)


def test_early_stopping_keeps_the_best_round():
    fitted = trainer(
        settings=SeriesNetworkSettings(dim=8, epochs=8, windows_per_epoch=64, batch_size=32, patience=3)
    ).fit(weekly())
    assert fitted.epochs == int(np.argmin(fitted.losses)) + 1


def test_too_few_windows_are_refused():
    short = weekly(1, 20)
    assert not enough_to_train(short, 7)
    with pytest.raises(NotTrainedError, match="too few"):
        trainer().fit(short)


def test_series_that_are_constant_negative_short_or_full_of_holes_get_finite_forecasts():
    table = weekly(8)
    value = table.value_ST.copy()
    value[0], value[1], value[2] = 5.0, 0.0, -value[2]
    value[3, :-1] = np.nan
    value[4, 10:] = np.nan
    value[5, ::2] = np.nan
    value[6] *= 1e12
    odd = SeriesTable(table.keys, value, table.first_bin, table.every, 7)
    own = trainer("gru-attention")
    said = own.forecast(own.fit(odd), odd)
    assert np.isfinite(said).all() and (np.diff(said, axis=2) >= 0).all()


@pytest.mark.parametrize(
    "wrong", [{"dim": 7}, {"epochs": 0}, {"dropout": 1.0}, {"learning_rate": 0.0}, {"scaling": "log"}, {"window": -1}]
)
def test_impossible_settings_are_refused(wrong: dict):
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        SeriesNetworkSettings(**wrong)
