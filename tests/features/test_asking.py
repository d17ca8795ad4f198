from datetime import UTC, date, datetime

import polars as pl
import pytest

from horae.errors import DataError, RecipeError
from horae.features.asking import AtEvents, AtTimes, asked
from horae.features.compute import compute_features
from horae.features.settings import FeatureSettings
from tests.logs import events_of

DAY = 86_400
LOG = events_of([("u", "i", 1.5 * DAY), ("v", "i", 3 * DAY), ("v", "j", 4.2 * DAY)])


def days(at) -> list[float]:
    times = asked(at, LOG, "user_id")
    assert isinstance(times, AtTimes)
    return [time / 1e6 / DAY for time in times.times]


def test_a_grid_stands_on_whole_steps_until_it_has_seen_everything():
    assert days("1d") == [2, 3, 4, 5]
    assert days("1w") == [4, 11]  # Mondays: 1970-01-05, 1970-01-12
    assert asked("events", LOG, "user_id") == AtEvents()


def test_times_are_dates_or_moments_utc_where_they_name_no_zone():
    assert days("1970-01-03") == days(date(1970, 1, 3)) == days(datetime(1970, 1, 3)) == [2]
    assert days("1970-01-03T12:00:00+12:00") == days(datetime(1970, 1, 3, tzinfo=UTC)) == [2]


def test_a_key_has_rows_from_the_first_time_that_has_something_past():
    frame = compute_features(LOG, at="1d", settings=FeatureSettings(groups=["recency"]))
    stood = [(row["user_id"], row["timestamp"].day, row["recency_seconds"] / DAY) for row in frame.to_dicts()]
    assert [(who, day) for who, day, _ in stood] == [*(("u", d) for d in (3, 4, 5, 6)), ("v", 5), ("v", 6)]
    assert [since for *_, since in stood] == pytest.approx([0.5, 1.5, 2.5, 3.5, 1, 0.8])


@pytest.mark.parametrize(
    ("at", "error", "said"),
    [
        ("1970-01-02", DataError, "Nothing is known as of 1970-01-02.*first event is at 1970-01-02 12:00"),
        ("-1d", RecipeError, "negative"),
        ("tomorrow", RecipeError, "not a date or time"),
        ("0.0000001s", RecipeError, "not possible"),
        ("0.01s", DataError, "more than 1,000,000"),
    ],
)
def test_times_that_make_no_sense_are_refused(at: str, error: type[Exception], said: str):
    with pytest.raises(error, match=said) as refused:
        asked(at, LOG, "user_id")
    assert refused.value.hint


def test_a_log_without_times_has_no_time_to_ask_at():
    with pytest.raises(DataError, match="no times, so nothing is known as of a time"):
        asked("1d", events_of([("u", "i", None)]), "user_id")


def requests(**columns) -> pl.DataFrame:
    return pl.DataFrame(columns).with_columns(pl.from_epoch(pl.col("timestamp")))


def test_requests_are_answered_in_their_order_also_for_keys_nobody_has_seen():
    table = requests(user_id=["v", "new", "u", "v", "u"], timestamp=[int(n * DAY) for n in (4, 4, 4, 5, 1.5)])
    frame = compute_features(LOG, at=table, settings=FeatureSettings(windows=["7d"]))
    assert frame["user_id"].to_list() == ["v", "new", "u", "v", "u"]
    assert frame["count_7d"].to_list() == [1, 0, 1, 2, 0]
    assert frame["recency_seconds"].to_list() == pytest.approx([DAY, None, 2.5 * DAY, 0.8 * DAY, None])
    grid = compute_features(LOG, at="1d", settings=FeatureSettings(windows=["7d"]))
    asked_there = compute_features(
        LOG, at=grid.select("user_id", "timestamp"), settings=FeatureSettings(windows=["7d"])
    )
    assert asked_there.equals(grid)


def test_a_newcomer_has_a_circle_and_rows_of_tables():
    table = requests(user_id=["new", "u"], timestamp=[4 * DAY] * 2)
    friends = pl.DataFrame({"user_id": ["new"], "other_id": ["v"], "valid_from": [None]})
    plans = pl.DataFrame({"user_id": ["new"], "plan": ["trial"], "valid_from": [None]})
    frame = compute_features(
        LOG, at=table, relations=friends, tables={"plans": plans}, settings=FeatureSettings(windows=["7d"])
    )
    assert frame.select("circle_size", "circle_count_7d", "plan").rows() == [(1, 1, "trial"), (0, 0, None)]


def test_the_whole_log_is_asked_by_times_alone():
    frame = compute_features(
        LOG, "all", at=requests(timestamp=[5 * DAY, 2 * DAY]), settings=FeatureSettings(windows=["all"])
    )
    assert frame["count_all"].to_list() == [3, 1]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pl.DataFrame({"who": ["u"], "timestamp": [100_000]}), "no column user_id; it has who"),
        (pl.DataFrame({"user_id": ["u"]}), "no column timestamp"),
        (pl.DataFrame({"user_id": ["u", None], "timestamp": ["2024-01-01"] * 2}), "row 2 has no user_id"),
        (pl.DataFrame({"user_id": ["u"], "timestamp": ["soon"]}), "row 1 has 'soon' for a time"),
        (pl.DataFrame({"user_id": [], "timestamp": []}), "no rows"),
    ],
)
def test_requests_that_cannot_be_read_are_refused(table: pl.DataFrame, said: str):
    with pytest.raises(DataError, match=said) as refused:
        compute_features(LOG, at=table)
    assert refused.value.hint
