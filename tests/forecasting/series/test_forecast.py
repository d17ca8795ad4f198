import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from tests.forecasting.series.lines import table_of, weekly
from tests.logs import events_of

import horae
from horae.errors import DataError, NotTrainedError, RecipeError
from horae.forecasting.series.every import Every
from horae.forecasting.series.forecast import forecast_series, forecast_table
from horae.forecasting.series.settings import SeriesNetworkSettings, SeriesSettings
from horae.forecasting.series.table import SeriesTable

TINY = SeriesNetworkSettings(dim=8, epochs=3, windows_per_epoch=128, batch_size=32, window=21)
QUICK = SeriesSettings(network=TINY, classic_series=0, bootstrap=200)
START = 1_704_067_200


def shop(users: int = 8, days: int = 90, seed: int = 0):
    """Everybody comes on most days, twice on Saturdays; values are the user's own."""
    rng = np.random.default_rng(seed)
    rows = []
    for day in range(days):
        for user in range(users):
            for _ in range(rng.binomial(3, 0.9 if day % 7 == 5 else 0.4)):
                seconds = START + day * 86_400 + int(rng.integers(80_000))
                rows.append((f"u{user}", f"i{rng.integers(5)}", seconds, "view", 10.0 * (user + 1)))
    return events_of(rows)


@pytest.fixture(scope="module")
def found():
    return forecast_table(weekly(12, 140), 14, settings=QUICK, seed=1)


def test_auto_takes_what_is_best_on_validation_and_says_so(found):
    best = min(found.validation, key=lambda name: found.validation[name]["mase"])
    assert found.model == best and found.chosen.startswith(f"{best} has the least error on the validation part")
    others = {"lstm", "gru-attention", "convolution", "transformer"} - {found.model}
    assert {name for name in others if found.opponents[name] is not None} <= set()
    assert all("ahead of it" in found.reasons[name] for name in others if name in found.reasons)
    assert {"seasonal-naive", "moving-average", "drift", "last-value"} <= {found.model, *found.against}


def test_the_next_values_stand_bin_by_bin_within_their_bounds(found):
    frame = found.frame
    assert frame.columns == ["key", "timestamp", "value", "low", "high"] and frame.height == 12 * 14
    assert (frame["low"] <= frame["value"]).all() and (frame["value"] <= frame["high"]).all()
    first = frame.filter(pl.col("key") == "s0")["timestamp"]
    assert first[0] == datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=140)
    assert first.diff().drop_nulls().unique().to_list() == [timedelta(days=1)]


def test_the_document_is_plain_json_and_has_errors_by_step_of_everybody(found):
    document = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    for one in (document["metrics"], *(one for one in document["opponents"].values() if one)):
        for name in ("mae", "mse", "rmse", "mase"):
            assert one[name] > 0 and len(one["by_horizon"][name]) == 14
    assert document["against"]["seasonal-naive"]["mase"]["difference"] < 0
    assert document["horizon"] == 14 and len(document["origins"]) == 3


def test_a_network_is_ahead_of_seasonal_naive_where_weeks_are_noisy(found):
    assert found.metrics["mase"] < 0.9 * found.opponents["seasonal-naive"]["mase"]
    assert 0.6 < found.metrics["coverage"] < 0.97


def test_the_same_seed_gives_the_same_answer():
    first, again = (forecast_table(weekly(4, 90), 7, "lstm", QUICK, seed=1) for _ in range(2))
    assert again.frame.equals(first.frame) and again.metrics == first.metrics


def test_editing_events_at_or_after_a_time_changes_nothing_said_as_of_it():
    moment = datetime(2024, 3, 10, 12, tzinfo=UTC)
    events = shop()
    later = pl.col("timestamp") >= moment
    shifted = events.frame.with_columns(
        timestamp=pl.when(later).then(pl.col("timestamp") + timedelta(hours=5)).otherwise("timestamp"),
        value=pl.when(later).then(1e6).otherwise("value"),
        user_id=pl.when(later).then(pl.lit("u0")).otherwise("user_id"),
    )
    edited = horae.Events(shifted.filter(~later | (pl.col("event_order") % 2 == 0)))
    asked = {"by": "user", "of": "sum", "horizon": 7, "model": "lstm", "at": moment, "settings": QUICK}
    assert forecast_series(events, **asked).frame.equals(forecast_series(edited, **asked).frame)


def test_a_log_goes_from_a_frame_to_the_next_values():
    frame = (
        shop()
        .frame.select("user_id", "behavior", "timestamp", "value")
        .with_columns(pl.col("behavior").cast(pl.String))
    )
    found = forecast_series(frame, by="user", of="sum", horizon=7, model="seasonal-naive", settings=QUICK)
    assert found.model == "seasonal-naive" and found.frame["key"].n_unique() == 8
    assert found.frame.schema["timestamp"] == pl.Datetime("us", "UTC")


