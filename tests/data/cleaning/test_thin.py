"""Rows leave only where the caller says so, and the report says how many."""

import polars as pl
import pytest
from tests.data.raw_logs import BASE, DAY, raw, steps_of

from horae.data.clean import clean
from horae.data.cleaning.thin import busiest_days
from horae.data.settings import DataSettings
from horae.errors import DataError


def test_a_span_given_by_the_caller_drops_what_is_outside():
    log = raw(user_id=[1] * 4, item_id=[1, 2, 3, 4], timestamp=[BASE, BASE + DAY, BASE + 2 * DAY, BASE + 3 * DAY])
    events = clean(log, settings=DataSettings(earliest="2020-09-14", latest="2020-09-15"))
    assert events.frame["item_id"].to_list() == [2, 3]
    assert steps_of(events)["unwanted_times"].rows == 2


def test_of_repeats_the_first_or_the_last_of_each_run_stays():
    seconds = [0, 5, 9, 30, 31]
    log = raw(user_id=[1] * 5, item_id=["x"] * 5, behavior=["view"] * 5, timestamp=[BASE + s for s in seconds])

    def kept(policy, window):
        settings = DataSettings(repeats=policy, repeat_window_seconds=window)
        return [int(t.timestamp()) - BASE for t in clean(log, settings=settings).frame["timestamp"]]

    assert kept("first", 5.0) == [0, 30]
    assert kept("last", 5.0) == [9, 31]
    assert kept("first", 4.0) == [0, 5, 30]


def test_repeats_are_of_one_user_item_and_behavior():
    log = raw(
        user_id=[1, 1, 1, 2],
        item_id=["x", "y", "x", "x"],
        behavior=["view", "view", "cart", "view"],
        timestamp=[BASE, BASE + 1, BASE + 2, BASE + 3],
    )
    assert len(clean(log, settings=DataSettings(repeats="first", repeat_window_seconds=60.0))) == 4


def test_repeats_without_times_are_off_and_told():
    log = raw(user_id=[1, 1], item_id=["x", "x"], position=[0, 1])
    events = clean(log, settings=DataSettings(repeats="first"))
    assert len(events) == 2 and "off" in steps_of(events)["repeats"].message


def robot_log():
    return raw(
        user_id=["bot"] * 50 + ["eve"] * 50,
        item_id=list(range(100)),
        timestamp=[BASE + i for i in range(50)] + [BASE + i * DAY for i in range(50)],
    )


def test_robots_are_told_by_default_and_dropped_on_demand():
    events = clean(robot_log(), settings=DataSettings(robots_per_day=40))
    step = steps_of(events)["robots"]
    assert (len(events), step.kind, step.rows) == (100, "warning", 50)
    assert step.examples == ("user bot: 50 events on one day",)
    left = clean(robot_log(), settings=DataSettings(robots_per_day=40, robots="drop"))
    assert left.frame["user_id"].unique().to_list() == ["eve"]


def test_the_busiest_day_is_a_day_of_known_times():
    log = raw(
        user_id=[1, 1, 1, 2, 2, 2, 3],
        item_id=[1] * 7,
        timestamp=[BASE, BASE + 5, BASE + DAY, None, None, BASE, None],
        position=list(range(7)),
    )
    users, most = busiest_days(clean(log).frame)
    assert users.to_list() == [1, 2, 3] and most.tolist() == [2, 1, 0]


def test_users_with_short_histories_leave_on_demand():
    log = raw(user_id=[1, 2, 2, 3, 3, 3], item_id=list("abcabc"), timestamp=[BASE + i for i in range(6)])
    events = clean(log, settings=DataSettings(min_history=3))
    assert events.frame["user_id"].to_list() == [3, 3, 3]
    assert steps_of(events)["min_history"].rows == 3


def test_the_core_is_taken_until_nothing_changes():
    # user 3 falls (one event), so item c falls (one left), so user 2 falls, so b falls to one: nothing but 1 and 4 on a
    log = raw(
        user_id=[1, 1, 4, 4, 2, 2, 3],
        item_id=["a", "d", "a", "d", "a", "c", "c"],
        timestamp=[BASE + i for i in range(7)],
    )
    events = clean(log, settings=DataSettings(min_user_events=2, min_item_events=2))
    left = events.frame
    assert sorted(zip(left["user_id"], left["item_id"], strict=True)) == [(1, "a"), (1, "d"), (4, "a"), (4, "d")]
    assert steps_of(events)["core"].rows == 3
    counts = left["item_id"].value_counts()["count"].to_list() + left["user_id"].value_counts()["count"].to_list()
    assert min(counts) >= 2


def test_nothing_left_is_an_error_that_says_where_it_went():
    log = raw(user_id=[1, 2], item_id=[1, 2], timestamp=[BASE, BASE])
    with pytest.raises(DataError, match=r"no event is left of 2 rows read\. core: 2"):
        clean(log, settings=DataSettings(min_item_events=2))


def test_a_log_without_items_has_a_core_of_users():
    log = raw(user_id=[1, 2, 2], timestamp=[BASE, BASE, BASE + 1], value=[1.0, 2.0, 3.0])
    assert clean(log, settings=DataSettings(min_user_events=2)).frame["user_id"].to_list() == [2, 2]


def test_by_default_nothing_is_dropped():
    assert clean(robot_log().with_columns(pl.lit("view").alias("behavior"))).report.rows_kept == 100
