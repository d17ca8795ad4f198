"""Splits partition the rows, validation stands before test, and facts are what a hand counts."""

import json
from datetime import timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.data.raw_logs import BASE, DAY, raw

from horae.data.clean import clean
from horae.data.settings import DataSettings
from horae.data.split import PARTS, split_by_column, split_by_time, split_leave_one_out, split_rolling
from horae.errors import DataError
from horae.schema import Events

RANK = {"train": 0, "validation": 1, "test": 2}

logs = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from("abcde"),
        st.one_of(st.none(), st.integers(0, 30)),
        st.sampled_from(["view", "cancel"]),
    ),
    min_size=6,
    max_size=60,
)


def log_of(rows) -> Events:
    """Events of (user, item, day, behavior) rows."""
    users, items, days, behaviors = zip(*rows, strict=True)
    times = [None if day is None else BASE + day * DAY for day in days]
    return clean(
        raw(user_id=users, item_id=items, timestamp=times, behavior=behaviors), settings=DataSettings(duplicates="keep")
    )


def attempt(split, *args):
    """The split, or no example where the log is too small for it."""
    try:
        return split(*args)
    except DataError:
        assume(False)


def ten_days() -> Events:
    """Two users alternate over ten days; the last item, and in test one user's, is new."""
    return log_of([(1 + i % 2, "abcabcabcz"[i], i, "view") for i in range(10)])


def parts(split) -> list[str]:
    return split.part.to_list()


def test_a_time_split_puts_a_tenth_last_and_a_tenth_before_it():
    split = split_by_time(ten_days())
    frame = split.events.frame.with_columns(split.part)
    by_time = frame.sort("timestamp")["part"].to_list()
    assert by_time == ["train"] * 8 + ["validation", "test"]
    assert split.boundary == "2020-09-22T00:00:00+00:00" and split.validation_boundary == "2020-09-21T00:00:00+00:00"
    assert (len(split.fit), len(split.train), len(split.validation), len(split.test)) == (8, 9, 1, 1)


def test_equal_times_fall_into_the_later_part():
    events = log_of([(user, "ab"[day % 2], day, "view") for user in (0, 1) for day in range(10)])
    split = split_by_time(events, test="2020-09-20", validation="2d")
    assert split.test.frame["timestamp"].dt.day().unique().to_list() == [20, 21, 22]
    assert split.facts["events"] == {"train": 10, "validation": 4, "test": 6, "unused": 0}


def test_facts_are_what_a_hand_counts():
    rows = [
        (1, "a", 0, "view"),
        (1, "b", 1, "view"),
        (2, "a", 2, "view"),
        (2, "b", 8, "view"),  # validation
        (2, "a", 9, "view"),  # test
        (2, "x", 9, "view"),  # test: a new item, tied
        (3, "a", 9, "view"),  # test: a new user
        (3, "b", 9, "cancel"),  # test, no target
    ]
    split = split_by_time(log_of(rows), test="2020-09-22", validation="1d")
    assert split.facts == {
        "events": {"train": 3, "validation": 1, "test": 4, "unused": 0},
        "users": {"train": 2, "validation": 1, "test": 2, "unused": 0},
        "targets": {"validation": 1, "test": 3},
        "cold_users": 1,
        "cold_items": 1,
        "cold_user_share": pytest.approx(1 / 3),
        "share_lost": pytest.approx(1 / 3),
        "ties_share": pytest.approx(1 / 3),
    }
    assert json.loads(json.dumps(split.as_dict()))["kind"] == "time"
    assert "3 targets" in str(split) and "33.3% of its targets" in str(split)


def test_validation_can_be_left_out():
    split = split_by_time(ten_days(), test=0.2, validation=0)
    assert len(split.validation) == 0 and len(split.train) == len(split.fit) == 8 and split.validation_boundary == ""


@pytest.mark.parametrize(
    "rows", [[(1, "a", 0, "view")], [(1, "a", 5, "view")] * 9, [(1, "a", 0, "view"), (1, "b", 1, "view")]]
)
def test_too_few_events_for_a_time_split_are_an_error(rows):
    with pytest.raises(DataError):
        split_by_time(log_of(rows))


def test_a_test_part_without_targets_is_an_error():
    events = log_of([(1, "a", 0, "view"), (1, "b", 1, "view"), (1, "c", 2, "cancel")])
    with pytest.raises(DataError, match="may be a target"):
        split_by_time(events)


