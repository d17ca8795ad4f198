from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logs import events_of

from horae.errors import DataError
from horae.forecasting.series.from_events import series_of_events
from horae.forecasting.series.settings import SeriesSettings

DAY = 86_400
START = 1_704_067_200  # 2024-01-01, a Monday
KEEP = SeriesSettings(keep_last=True)


def rows_of(table) -> dict:
    return {key: table.value_ST[row].tolist() for row, key in enumerate(table.keys)}


def log(*rows):
    """(user, item, day, value)"""
    return events_of([(user, item, START + day * DAY, "view", value) for user, item, day, value in rows])


WORKED = log(
    ("a", "x", 0.1, 1.0), ("a", "x", 0.2, 3.0), ("b", "x", 0.3, 5.0), ("a", "y", 2.5, 7.0), ("b", "x", 4.0, 2.0)
)


def test_counts_and_sums_by_hand_are_zero_where_nothing_happened():
    assert rows_of(series_of_events(WORKED, "all", "count", settings=KEEP)) == {"all": [3, 0, 1, 0, 1]}
    assert rows_of(series_of_events(WORKED, "all", "sum", settings=KEEP)) == {"all": [9, 0, 7, 0, 2]}
    users = rows_of(series_of_events(WORKED, "user", "count", settings=KEEP))
    assert users == {"a": [2, 0, 1, 0, 0], "b": [1, 0, 0, 0, 1]}


def test_means_and_last_values_by_hand_are_unknown_where_nothing_happened():
    mean = series_of_events(WORKED, "all", "mean", settings=KEEP).value_ST[0]
    assert np.array_equal(mean, [3, np.nan, 7, np.nan, 2], equal_nan=True)
    last = series_of_events(WORKED, "all", "last", settings=KEEP).value_ST[0]
    assert np.array_equal(last, [5, np.nan, 7, np.nan, 2], equal_nan=True)


def test_a_series_begins_with_its_first_event():
    late = log(("a", "x", 0, 1.0), ("b", "x", 3, 1.0), ("a", "x", 5, 1.0), ("b", "x", 5, 1.0))
    table = series_of_events(late, "user", settings=KEEP)
    assert np.isnan(table.value_ST[1, :3]).all() and table.value_ST[1, 3:].tolist() == [1, 0, 1]
    assert table.first_S.tolist() == [0, 3]


def test_a_last_day_within_which_the_log_ends_is_left_out_and_said():
    cut = log(("a", "x", 0.5, 1.0), ("a", "x", 1.5, 1.0), ("a", "x", 2.1, 1.0))
    table = series_of_events(cut)
    assert rows_of(table) == {"all": [1, 1]}
    assert "left out" in table.notes[0] and "2024-01-03" in table.notes[0]


def test_a_log_of_whole_days_is_whole_to_its_end():
    """Times at midnight only: an event stands for its day."""
    whole = log(*(("a", "x", float(day), 1.0) for day in range(5)))
    assert series_of_events(whole).num_bins == 5


def test_a_shop_that_closes_at_six_ends_its_days_then():
    shop = log(*(("a", "x", day + hour / 24 + 0.001, 1.0) for day in range(40) for hour in (9, 13, 18)))
    assert series_of_events(shop).num_bins == 40
    noon = shop.filter(pl.Series([True] * (3 * 40 - 1) + [False]))
    assert series_of_events(noon).num_bins == 39


def test_as_of_a_time_only_events_before_it_count_and_bins_that_ended():
    moment = datetime(2024, 1, 4, 12, tzinfo=UTC)
    table = series_of_events(WORKED, "all", "count", at=moment)
    assert rows_of(table) == {"all": [3, 0, 1]}
    assert rows_of(series_of_events(WORKED, "all", "count", at=datetime(2024, 1, 4, tzinfo=UTC))) == {"all": [3, 0, 1]}


def test_a_long_silence_before_the_time_asked_about_is_told():
    table = series_of_events(WORKED, at=datetime(2024, 2, 1, tzinfo=UTC))
    assert table.num_bins == 31 and "No event in 26 days before 2024-02-01" in table.notes[0]


ROW = st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.floats(0, 12), st.floats(-9, 9))


