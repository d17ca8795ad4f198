"""From frames to Events: order, behaviors, targets, the report; and cleaning twice changes nothing."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.data.raw_logs import BASE, DAY, raw, steps_of

from horae.data.clean import clean, read_events
from horae.data.settings import DataSettings
from horae.errors import DataError, RecipeError
from horae.schema import Events

small_logs = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from("abcd"),
        st.one_of(st.none(), st.integers(0, 5)),
        st.sampled_from(["view", "buy", " buy", "cancel"]),
        st.one_of(st.none(), st.floats(allow_nan=True), st.just(1.0)),
    ),
    min_size=1,
    max_size=40,
)


def raw_of(rows, position=None) -> pl.DataFrame:
    users, items, times, behaviors, values = zip(*rows, strict=True)
    log = raw(
        user_id=users,
        item_id=items,
        timestamp=[None if t is None else BASE + t for t in times],
        behavior=behaviors,
        value=pl.Series(values, dtype=pl.Float64),
    )
    return log if position is None else log.with_columns(pl.Series("position", position))


def survives(rows, chosen) -> bool:
    try:
        return len(clean(raw_of(rows), settings=chosen)) > 0
    except DataError:
        return False


def place_keys(events: Events) -> list[tuple]:
    """Sort keys by the definition: (user, time, order), or (user, order) where any of the user's times is unknown."""
    frame = events.frame
    partly = set(frame.filter(pl.col("timestamp").is_null())["user_id"])
    rows = frame.select("user_id", pl.col("timestamp").to_physical(), "event_order").rows()
    return [(user, 0 if user in partly else time, order) for user, time, order in rows]


@given(small_logs)
@settings(max_examples=60, deadline=None)
def test_rows_stand_by_user_then_place(rows):
    keys = place_keys(clean(raw_of(rows)))
    assert keys == sorted(keys)


