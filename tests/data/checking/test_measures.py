"""Measures are what a hand counts on a small log."""

import numpy as np
import pytest
from tests.data.raw_logs import BASE, DAY, raw

from horae.data.checking import measures
from horae.data.checking.measures import Numbers
from horae.data.clean import clean
from horae.schema import Events


def log() -> Events:
    """Ten events: user a on x x y x, b on x z x z, c on x and, last, w."""
    users = ["a", "a", "a", "a", "b", "b", "b", "b", "c", "c"]
    items = ["x", "x", "y", "x", "x", "z", "x", "z", "x", "w"]
    hours = [0, 0, 1, 25, 0, 2, 2, 30, 3, 60]
    return clean(raw(user_id=users, item_id=items, timestamp=[BASE + 3600 * hour for hour in hours], n=range(10)))


def test_history_lengths_are_events_per_user():
    assert measures.history_lengths(log()).tolist() == [4, 4, 2]


def test_gaps_are_within_users():
    assert (measures.gap_seconds(log()) / 3600).tolist() == [0, 1, 24, 2, 0, 28, 57]


def test_gaps_skip_unknown_times_and_are_never_negative():
    events = clean(raw(user_id=[1] * 4, item_id=list("abcd"), timestamp=[BASE + 9, BASE, None, BASE + 5]))
    assert measures.gap_seconds(events).tolist() == [0]


def test_ties_are_events_at_the_time_of_the_one_before():
    assert measures.ties_share(log()) == 0.2


def test_unknown_times_are_no_ties():
    events = clean(raw(user_id=[1] * 4, item_id=list("abcd"), timestamp=[None, None, BASE, BASE]))
    assert measures.ties_share(events) == 0.5


def test_repeats_are_events_on_an_item_had_before():
    assert measures.repeat_share(log()) == 0.4


def test_popularity_is_counted_and_sorted():
    counts = measures.popularity(log())
    assert counts.tolist() == [6, 2, 1, 1]
    assert measures.top_share(counts, 0.01) == 0.6 and measures.top_share(counts, 0.5) == 0.8


def test_gini_is_the_mean_difference_over_twice_the_mean():
    counts = np.array([6, 2, 1, 1])
    by_definition = np.abs(counts[:, None] - counts[None, :]).mean() / (2 * counts.mean())
    assert measures.gini(counts) == pytest.approx(by_definition)
    assert measures.gini(np.array([5, 5, 5])) == 0


def test_cold_shares_look_at_the_newest_events():
    # the newest 30%: a on x at 25 h, b on z at 30 h, c on w at 60 h; only w is new
    assert measures.cold_shares(log(), 0.3) == (0, pytest.approx(1 / 3))
    events = clean(raw(user_id=[1, 1, 2, 3], item_id=list("aaba"), timestamp=[BASE, BASE + 1, BASE + 2, BASE + 3]))
    assert measures.cold_shares(events, 0.5) == (1.0, 0.5)


def test_late_users_are_those_with_a_new_target():
    assert measures.late_users(log(), 0.3) == 3
    assert measures.late_users(clean(raw(user_id=[1], item_id=[1]))) is None


def test_hours_and_weekdays_are_utc_with_monday_first():
    events = clean(raw(user_id=[1, 1], item_id=[1, 2], timestamp=[BASE + 3600 * 5, BASE + DAY]))
    assert np.flatnonzero(measures.hour_profile(events)).tolist() == [0, 5]
    assert np.flatnonzero(measures.weekday_profile(events)).tolist() == [0, 6]  # 2020-09-13 was a Sunday


def test_resolution_and_midnights():
    assert measures.resolution(log()) == "hour"
    assert measures.midnight_share(log()) == pytest.approx(0.3)
    assert measures.resolution(clean(raw(user_id=[1], item_id=[1]))) is None


def test_the_most_frequent_time_is_found():
    assert measures.peak_share(log()) == pytest.approx(0.3)


def test_measures_of_a_log_without_items_or_times():
    events = clean(raw(user_id=[1, 1, 2], value=[1.0, 2.0, 3.0]))
    assert measures.repeat_share(events) == 0 and len(measures.popularity(events)) == 0
    assert measures.cold_shares(events) is None and measures.peak_share(events) == 0
    assert measures.ties_share(events) == 0 and measures.midnight_share(events) == 0


def test_numbers_are_made_once():
    numbers = Numbers.of(log())
    assert Numbers.of(numbers) is numbers