def test_a_ready_table_goes_the_same_way():
    dates = [datetime(2024, 1, 1) + timedelta(days=n) for n in range(70)]
    frame = pl.DataFrame({"unique_id": ["a"] * 70, "ds": dates, "y": np.arange(70) % 7})
    found = forecast_series(frame, horizon=7, settings=QUICK)
    assert found.frame["value"].to_list() == pytest.approx([0, 1, 2, 3, 4, 5, 6], abs=1.5)
    with pytest.raises(DataError, match="holds series"):
        forecast_series(frame, by="user")


def test_days_of_a_zone_with_a_clock_change_in_the_future():
    """2024-03-31 has 23 hours in Berlin."""
    frame = pl.DataFrame(
        {"ds": [datetime(2024, 1, 1) + timedelta(days=n) for n in range(88)], "y": np.arange(88) % 7.0}
    )
    settings = SeriesSettings(timezone="Europe/Berlin", classic_series=0)
    found = forecast_series(frame, horizon=7, model="seasonal-naive", settings=settings)
    assert [f"{moment:%d %H:%M %z}" for moment in found.frame["timestamp"][2:5]] == [
        "31 00:00 +0100", "01 00:00 +0200", "02 00:00 +0200",
    ]  # fmt: skip


def test_a_horizon_longer_than_the_history_is_refused_with_what_to_do():
    with pytest.raises(DataError, match="longer than the history") as refused:
        forecast_table(weekly(3, 20), 28, settings=QUICK)
    assert "--horizon 6" in refused.value.hint


def test_a_history_that_is_too_short_to_choose_leaves_seasonal_naive():
    found = forecast_table(weekly(3, 25), 14, settings=QUICK)
    assert found.model == "seasonal-naive" and "no room for a validation part" in found.chosen
    assert found.opponents["lstm"] is None and "too short" in found.reasons["lstm"]
    with pytest.raises(NotTrainedError, match="too few"):
        forecast_table(weekly(3, 25), 14, "lstm", settings=QUICK)


def test_weeks_without_a_whole_year_have_no_season_unless_asked_for():
    table = SeriesTable(weekly(3, 50).keys, weekly(3, 50).value_ST, 2800, Every.parse("1w"), 52)
    found = forecast_table(table, 4, "last-value", QUICK)
    assert found.table.season == 1 and "no season of 52 bins" in " ".join(found.notes)
    asked = SeriesSettings(season=52, classic_series=0)
    assert forecast_table(table, 4, "last-value", asked).table.season == 52


def test_a_gap_over_the_whole_validation_part_leaves_seasonal_naive():
    value = weekly(3, 90).value_ST.copy()
    value[:, 30:83] = np.nan
    found = forecast_table(table_of(*value), 7, settings=QUICK)
    assert found.model == "seasonal-naive" and "Nothing is known of the validation part" in found.chosen
    assert np.isfinite(found.frame["value"].to_numpy()).all() and "Errors by step" in found.page().html()


def test_constant_series_are_forecast_as_they_are():
    found = forecast_table(table_of([5.0] * 80, [0.0] * 80), 7, settings=QUICK)
    assert found.frame["value"].to_list() == pytest.approx([5.0] * 7 + [0.0] * 7, abs=1e-3)
    assert found.metrics["mase"] < 0.01


def test_ets_and_arima_stand_beside_on_the_largest_series_and_may_be_asked_for():
    settings = SeriesSettings(network=TINY, classic_series=1, bootstrap=0, origins=1, validation_origins=1)
    asked = forecast_table(weekly(3, 70), 7, "ets", settings)
    assert asked.opponents["arima"]["series"] == 1 and asked.opponents["last-value"]["series"] == 3
    assert asked.metrics["series"] == 3 and asked.metrics["mase"] < asked.opponents["seasonal-naive"]["mase"]


def test_ets_and_arima_stand_beside_on_fewer_series_where_the_season_is_long():
    settings = SeriesSettings(classic_series=20)
    assert [settings.classic_beside(season) for season in (1, 7, 12, 24, 52)] == [20, 20, 20, 6, 20]
    assert SeriesSettings(classic_series=0).classic_beside(24) == 0


@pytest.mark.parametrize(
    ("asked", "match"), [({"model": "prophet"}, "no method 'prophet'"), ({"horizon": 0}, "horizon = 0")]
)
def test_impossible_questions_are_refused(asked, match):
    with pytest.raises(RecipeError, match=match):
        forecast_table(weekly(3, 80), **asked)


def test_the_page_shows_true_against_predicted_with_bounds(found, tmp_path):
    html = found.plot(tmp_path / "page.html").read_text()
    assert "What comes next" in html and found.chosen.split(":")[0] in html
    assert html.count('class="spec"') == 12 + 1  # a plot of each series, and errors by step
    assert '"fill":"tonexty"' in html
    assert "seasonal-naive" in str(found)
