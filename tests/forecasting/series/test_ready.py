from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from horae.data.sources import read_table
from horae.errors import DataError
from horae.forecasting.series.ready import ready_columns, series_of_table
from horae.forecasting.series.settings import SeriesSettings


def table_of(frame: pl.DataFrame, **asked):
    columns = ready_columns(frame.columns)
    assert columns is not None
    return series_of_table(read_table(frame), columns, **asked)


def days(count: int, key: str = "a", step: int = 1, start: date = date(2024, 1, 1)) -> pl.DataFrame:
    dates = [start + timedelta(days=step * n) for n in range(count)]
    return pl.DataFrame({"series_id": [key] * count, "date": dates, "value": [float(n) for n in range(count)]})


@pytest.mark.parametrize(
    ("names", "series"),
    [
        (["series_id", "date", "value"], "series_id"),
        (["unique_id", "ds", "y"], "unique_id"),
        (["metric", "timestamp", "value", "note"], "metric"),
        (["ds", "y"], None),
        (["日期", "销售额", "序列"], "序列"),
    ],
)
def test_ready_tables_are_recognised_by_their_names(names: list[str], series: str | None):
    found = ready_columns(names)
    assert found is not None and found.get("series_id") == series


@pytest.mark.parametrize(
    "names", [["user_id", "item_id", "timestamp", "value"], ["customer", "date", "amount", "series"], ["date", "item"]]
)
def test_logs_are_not_taken_for_ready_tables(names: list[str]):
    assert ready_columns(names) is None


def test_columns_may_be_named():
    given = {"series_id": "shop", "date": "when", "value": "what"}
    assert ready_columns(["shop", "when", "what"], given) == given
    with pytest.raises(DataError, match="no column 'wann'"):
        ready_columns(["shop", "when", "what"], {"date": "wann"})
    with pytest.raises(DataError, match="No column value"):
        ready_columns(["shop", "when", "what"], {"date": "when"})


def test_a_daily_table_becomes_daily_bins_with_its_gaps_unknown():
    frame = days(10).filter(pl.col("value") != 4)
    table = table_of(frame)
    assert str(table.every) == "1d" and table.season == 7
    assert np.array_equal(table.value_ST[0], [0, 1, 2, 3, np.nan, 5, 6, 7, 8, 9], equal_nan=True)


@pytest.mark.parametrize(("step", "every"), [(1, "1d"), (7, "1w"), (2, "2d")])
def test_how_far_apart_the_values_stand_is_recognised(step: int, every: str):
    table = table_of(days(12, step=step))
    assert str(table.every) == every and table.value_ST[0].tolist() == list(range(12))


def test_weeks_keep_the_weekday_on_which_they_are_dated():
    table = table_of(days(6, step=7, start=date(2024, 1, 7)))
    assert table.every.starts(table.bins(0, 1))[0].weekday() == 6


def test_months_and_hours_are_recognised():
    months = pl.DataFrame({"ds": [date(2024, m, 1) for m in range(1, 13)], "y": [1.0] * 12})
    assert str(table_of(months).every) == "1mo"
    hours = [datetime(2024, 2, 28, tzinfo=UTC) + timedelta(hours=n) for n in range(72)]
    table = table_of(pl.DataFrame({"ds": hours, "y": range(72)}))
    assert str(table.every) == "1h" and table.num_bins == 72  # the leap day's hours are there


def test_two_values_for_one_date_are_refused_unless_it_is_said_what_they_become():
    frame = pl.concat([days(5), pl.DataFrame({"series_id": ["a"], "date": [date(2024, 1, 2)], "value": [9.0]})])
    with pytest.raises(DataError, match=r"series 'a' has several values .* 2024-01-02"):
        table_of(frame)
    assert table_of(frame, of="sum").value_ST[0, 1] == 10
    assert table_of(frame, of="mean").value_ST[0, 1] == 5