@given(logs)
@settings(max_examples=40, deadline=None)
def test_a_time_split_never_puts_test_before_train(rows):
    split = attempt(split_by_time, log_of(rows), 0.2, 0.2)
    frame = split.events.frame.with_columns(split.part, pl.int_range(pl.len()).alias("row"))
    times = {name: frame.filter(pl.col("part") == name)["timestamp"].drop_nulls() for name in RANK}
    known = [part for part in times.values() if len(part)]
    assert all(earlier.max() < later.min() for earlier, later in pairwise(known))
    for _, line in frame.filter(pl.col("part") != "unused").group_by("user_id", maintain_order=True):
        ranks = [RANK[part] for part in line["part"]]
        assert ranks == sorted(ranks)


@given(logs, st.sampled_from(["time", "leave-one-out", "shuffled", "rolling"]))
@settings(max_examples=40, deadline=None)
def test_parts_partition_the_rows(rows, kind):
    events = log_of(rows)
    split = {
        "time": lambda: attempt(split_by_time, events),
        "leave-one-out": lambda: attempt(split_leave_one_out, events),
        "shuffled": lambda: attempt(split_leave_one_out, events, "shuffled", 3),
        "rolling": lambda: attempt(split_rolling, events, 2, "3d")[0],
    }[kind]()
    assert len(split.part) == len(split.events) and split.part.null_count() == 0
    assert split.part.dtype == pl.Enum(PARTS) and split.part.name == "part"
    unused = len(split.events.filter(split.part == "unused"))
    assert len(split.fit) + len(split.validation) + len(split.test) + unused == len(events)
    assert sum(split.facts["events"].values()) == len(events)
    orders = split.train.frame["event_order"].to_list() + split.test.frame["event_order"].to_list()
    assert len(split.train) == len(split.fit) + len(split.validation) and len(orders) == len(events) - unused


@given(logs)
@settings(max_examples=40, deadline=None)
def test_leaving_one_out_takes_each_users_last_targets(rows):
    split = attempt(split_leave_one_out, log_of(rows))
    frame = split.events.frame.with_columns(split.part)
    for _, line in frame.group_by("user_id", maintain_order=True):
        targets = line.filter("target")["part"].to_list()
        if len(targets) < 3:
            assert set(line["part"]) == {"train"}
            continue
        assert targets[-2:] == ["validation", "test"] and set(targets[:-2]) == {"train"}
        ranks = [PARTS.index(part) for part in line["part"]]
        assert ranks == sorted(ranks)


def test_events_that_are_no_targets_go_with_their_place():
    behaviors = ["view", "cancel", "view", "cancel", "view", "cancel"]
    events = log_of([(1, "abcdef"[i], i, behavior) for i, behavior in enumerate(behaviors)])
    split = split_leave_one_out(events)
    assert parts(split) == ["train", "train", "validation", "validation", "test", "unused"]


def test_an_order_alone_is_enough_to_leave_one_out():
    events = clean(raw(user_id=[1, 1, 1, 2, 2], item_id=list("abcab"), position=[2, 0, 1, 0, 1]))
    split = split_leave_one_out(events)
    assert dict(zip(events.frame["event_order"].head(3), parts(split), strict=False)) == {
        0: "train",
        1: "validation",
        2: "test",
    }
    assert parts(split)[3:] == ["train", "train"]


def test_leaving_one_out_needs_three_targets():
    with pytest.raises(DataError, match="three events"):
        split_leave_one_out(log_of([(1, "a", 0, "view"), (1, "b", 1, "view"), (2, "a", 0, "view")]))
    with pytest.raises(DataError, match="'random'"):
        split_leave_one_out(ten_days(), ties="random")


def tied() -> Events:
    return log_of([(user, item, day, "view") for user in range(20) for day in (0, 1) for item in "abcde"])


def test_shuffled_ties_move_only_within_a_users_equal_times():
    events = tied()
    split = split_leave_one_out(events, ties="shuffled", seed=1)
    old, new = events.frame, split.events.frame
    assert split.ties == "shuffled"
    assert new["timestamp"].equals(old["timestamp"]) and new["user_id"].equals(old["user_id"])
    assert new["event_order"].equals(old["event_order"]) and not new["item_id"].equals(old["item_id"])
    key = ["user_id", "timestamp", "item_id"]
    assert new.select(key).sort(key).equals(old.select(key).sort(key))
    lasts = split.test.frame["item_id"].value_counts()
    assert len(lasts) > 2  # the log's order would have made all of them e


def test_shuffling_is_seeded():
    first, again, other = (split_leave_one_out(tied(), "shuffled", seed) for seed in (1, 1, 2))
    assert first.events.frame.equals(again.events.frame)
    assert not first.events.frame.equals(other.events.frame)


def test_without_ties_nothing_is_shuffled():
    events = ten_days()
    assert split_leave_one_out(events, "shuffled").events.frame.equals(events.frame)


def test_users_with_unknown_times_are_not_shuffled():
    rows = [(1, item, None if item == "a" else 3, "view") for item in "abcdefgh"]
    events = log_of(rows)
    assert split_leave_one_out(events, "shuffled", 5).events.frame.equals(events.frame)