@settings(max_examples=40)
@given(
    st.lists(ROW, max_size=12),
    st.lists(ROW, max_size=6),
    st.floats(2, 11),
    st.sampled_from(["all", "user", "item"]),
    st.sampled_from(["count", "sum", "mean", "last"]),
    st.sampled_from(["6h", "1d"]),
)
def test_no_event_at_or_after_a_time_changes_the_series_as_of_it(rows, others, day, by, of, every):
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)
    sure = [(user, item, when, 1.0) for user in "ab" for item in "xy" for when in (0.5, 1.5)]
    before = [row for row in rows if START + row[2] * DAY < at.timestamp() - 1]
    after = [(user, item, day + (12 - day) * when / 12 + 1e-4, value) for user, item, when, value in others]
    known, all_of_it = (series_of_events(log(*sure, *before, *more), by, of, every, at=at) for more in ([], after))
    assert known.keys.to_list() == all_of_it.keys.to_list() and known.first_bin == all_of_it.first_bin
    assert np.array_equal(known.value_ST, all_of_it.value_ST, equal_nan=True)


def test_a_category_comes_from_the_catalog_and_a_column_from_the_log():
    catalog = pl.DataFrame({"item_id": ["x", "y"], "category": ["toys", "books"]})
    table = series_of_events(WORKED, "category", settings=KEEP, catalog=catalog)
    assert rows_of(table)["toys"] == [3, 0, 0, 0, 1] and rows_of(table)["books"][2:] == [1, 0, 0]
    assert series_of_events(WORKED, "behavior", settings=KEEP).keys.to_list() == ["view"]


def test_the_largest_series_are_taken_and_the_rest_is_told():
    many = log(*((f"u{n}", "x", day, 1.0) for n in range(6) for day in range(n + 2)))
    table = series_of_events(many, "user", settings=SeriesSettings(max_series=2))
    assert table.keys.to_list() == ["u5", "u4"]
    assert "4 series (51.9% of all) left out" in table.notes[-1]  # 14 of 27 events


def test_thousands_of_series_of_one_point_are_told_and_left_out():
    last_day = log(*((f"u{n}", "x", 9, 1.0) for n in range(3000)), *(("a", "x", day, 1.0) for day in range(10)))
    table = series_of_events(last_day, "user")
    assert table.keys.to_list() == ["a"] and "3,000 series with fewer than 2 known values" in table.notes[0]
    only = log(*((f"u{n}", "x", 9, 1.0) for n in range(3000)))
    with pytest.raises(DataError, match="none of the 3,000 series"):
        series_of_events(only, "user")


def test_a_log_without_values_has_no_sums():
    with pytest.raises(DataError, match="no event has one"):
        series_of_events(log(("a", "x", 0, None), ("a", "x", 1, None)), of="sum")


def test_values_that_are_missing_are_told():
    table = series_of_events(log(("a", "x", 0, 2.0), ("a", "x", 1, None), ("a", "x", 2, 4.0)), of="sum")
    assert rows_of(table) == {"all": [2, 0, 4]} and "1 of 3 events have no value" in table.notes[0]


def test_behaviors_choose_the_events_but_not_the_logs_end():
    events = events_of(
        [("a", "x", START + day * DAY, "buy" if day == 1 else "view") for day in range(5)], behaviors=("view", "buy")
    )
    table = series_of_events(events, settings=SeriesSettings(behaviors=("buy",)))
    assert rows_of(table) == {"all": [1, 0, 0, 0]}
    with pytest.raises(DataError, match="No event is a 'sell'"):
        series_of_events(events, settings=SeriesSettings(behaviors=("sell",)))


def test_unknown_columns_and_times_are_refused():
    with pytest.raises(DataError, match="no column 'colour'"):
        series_of_events(WORKED, "colour")
    with pytest.raises(DataError, match="no times"):
        series_of_events(events_of([("a", "x", None)]))
    with pytest.raises(DataError, match="No event lies before"):
        series_of_events(WORKED, at=datetime(2023, 1, 1, tzinfo=UTC))


def test_a_grid_that_does_not_fit_in_memory_is_refused():
    far = log(("a", "x", -12_000, 1.0), *((f"u{n}", "x", day, 1.0) for n in range(40) for day in (-12_000, 0)))
    with pytest.raises(DataError, match="more than fit in memory"):
        series_of_events(far, "user", every="15min")
