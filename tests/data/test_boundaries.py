"""Boundaries: shares met as nearly as equal times allow, dates, durations, and rows of unknown time."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from tests.data.raw_logs import BASE, DAY, raw

from horae.data.boundaries import (
    as_text,
    boundary_before,
    duration_of,
    in_words,
    known_times,
    parts_by_time,
    share_boundary,
)
from horae.data.clean import clean
from horae.errors import DataError, RecipeError


def at(*days):
    return np.array([(BASE + day * DAY) * 1_000_000 for day in days], dtype=np.int64)


@pytest.mark.parametrize(
    "times,wanted,boundary",
    [
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 1, 10),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 3, 8),
        ([1, 2, 2, 2, 3, 3], 3, 3),  # 2 rather than 5 of them
        ([1, 2, 2, 2, 3, 3], 4, 2),  # 5 rather than 2 of them
        ([1, 1, 1, 1, 2], 4, 2),  # all but the first time is all that can be had
        ([1, 2], 0, 2),
        ([3, 3, 3], 1, None),
        ([], 1, None),
    ],
)
def test_a_share_is_met_as_nearly_as_the_times_allow(times, wanted, boundary):
    assert share_boundary(np.array(times, dtype=np.int64), wanted) == boundary


@pytest.mark.parametrize(
    "wish,day",
    [
        (0.2, 8),
        ("0.2", 8),
        ("2d", 7),
        ("48h", 7),
        (" 1w ", 2),
        (timedelta(days=3), 6),
        (date(2020, 9, 18), 5),
        ("2020-09-18", 5),
        ("2020-09-18T02:00:00+02:00", 5),
        (datetime(2020, 9, 18), 5),
    ],
)
def test_a_boundary_may_be_a_share_a_time_or_a_duration(wish, day):
    assert boundary_before(at(*range(10)), wish, "test") == at(day)[0]  # 2020-09-13 is day 0


def test_the_next_boundary_is_counted_back_from_the_one_before():
    times = at(*range(10))
    assert boundary_before(times, "2d", "validation", before=int(at(7)[0])) == at(5)[0]
    assert boundary_before(times, 0.2, "validation", before=int(at(8)[0])) == at(6)[0]


@pytest.mark.parametrize("wish", [0, 1.0, -0.1, 1, "100d", "2030-01-01", "2020-09-13", "0d", timedelta(0)])
def test_an_empty_part_is_an_error(wish):
    times = at(*range(10))
    if wish in ("0d", timedelta(0)):  # the last time alone stands at or after itself
        assert boundary_before(times, wish, "test") == times[-1]
        return
    with pytest.raises(DataError, match="test = "):
        boundary_before(times, wish, "test")


def test_what_is_no_boundary_is_an_error():
    with pytest.raises(DataError, match="'soon'"):
        boundary_before(at(1, 2), "soon", "test")
    with pytest.raises(RecipeError, match="2020-99-99"):
        boundary_before(at(1, 2), "2020-99-99", "test")


def test_boundaries_are_written_as_iso_times():
    assert as_text(int(at(0)[0])) == datetime.fromtimestamp(BASE, UTC).isoformat()


def test_a_log_without_times_names_the_other_splits():
    with pytest.raises(DataError) as caught:
        known_times(clean(raw(user_id=[1], item_id=[1])))
    assert "leave-one-out" in caught.value.hint and "column" in caught.value.hint


def test_rows_of_unknown_time_take_the_part_of_their_neighbours_where_these_agree():
    times = [None, 1, None, 2, None, 6, None, 8, None]
    log = raw(user_id=[1] * 9, item_id=list("abcdefghi"), timestamp=[t and BASE + t * DAY for t in times])
    edges = [int(at(5)[0]), int(at(7)[0])]
    # before 1: train; between 1 and 2: train; 2 and 6: unknown; 6 and 8: unknown; after 8: test
    assert parts_by_time(clean(log).frame, edges).tolist() == [0, 0, 0, 0, 3, 1, 3, 2, 2]


def test_times_that_contradict_the_line_belong_nowhere():
    log = raw(user_id=[1] * 4, item_id=list("abcd"), timestamp=[BASE, BASE + 9 * DAY, BASE + DAY, None])
    assert parts_by_time(clean(log).frame, [int(at(5)[0])]).tolist() == [0, 3, 3, 1]


def test_a_duration_longer_than_any_log_is_an_empty_part():
    with pytest.raises(DataError, match="empty part"):
        boundary_before(at(*range(10)), "99999999999999d", "test")


def test_a_log_of_one_time_is_told_to_split_by_order():
    with pytest.raises(DataError, match="leave-one-out"):
        boundary_before(at(1, 1, 1), 0.1, "test")


@pytest.mark.parametrize(
    ("text", "seconds"), [("7d", 604_800), (" 12h ", 43_200), ("1.5 h", 5_400), ("2w", 1_209_600), ("90min", 5_400)]
)
def test_lengths_of_time_are_read(text, seconds):
    assert duration_of(text, "window") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["7", "7 days", "d", "0d", "2024-01-01", "1mo", "-3d", ""])
def test_what_is_no_length_of_time_names_the_units(text):
    with pytest.raises(DataError, match="window = ") as refused:
        duration_of(text, "window")
    assert "7d" in refused.value.hint


def test_lengths_are_told_in_their_largest_unit():
    told = {"7d": "7 days", "1d": "1 day", "36h": "1.5 days", "90min": "1.5 hours", "30s": "30 seconds"}
    assert {text: in_words(duration_of(text, "")) for text in told} == told
