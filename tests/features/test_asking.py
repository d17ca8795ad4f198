from datetime import UTC, date, datetime

import pytest

from horae.errors import DataError, RecipeError
from horae.features.asking import asked_times
from horae.features.compute import compute_features
from tests.logs import events_of

DAY = 86_400
LOG = events_of([("u", "i", 1.5 * DAY), ("v", "i", 3 * DAY), ("v", "j", 4.2 * DAY)])


def days(at) -> list[float]:
    return [time / 1e6 / DAY for time in asked_times(at, LOG)]


def test_a_grid_stands_on_whole_steps_until_it_has_seen_everything():
    assert days("1d") == [2, 3, 4, 5]
    assert days("1w") == [4, 11]  # Mondays: 1970-01-05, 1970-01-12
    assert asked_times("events", LOG) is None


def test_times_are_dates_or_moments_utc_where_they_name_no_zone():
    assert days("1970-01-03") == days(date(1970, 1, 3)) == days(datetime(1970, 1, 3)) == [2]
    assert days("1970-01-03T12:00:00+12:00") == days(datetime(1970, 1, 3, tzinfo=UTC)) == [2]


def test_a_key_has_rows_from_the_first_time_that_has_something_past():
    frame = compute_features(LOG, at="1d", groups=["recency"])
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
        asked_times(at, LOG)
    assert refused.value.hint


def test_a_log_without_times_has_no_time_to_ask_at():
    with pytest.raises(DataError, match="no times, so nothing is known as of a time"):
        asked_times("1d", events_of([("u", "i", None)]))
