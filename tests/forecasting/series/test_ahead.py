from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
import torch
from tests.forecasting.series.lines import MONDAY, table_of

from horae.errors import DataError, RecipeError
from horae.forecasting.series.ahead import holidays_of, known_ahead
from horae.forecasting.series.every import Every
from horae.forecasting.series.fitting import Trainer
from horae.forecasting.series.forecast import forecast_table
from horae.forecasting.series.settings import SeriesNetworkSettings, SeriesSettings
from horae.forecasting.series.windows import Windows

START = datetime(2024, 1, 1)
DAYS = 140
SMALL = SeriesSettings(
    origins=1, validation_origins=1, classic_series=0, bootstrap=0, network=SeriesNetworkSettings(dim=16, epochs=10)
)


def plan_of(days, lasting=2, **more):
    rows = [(START + timedelta(int(day)), START + timedelta(int(day) + lasting)) for day in days]
    return pl.DataFrame(rows, schema=["valid_from", "valid_to"], orient="row").with_columns(**more)


def lifted(days, series=8, seed=0):
    """Noise around a level of its own; twice as much while a promotion runs."""
    rng = np.random.default_rng(seed)
    running = np.isin(np.arange(DAYS), [*days, *(day + 1 for day in days)])
    level = rng.uniform(5, 50, (series, 1))
    return table_of(*(level * (1 + running) * (1 + 0.1 * rng.normal(size=(series, DAYS)))))


def test_a_plan_lifts_what_is_foretold_and_without_it_nobody_sees_it_coming():
    past = np.sort(np.random.default_rng(1).choice(np.arange(0, DAYS - 2, 3), 24, replace=False))
    table, horizon = lifted(past), 7
    small = SeriesNetworkSettings(dim=16, epochs=10, window=28, learning_rate=0.01)
    trainer = Trainer("gru-attention", small, horizon, SMALL.levels, 0, torch.device("cpu"))
    said = []
    for plan in (plan_of([*past, DAYS + 3]), None):
        known = replace(table, ahead=known_ahead(table, horizon, promotions=plan)[0])
        said.append(trainer.forecast(trainer.fit(known, 10), known)[..., 1])
    seen, unseen = said
    coming, other = [3, 4], [0, 1, 2, 5, 6]
    assert seen[:, coming].mean() > 1.6 * seen[:, other].mean()
    assert unseen[:, coming].mean() < 1.2 * unseen[:, other].mean()


def test_a_plan_by_hand():
    table = table_of([1.0] * 10, [2.0] * 10)
    rows = {"series_id": ["s1", "s1"], "off": [0.5, None], "name": ["spring", "summer"]}
    plan = plan_of([2, 11], lasting=2).with_columns(pl.Series(name, cells) for name, cells in rows.items())
    plan = plan.with_columns(valid_from=pl.col("valid_from") + pl.duration(hours=12))
    ahead, notes = known_ahead(table, 4, promotions=plan)
    told = ahead.of(np.array([0, 1]), np.array([10, 10]), np.tile(np.arange(14), (2, 1)))
    assert not told[0].any() and told.shape == (2, 14, 2)  # the other series has none
    np.testing.assert_allclose(told[1, :, 0], [0, 0, 0.5, 1, 0, 0, 0, 0, 0, 0, 0, 0.5, 1, 0])
    np.testing.assert_allclose(told[1, 2:4, 1], np.array([0.5, 1]) * np.log1p(0.5))
    assert not told[1, 4:, 1].any() and "name" in notes[0]


def test_what_becomes_known_later_changes_no_window_before():
    """Editing rows, past and future, that are known from day 60 on."""
    table = lifted([10, 30])
    early = plan_of([10, 30, 62, 90], known_at=pl.lit(START), off=pl.lit(1))
    known = pl.lit(START + timedelta(60))
    late = [plan_of(days, known_at=known, off=pl.lit(off)) for days, off in (([45, 66], 3), ([50], 9))]
    batches = []
    for more in late:
        ahead, _ = known_ahead(table, 7, promotions=pl.concat([early, more]))
        windows = Windows(replace(table, ahead=ahead), 28, 7, False)
        ends = np.array([59, 60])
        batches.append(windows.batch(np.array([0, 0]), ends)[0])
    for name in ("past_BLF", "asked_BHG"):
        first, second = (getattr(batch, name) for batch in batches)
        assert first[0].equal(second[0])
    assert not batches[0].past_BLF[1].equal(batches[1].past_BLF[1])  # on day 60 it is known


def test_holidays_are_the_countrys_in_local_days():
    pytest.importorskip("holidays")
    days = np.arange(MONDAY, MONDAY + 3)  # from new year's day of 2024
    told = holidays_of("DE", Every.parse("1d", "Europe/Berlin"), days)
    assert told.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    weeks = Every.parse("1w")
    week = weeks.numbers(pl.Series([START]).dt.replace_time_zone("UTC").dt.cast_time_unit("us"))
    assert holidays_of("DE", weeks, week)[0, 0] == pytest.approx(1 / 7)
    epiphany = np.array([MONDAY + 5])
    assert (
        holidays_of("DE-BY", Every.parse("1d"), epiphany)[0, 0]
        == 1
        != holidays_of("DE", Every.parse("1d"), epiphany)[0, 0]
    )
    with pytest.raises(DataError, match="no region"):
        holidays_of("DE-XX", Every.parse("1d"), days)


def test_nothing_given_is_nothing_known():
    assert known_ahead(table_of([1.0] * 9), 3) == (None, [])


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (plan_of([3, 4]), r"hold at the same time: row 1 .* row 2"),
        (plan_of([3], lasting=-1), "end before they begin"),
        (plan_of([3]).rename({"valid_from": "start"}), "no column valid_from"),
        (plan_of([3]).with_columns(valid_from=pl.lit("soon")), "row 1"),
        (plan_of([]), "no row"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_its_rows(plan, said):
    with pytest.raises(DataError, match=said):
        known_ahead(table_of([1.0] * 9), 3, promotions=plan)


def test_a_plan_of_nobody_is_told_and_one_for_lines_alone_refused():
    plan = plan_of([3]).with_columns(item_id=pl.lit("elsewhere"))
    ahead, notes = known_ahead(table_of([1.0] * 9), 3, promotions=plan)
    assert "elsewhere" in notes[0] and not ahead.of(np.array([0]), np.array([9]), np.arange(9)[None]).any()
    with pytest.raises(RecipeError, match="no effect"):
        forecast_table(lifted([3]), 7, "seasonal-naive", SMALL, promotions=plan)