def test_targets_are_marked_again_after_a_shuffle():
    events = log_of([(1, item, 0, "view") for item in "aabababbaa"])
    split = split_leave_one_out(events, "shuffled", 4)
    items, target = split.events.frame["item_id"].to_list(), split.events.frame["target"].to_list()
    assert target == [i == 0 or items[i] != items[i - 1] for i in range(len(items))]


def test_a_column_of_the_log_can_split_it():
    log = raw(user_id=[1] * 5, item_id=list("abcde"), position=range(5), split=["Train", " train", "VAL", "test", None])
    split = split_by_column(clean(log))
    assert parts(split) == ["train", "train", "validation", "test", "unused"]
    assert split.kind == "column" and split.boundary == "column split"


def test_a_column_split_may_have_no_validation_but_needs_test():
    log = raw(user_id=[1] * 2, item_id=list("ab"), position=range(2), fold=["train", "test"])
    assert split_by_column(clean(log), "fold").validation_boundary == ""
    with pytest.raises(DataError, match="test part"):
        split_by_column(clean(log.with_columns(fold=pl.lit("train"))), "fold")


def test_a_missing_or_strange_column_is_an_error():
    events = clean(raw(user_id=[1], item_id=[1], shop=["north"]))
    with pytest.raises(DataError, match="no column 'split'") as caught:
        split_by_column(events)
    assert "shop" in caught.value.hint
    with pytest.raises(DataError, match="'north'"):
        split_by_column(events, "shop")


@pytest.mark.parametrize("horizon", ["2d", timedelta(days=2), 0.2])
def test_rolling_windows_stand_side_by_side(horizon):
    splits = split_rolling(ten_days(), 3, horizon)
    days = [sorted(split.test.frame["timestamp"].dt.day().to_list()) for split in splits]
    # two days before the last event, of the 22nd, is the 20th: the last window is closed on both sides
    assert days == ([[17, 18], [19, 20], [21, 22]] if horizon == 0.2 else [[16, 17], [18, 19], [20, 21, 22]])
    for split in splits:
        assert split.validation.frame["timestamp"].max() < split.test.frame["timestamp"].min()
        later = split.events.filter(split.part == "unused").frame["timestamp"]
        assert later.is_empty() or later.min() > split.test.frame["timestamp"].max()


@pytest.mark.parametrize("folds,horizon", [(0, "1d"), (9, "2d"), (5, 0.2), (2, 1.5)])
def test_too_many_or_too_long_windows_are_an_error(folds, horizon):
    with pytest.raises(DataError):
        split_rolling(ten_days(), folds, horizon)


def test_a_sliding_window_learns_from_the_last_days_only():
    whole = split_rolling(ten_days(), 2, "2d")
    sliding = split_rolling(ten_days(), 2, "2d", training="sliding", training_length="4d")
    for one, other in zip(whole, sliding, strict=True):
        assert other.test.frame.equals(one.test.frame) and other.validation.frame.equals(one.validation.frame)
        days = sorted(other.train.frame["timestamp"].dt.day().to_list())
        end = other.test.frame["timestamp"].dt.day().min()
        assert days == list(range(end - 4, end)) and len(other.train) < len(one.train)


@pytest.mark.parametrize(
    "how", [{"training": "sliding"}, {"training_length": "4d"}, {"training": "sliding", "training_length": "2d"}]
)
def test_a_sliding_window_needs_a_length_and_room(how):
    with pytest.raises(DataError):
        split_rolling(ten_days(), 2, "2d", **how)


def test_windows_that_do_not_fit_say_how_many_would():
    with pytest.raises(DataError, match="more than 14 days; this one spans 9 days") as refused:
        split_rolling(ten_days(), 6, "2d")
    assert refused.value.hint.startswith("Ask for at most 3 folds")
    assert len(split_rolling(ten_days(), 3, "2d")) == 3


def test_a_log_without_items_can_be_split():
    events = clean(raw(user_id=[1] * 10, timestamp=[BASE + i for i in range(10)], value=[1.0] * 10))
    assert split_by_time(events).facts["share_lost"] == 0


@pytest.mark.data
def test_few_users_are_in_the_time_split_of_ml_100k(data_dir):
    from horae.data.clean import read_events

    split = split_by_time(read_events(data_dir / "ml-100k" / "raw" / "u.data"))
    assert split.facts["users"]["test"] == 166


@pytest.mark.data
def test_44_percent_of_the_last_events_of_ml_100k_are_tied(data_dir):
    from horae.data.clean import read_events

    facts = split_leave_one_out(read_events(data_dir / "ml-100k" / "raw" / "u.data")).facts
    assert facts["targets"] == {"validation": 943, "test": 943} and round(facts["ties_share"], 2) == 0.44
