from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.errors import DataError
from horae.forecasting.series.every import CALENDAR_FEATURES, Every

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo")


def times(*moments: datetime) -> pl.Series:
    return pl.Series(moments, dtype=pl.Datetime("us", "UTC"))


def hours(first: datetime, last: datetime) -> list[datetime]:
    return [first + timedelta(hours=n) for n in range(int((last - first).total_seconds() // 3600))]


@pytest.mark.parametrize("zone", ZONES)
def test_days_are_those_of_the_zones_calendar_across_clock_changes(zone: str):
    """The standard library's zones as a second opinion; Berlin's clocks change on 2024-03-31 and 2024-10-27."""
    moments = hours(datetime(2024, 3, 29, tzinfo=UTC), datetime(2024, 4, 2, tzinfo=UTC))
    moments += hours(datetime(2024, 10, 25, tzinfo=UTC), datetime(2024, 11, 5, tzinfo=UTC))
    every = Every.parse("1d", zone)
    numbers = every.numbers(times(*moments))
    assert numbers.tolist() == [
        (moment.astimezone(ZoneInfo(zone)).date() - date(1970, 1, 1)).days for moment in moments
    ]


def test_a_day_of_a_clock_change_has_23_or_25_hours():
    every = Every.parse("1d", "Europe/Berlin")
    for day, length in ((datetime(2024, 3, 31, 12, tzinfo=UTC), 23), (datetime(2024, 10, 27, 12, tzinfo=UTC), 25)):
        number = every.numbers(times(day))[0]
        begin, end = every.start_seconds(np.array([number, number + 1]))
        assert end - begin == length * 3600


def test_hours_are_equally_long_across_clock_changes_and_none_is_lost():
    every = Every.parse("1h", "Europe/Berlin")
    moments = hours(datetime(2024, 10, 26, tzinfo=UTC), datetime(2024, 10, 28, tzinfo=UTC))
    assert np.diff(every.numbers(times(*moments))).tolist() == [1] * 47


def test_hours_of_a_zone_that_is_half_an_hour_off_begin_on_its_own_hour():
    (start,) = Every.parse("1h", "Asia/Kolkata").starts(
        Every.parse("1h", "Asia/Kolkata").numbers(times(datetime(2024, 1, 1, 0, 10, tzinfo=UTC)))
    )
    assert (start.hour, start.minute) == (5, 0)


def test_february_has_its_29th_in_a_leap_year_only():
    every = Every.parse("1d")
    for year, days in ((2023, 28), (2024, 29), (2000, 29), (2100, 28)):
        ends = times(datetime(year, 2, 1, tzinfo=UTC), datetime(year, 3, 1, tzinfo=UTC))
        first, after = every.numbers(ends)
        assert after - first == days
    leap = every.numbers(times(datetime(2024, 2, 29, 23, 59, tzinfo=UTC)))
    assert str(every.starts(leap)[0].date()) == "2024-02-29"


def test_weeks_begin_on_monday_and_months_on_the_first():
    moment = times(datetime(2024, 2, 29, 13, tzinfo=UTC))
    for width, begins in (("1w", "2024-02-26"), ("1mo", "2024-02-01"), ("3mo", "2024-01-01")):
        every = Every.parse(width)
        assert str(every.starts(every.numbers(moment))[0].date()) == begins
    sundays = Every.parse("1w", week_start=6)
    assert str(sundays.starts(sundays.numbers(moment))[0].date()) == "2024-02-25"


@settings(max_examples=50)
@given(
    st.datetimes(datetime(1975, 1, 1), datetime(2050, 1, 1)),
    st.sampled_from(["15min", "1h", "6h", "1d", "2d", "1w", "1mo"]),
    st.sampled_from(ZONES),
)
def test_every_time_lies_in_its_bin(moment: datetime, width: str, zone: str):
    every = Every.parse(width, zone)
    time = times(moment.replace(tzinfo=UTC))
    number = every.numbers(time)
    begin, end = every.start_seconds(np.array([number[0], number[0] + 1]))
    assert begin <= moment.replace(tzinfo=UTC).timestamp() < end


def test_midnight_that_does_not_exist_begins_an_hour_later():
    """Brazil's clocks jumped from 0:00 to 1:00 on 2018-11-04."""
    every = Every.parse("1d", "America/Sao_Paulo")
    (start,) = every.starts(every.numbers(times(datetime(2018, 11, 4, 15, tzinfo=UTC))))
    assert (start.day, start.hour) == (4, 1)


def test_the_calendar_knows_hour_weekday_and_month_by_the_zones_clocks():
    every = Every.parse("6h", "Europe/Berlin")
    calendar = every.calendar(every.numbers(times(datetime(2024, 1, 1, 5, tzinfo=UTC))))
    assert calendar.shape == (1, CALENDAR_FEATURES)
    assert calendar[0, -7:].tolist() == [1, 0, 0, 0, 0, 0, 0]  # a Monday
    assert calendar[0, :6] == pytest.approx([1, 0, 0, 0, 1, 1])  # 6 o'clock, the first day, January


@pytest.mark.parametrize(
    ("width", "season"), [("1h", 24), ("15min", 96), ("6h", 4), ("1d", 7), ("1w", 52), ("1mo", 12)]
)
def test_seasons(width: str, season: int):
    assert Every.parse(width).season == season


def test_24_hours_are_a_day():
    assert Every.parse("24h") == Every.parse("1d")


@pytest.mark.parametrize("width", ["", "1y", "0d", "-1d", "1.5h", "7h", "d", "25min"])
def test_impossible_widths_are_refused(width: str):
    with pytest.raises(DataError, match="width"):
        Every.parse(width)


def test_an_unknown_zone_is_refused():
    with pytest.raises(DataError, match="zone"):
        Every.parse("1d", "Europe/Atlantis")