def test_rows_that_say_the_same_twice_are_harmless():
    table = table_of(pl.concat([days(5), days(5)]))
    assert table.value_ST[0].tolist() == [0, 1, 2, 3, 4] and "5 rows that say the same" in table.notes[0]


def test_an_hour_that_comes_twice_is_refused_and_with_its_offset_taken():
    """Berlin, 2024-10-27: 2 o'clock came twice."""
    naive = [datetime(2024, 10, 27, hour) for hour in (0, 1, 2, 2, 3, 4)]
    frame = pl.DataFrame({"ds": naive, "y": range(6)})
    with pytest.raises(DataError, match="several values"):
        table_of(frame, settings=SeriesSettings(timezone="Europe/Berlin"))
    utc = [datetime(2024, 10, 26, 22, tzinfo=UTC) + timedelta(hours=n) for n in range(6)]
    table = table_of(pl.DataFrame({"ds": utc, "y": range(6)}), settings=SeriesSettings(timezone="Europe/Berlin"))
    assert table.value_ST[0].tolist() == list(range(6))


def test_days_across_a_clock_change_stand_side_by_side():
    frame = days(10, start=date(2024, 3, 27))
    table = table_of(frame, settings=SeriesSettings(timezone="Europe/Berlin"))
    assert str(table.every) == "1d" and table.value_ST[0].tolist() == list(range(10))


def test_series_coarser_than_the_others_are_left_out_and_named():
    frame = pl.concat([days(30, "a"), days(30, "b"), days(5, "slow", step=7)])
    table = table_of(frame)
    assert table.keys.to_list() == ["a", "b"] and any("'slow'" in note for note in table.notes)


def test_series_finer_than_the_others_need_a_rule():
    quick = [datetime(2024, 1, 1) + timedelta(hours=6 * n) for n in range(40)]
    fine = pl.DataFrame({"series_id": ["quick"] * 40, "date": quick, "value": [1.0] * 40})
    daily = [days(30, key).with_columns(pl.col("date").cast(pl.Datetime("us"))) for key in ("a", "b")]
    frame = pl.concat([*daily, fine])
    with pytest.raises(DataError, match="several values"):
        table_of(frame)
    table = table_of(frame, of="sum")
    assert table.value_ST[table.keys.to_list().index("quick"), 0] == 4


def test_all_missing_one_point_and_thousands_of_series_of_one_point():
    empty = days(5).with_columns(value=pl.lit(None, pl.Float64))
    with pytest.raises(DataError, match="no known value"):
        table_of(empty)
    with pytest.raises(DataError, match="needs 2 whole bins with a known value; the one series has fewer"):
        table_of(days(1))
    many = pl.DataFrame(
        {"series_id": [f"s{n}" for n in range(5000)], "date": ["2024-01-01"] * 5000, "value": [1.0] * 5000}
    )
    with pytest.raises(DataError, match="none of the 5,000 series"):
        table_of(many)
    both = pl.concat([many.with_columns(pl.col("date").str.to_date()), days(20)])
    table = table_of(both)
    assert table.keys.to_list() == ["a"] and "5,000 series with fewer than 2" in " ".join(table.notes)


def test_counting_a_ready_table_is_refused():
    with pytest.raises(DataError, match="not events to count"):
        table_of(days(5), of="count")


def test_as_of_a_time_nothing_later_is_known():
    table = table_of(days(10), at=datetime(2024, 1, 6, 12, tzinfo=UTC))
    assert table.value_ST[0].tolist() == [0, 1, 2, 3, 4]


def test_unreadable_dates_are_refused_with_their_row():
    frame = (
        days(5)
        .with_columns(pl.col("date").cast(pl.String))
        .with_columns(date=pl.when(pl.col("value") == 2).then(pl.lit("soon")).otherwise("date"))
    )
    with pytest.raises(DataError, match="expected dates"):
        table_of(frame)
