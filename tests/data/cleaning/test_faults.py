"""Each kind of dirt is found, counted, shown, and treated as the settings say."""

from datetime import UTC, datetime

import polars as pl
import pytest
from tests.data.raw_logs import BASE, DAY, raw, steps_of

from horae.data.clean import clean
from horae.data.cleaning.faults import short
from horae.data.settings import DataSettings
from horae.errors import DataError


def many(n=300, **extra):
    """A clean log of n events, one user per ten."""
    return raw(
        user_id=[i // 10 for i in range(n)],
        item_id=[i % 7 for i in range(n)],
        timestamp=[BASE + 60 * i for i in range(n)],
        **extra,
    )


def test_events_without_ids_are_dropped_counted_and_shown():
    log = raw(user_id=["a", None, "", "b"], item_id=["x", "x", "y", "  "], timestamp=[BASE + i for i in range(4)])
    events = clean(log)
    assert events.frame["user_id"].to_list() == ["a"]
    step = steps_of(events)["null_ids"]
    assert (step.kind, step.rows) == ("dropped", 3)
    assert "2 without user_id and 1 without item_id" in step.message
    assert step.examples[0] == "row 2: user (none), item x, 2020-09-13 00:00:01"


def test_ids_with_spaces_inside_or_around_keep_their_spelling():
    events = clean(raw(user_id=[" a", "b c"], item_id=["007", "7"], timestamp=[BASE, BASE]))
    assert sorted(events.frame["user_id"]) == [" a", "b c"]
    assert set(events.frame["item_id"]) == {"007", "7"}


def test_ids_that_look_alike_are_kept_apart_and_told():
    log = raw(user_id=["caf\u00e9", "cafe\u0301", "x", "x "], item_id=["i"] * 4, timestamp=[BASE] * 4)
    events = clean(log)
    assert events.frame["user_id"].n_unique() == 4
    assert "2 pairs" in steps_of(events)["twin_ids"].message


def test_nan_and_infinite_values_become_unknown():
    log = many(4, value=[1.0, float("nan"), float("-inf"), None])
    events = clean(log)
    assert events.frame["value"].to_list() == [1.0, None, None, None]
    assert steps_of(events)["impossible_values"].rows == 2


@pytest.mark.parametrize(
    "wrong", [datetime(1, 1, 1), datetime(9999, 12, 31), datetime(1970, 1, 1), datetime(2150, 1, 1)]
)
def test_a_few_impossible_times_are_set_aside(wrong):
    log = many()
    log[5, "timestamp"] = wrong.replace(tzinfo=UTC)
    events = clean(log)
    assert len(events) == 299
    step = steps_of(events)["impossible_times"]
    assert (step.kind, step.rows) == ("set_aside", 1)
    assert step.examples[0].startswith("row 6: user 0")


def test_many_impossible_times_are_refused_with_row_and_hint():
    log = many().with_columns(timestamp=pl.lit(datetime(1970, 1, 1, tzinfo=UTC)))
    with pytest.raises(DataError, match=r"row 1.*300 of 300") as caught:
        clean(log, source="log.csv")
    assert "earliest" in caught.value.hint and "log.csv" in caught.value.message


def test_the_bound_of_possible_times_can_be_moved_but_not_to_year_9999():
    log = many().with_columns(timestamp=pl.col("timestamp") - pl.duration(days=50 * 365))
    assert len(clean(log, settings=DataSettings(earliest="1960-01-01"))) == 300
    log = many()
    log[0, "timestamp"] = datetime(9999, 1, 1, tzinfo=UTC)
    assert len(clean(log, settings=DataSettings(latest="9999-12-30"))) == 299


def test_events_after_now_are_set_aside_only_where_now_is_given():
    now = datetime.fromtimestamp(BASE + 60 * 297, UTC)
    events = clean(many(), now=now)
    assert len(events) == 298  # the event at now itself has happened
    assert steps_of(events)["future_times"].rows == 2
    assert len(clean(many())) == 300


def test_strict_allows_no_bad_row():
    log = many()
    log[5, "timestamp"] = datetime(9999, 1, 1, tzinfo=UTC)
    with pytest.raises(DataError, match="impossible_times"):
        clean(log, strict=True)
    with pytest.raises(DataError, match="null_ids"):
        clean(many().with_columns(user_id=pl.when(pl.col("user_id") != 3).then("user_id")), strict=True)
    assert len(clean(many(), strict=True)) == 300


def test_what_was_set_aside_while_reading_counts_too():
    from horae.schema import Step

    before = [Step("ragged_rows", "set_aside", 2, "rows have too many cells.", ("log.csv:9",))]
    log = many()
    log[5, "timestamp"] = datetime(9999, 1, 1, tzinfo=UTC)
    assert len(clean(log, before, rows_read=302)) == 299  # 3 of 302 is just under one in a hundred
    log[6, "timestamp"] = datetime(9999, 1, 1, tzinfo=UTC)
    with pytest.raises(DataError, match="ragged_rows: 2"):
        clean(log, before, rows_read=302)


def duplicated():
    return raw(
        user_id=["b", "a", "a", "a", "a", "b"],
        item_id=["x", "x", "y", "x", "x", "x"],
        timestamp=[BASE + 1, BASE, BASE, BASE, BASE + 9, BASE + 1],
        device=["pc", "pc", "pc", "pc", "pc", "tv"],
    )


def test_rows_equal_in_every_column_are_dropped_though_others_stand_between():
    events = clean(duplicated())
    assert events.frame["event_order"].to_list() == [1, 2, 4, 0, 5]
    step = steps_of(events)["exact_duplicates"]
    assert (step.kind, step.rows) == ("dropped", 1)
    assert step.examples[0].startswith("row 4: user a, item x")


def test_duplicates_are_kept_and_told_where_asked():
    events = clean(duplicated(), settings=DataSettings(duplicates="keep"))
    assert len(events) == 6
    assert (steps_of(events)["exact_duplicates"].kind, steps_of(events)["exact_duplicates"].rows) == ("warning", 1)


def test_rows_of_unknown_time_are_no_duplicates_unless_the_log_has_positions():
    log = raw(user_id=["a"] * 3, item_id=["x"] * 3, timestamp=[None] * 3)
    assert len(clean(log)) == 3
    assert len(clean(log.with_columns(position=pl.Series([0, 1, 1])))) == 2


def test_duplicates_are_found_among_lists_and_nulls():
    log = raw(user_id=[1, 1], item_id=[2, 2], timestamp=[BASE, BASE], tags=[["a"], ["a"]], note=[None, None])
    assert len(clean(log)) == 1


def test_a_far_value_is_told_kept_clipped_forgotten_or_dropped():
    values = [float(i % 11) for i in range(299)] + [5000.0]  # median 5, median deviation 3
    log = many(value=values)
    kept = clean(log)
    assert kept.frame["value"].max() == 5000
    step = steps_of(kept)["outliers"]
    assert (step.kind, step.rows) == ("warning", 1) and "value 5000" in step.examples[0]
    clipped = clean(log, settings=DataSettings(outliers="clip"))
    assert clipped.frame["value"].max() == pytest.approx(5 + 20 * 1.4826 * 3)
    assert clean(log, settings=DataSettings(outliers="null")).frame["value"].null_count() == 1
    assert len(clean(log, settings=DataSettings(outliers="drop"))) == 299


def test_values_are_far_from_their_own_behavior():
    behavior = ["view", "buy"] * 150
    log = many(
        behavior=behavior, value=[1.0 + i % 5 if kind == "view" else 900.0 + i % 5 for i, kind in enumerate(behavior)]
    )
    assert "outliers" not in steps_of(clean(log))
    log[0, "value"] = 900.0  # ordinary for buy, far for view
    assert steps_of(clean(log))["outliers"].examples[0].startswith("row 1:")


def test_one_far_value_among_equal_ones_is_found():
    log = many(value=[1.0] * 299 + [100.0])
    assert steps_of(clean(log))["outliers"].rows == 1


def test_a_long_id_is_shown_short():
    assert len(short("x" * 10_000)) == 40
    assert clean(raw(user_id=["x" * 10_000], item_id=['"\n,🙂'], timestamp=[BASE + DAY])).frame.height == 1