@given(small_logs, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_logs_own_order_decides_between_equal_times(rows, random):
    position = list(range(len(rows)))
    random.shuffle(position)
    events = clean(raw_of(rows, position))
    keys = place_keys(events)
    assert keys == sorted(keys)
    assert set(events.frame["event_order"]) <= set(position)


@given(small_logs, st.sampled_from(["keep", "first", "last"]), st.integers(1, 3), st.booleans())
@settings(max_examples=80, deadline=None)
def test_cleaning_twice_changes_nothing(rows, repeats, least, repeat_targets):
    chosen = DataSettings(repeats=repeats, min_user_events=least, min_item_events=least, repeat_targets=repeat_targets)
    assume(survives(rows, chosen))
    once = clean(raw_of(rows), settings=chosen)
    twice = clean(once.frame, settings=chosen)
    assert twice.frame.equals(once.frame) and twice.frame.schema == once.frame.schema
    assert not [step for step in twice.report.steps if step.kind in ("changed", "set_aside", "dropped")]


@given(small_logs)
@settings(max_examples=40, deadline=None)
def test_every_row_is_kept_or_accounted_for(rows):
    events = clean(raw_of(rows))
    gone = sum(step.rows for step in events.report.steps if step.kind in ("set_aside", "dropped"))
    assert events.report.rows_read == len(rows) == events.report.rows_kept + gone


def test_equal_times_keep_the_order_of_rows():
    log = raw(user_id=[2, 1, 2, 1, 2], item_id=list("abcde"), timestamp=[BASE] * 5)
    assert clean(log).frame["item_id"].to_list() == ["b", "d", "a", "c", "e"]


def test_a_user_with_one_unknown_time_is_ordered_by_order_alone():
    log = raw(user_id=[1, 1, 1, 2, 2], item_id=list("abcde"), timestamp=[BASE + 9, None, BASE, BASE + 5, BASE])
    events = clean(log)
    assert events.frame["item_id"].to_list() == ["a", "b", "c", "e", "d"]
    assert "alone for 1 users" in steps_of(events)["order"].message


def test_positions_become_event_order_and_leave_no_column():
    log = raw(user_id=[1, 1, 2], item_id=list("abc"), position=[7, 3, 3])
    frame = clean(log).frame
    assert frame["event_order"].to_list() == [3, 7, 3] and "position" not in frame.columns
    assert frame["item_id"].to_list() == ["b", "a", "c"]


def test_positions_that_repeat_are_numbered_again_by_row():
    log = raw(user_id=[1, 1, 1], item_id=list("abc"), position=[5, 2, 5])
    events = clean(log)
    assert events.frame["item_id"].to_list() == ["b", "a", "c"]
    assert events.frame["event_order"].to_list() == [0, 1, 2]
    assert steps_of(events)["positions"].rows == 1


def test_order_follows_positions_though_times_sort_otherwise():
    log = raw(user_id=[1, 1, 1], item_id=list("abc"), timestamp=[BASE, BASE + 2, BASE + 1], position=[2, 2, 2])
    events = clean(log)
    assert events.frame["item_id"].to_list() == ["a", "c", "b"]
    assert events.frame["event_order"].to_list() == [0, 2, 1]


def test_incomplete_positions_give_way_to_rows_and_are_told():
    log = raw(user_id=[1, 1], item_id=list("ab"), position=[1, None])
    events = clean(log)
    assert events.frame["item_id"].to_list() == ["a", "b"]
    assert steps_of(events)["positions"].kind == "warning"


def test_sorted_input_is_not_moved_and_unsorted_is():
    log = raw(user_id=[1, 1, 2], item_id=list("abc"), timestamp=[BASE, BASE + 1, BASE])
    assert clean(log).frame["event_order"].to_list() == [0, 1, 2]
    assert clean(log.reverse()).frame["event_order"].to_list() == [2, 1, 0]


def test_ids_keep_their_dtype():
    for dtype in (pl.Int32, pl.UInt64, pl.String, pl.Int64):
        log = raw(user_id=pl.Series([3, 1]).cast(dtype), item_id=pl.Series([9, 8]).cast(dtype), timestamp=[BASE, BASE])
        frame = clean(log).frame
        assert frame.schema["user_id"] == frame.schema["item_id"] == dtype
        assert frame["user_id"].cast(pl.Int64).to_list() == [1, 3]


def test_text_ids_are_sorted_as_text():
    log = raw(user_id=["10", "9", "é", "a"], item_id=list("wxyz"), timestamp=[BASE] * 4)
    assert clean(log).frame["user_id"].to_list() == ["10", "9", "a", "é"]


def test_columns_have_the_types_that_events_promise():
    frame = clean(raw(user_id=[1], item_id=[2], shop=["s"])).frame
    assert frame.columns == ["user_id", "item_id", "behavior", "timestamp", "value", "event_order", "target", "shop"]
    assert frame.dtypes[2:7] == [
        pl.Enum(["event"]),
        pl.Datetime("us", "UTC"),
        pl.Float64,
        pl.Int64,
        pl.Boolean,
    ]


def test_behaviors_are_numbered_by_frequency_then_name():
    log = raw(user_id=[1] * 5, item_id=list("abcde"), behavior=["view", "buy", "Like", "view", "buy"])
    assert clean(log).frame.schema["behavior"].categories.to_list() == ["buy", "view", "Like"]


def test_behaviors_keep_their_spelling_but_for_spaces_around():
    log = raw(user_id=[1] * 4, item_id=list("abcd"), behavior=[" Buy", "Buy ", None, ""])
    events = clean(log)
    assert events.frame["behavior"].to_list() == ["Buy", "Buy", "event", "event"]
    assert steps_of(events)["behaviors"].rows == 4


def test_a_column_of_ids_is_no_behavior():
    log = raw(user_id=[1] * 300, item_id=[1] * 300, behavior=[f"b{i}" for i in range(300)])
    with pytest.raises(DataError, match="300 different values"):
        clean(log)


def test_targets_are_all_but_what_nobody_wants_recommended():
    log = raw(user_id=[1] * 4, item_id=list("abcd"), behavior=["view", "Cancel", "return", "buy"])
    assert clean(log).frame["target"].to_list() == [True, False, False, True]
    only = clean(log, settings=DataSettings(target_behaviors=("return",)))
    assert only.frame["target"].to_list() == [False, False, True, False]


def test_an_event_on_the_item_just_before_is_history_unless_asked():
    log = raw(user_id=[1, 1, 1, 1, 2], item_id=["a", "a", "b", "a", "a"], position=[0, 1, 2, 3, 4])
    assert clean(log).frame["target"].to_list() == [True, False, True, True, True]
    assert all(clean(log, settings=DataSettings(repeat_targets=True)).frame["target"])


def test_a_target_behavior_that_the_log_lacks_is_an_error():
    with pytest.raises(RecipeError, match="'purchase'") as caught:
        clean(raw(user_id=[1], item_id=[1], behavior=["view"]), settings=DataSettings(target_behaviors=("purchase",)))
    assert "'view'" in caught.value.hint


def test_a_logs_own_target_column_is_renamed_and_told():
    events = clean(raw(user_id=[1], item_id=[1], target=["yes"]))
    assert events.frame["target_in_log"].to_list() == ["yes"] and events.frame["target"].to_list() == [True]
    assert "target" in steps_of(events)


def test_a_log_without_items_is_taken():
    events = clean(raw(user_id=[1, 1], timestamp=[BASE, BASE + DAY], value=[2.0, 3.0]))
    assert not events.has_items and events.frame["target"].to_list() == [True, True]


@pytest.mark.parametrize("users,items", [([1, 1, 1], ["a", "b", "a"]), ([1, 2, 3], ["a", "a", "a"]), ([1], ["a"])])
def test_one_user_or_one_item_or_equal_times_make_events(users, items):
    assert len(clean(raw(user_id=users, item_id=items, timestamp=[BASE] * len(users)))) == len(
        set(zip(users, items, strict=True))
    )


def test_an_empty_log_is_an_error():
    with pytest.raises(DataError, match="no event is left of 0 rows"):
        clean(raw(user_id=pl.Series([], dtype=pl.Int64), item_id=pl.Series([], dtype=pl.Int64)))


def test_a_large_log_is_sorted_like_polars_sorts():
    rng = np.random.default_rng(0)
    log = raw(user_id=rng.integers(-50, 50, 3000) * 10**15, item_id=rng.integers(0, 9, 3000)).with_columns(
        timestamp=pl.Series(rng.integers(1.5e15, 1.6e15, 3000) // 10**13 * 10**13 + 7).cast(pl.Datetime("us", "UTC"))
    )
    events = clean(log, settings=DataSettings(duplicates="keep"))
    expected = log.with_row_index("n").sort("user_id", "timestamp", "n")
    assert events.frame["event_order"].to_list() == expected["n"].to_list()


def test_reading_a_file_goes_from_rows_to_events(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id,timestamp\n7,a,1600000300\n7,b,1600000100\n,c,1600000200\n9,a,1600000000\n")
    events = read_events(log)
    assert events.frame.select("user_id", "item_id").rows() == [("7", "b"), ("7", "a"), ("9", "a")]
    assert (events.report.rows_read, events.report.rows_kept) == (4, 3)
    assert steps_of(events)["null_ids"].examples[0].startswith(f"{log}:4: user (none)")


def test_reading_strictly_refuses_an_empty_id(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id,timestamp\n7,a,1600000300\n,c,1600000200\n9,a,1600000000\n")
    with pytest.raises(DataError, match=r"log\.csv:3"):
        read_events(log, strict=True)


def test_reading_sets_the_future_aside_by_the_callers_clock(tmp_path):
    log = tmp_path / "log.csv"
    rows = "".join(f"{i % 9},i{i % 5},{1_600_000_000 + i}\n" for i in range(500))
    log.write_text(f"user_id,item_id,timestamp\n{rows}1,i1,1700000000\n")
    now = datetime(2021, 1, 1, tzinfo=UTC)
    assert steps_of(read_events(log, now=now))["future_times"].rows == 1


@pytest.mark.data
def test_the_order_of_amazon_beauty_is_the_published_one(data_dir):
    published = pl.read_parquet(data_dir / "amazon-beauty-2014" / "interactions.parquet").sort("user_id", "position")
    frame = read_events(data_dir / "amazon-beauty-2014" / "interactions.parquet").frame
    assert frame["item_id"].equals(published["item_id"])
    assert frame["event_order"].equals(published["position"].cast(pl.Int64).rename("event_order"))


@pytest.mark.data
def test_users_of_ml_1m_with_unknown_times_keep_the_published_order(data_dir):
    published = pl.read_parquet(data_dir / "ml-1m" / "interactions.parquet").sort("user_id", "position")
    assert read_events(data_dir / "ml-1m" / "interactions.parquet").frame["item_id"].equals(published["item_id"])
