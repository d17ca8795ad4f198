"""Calendar features are those of the wall calendar where the user lives, by hand and by Python's own dates."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.errors import DataError
from horae.features.calendar import CALENDAR, CalendarSettings, calendar

BERLIN = ZoneInfo("Europe/Berlin")
GERMAN = CalendarSettings(country="DE", pay_days=(15, "last weekday"))


def at(*parts: int, zone=UTC) -> float:
    return datetime(*parts, tzinfo=zone).timestamp()


def one(moment: float, **given) -> dict[str, float]:
    return {name: float(column[0]) for name, column in calendar(np.array([moment]), **given).items()}


@given(st.integers(0, 4_000_000_000))
def test_the_parts_of_a_date_are_pythons(second):
    told, wall = one(second, zone="Europe/Berlin"), datetime.fromtimestamp(second, BERLIN)
    assert (told["hour"], told["weekday"], told["day_of_month"], told["month"]) == (
        (wall.hour, wall.weekday(), wall.day, wall.month)
    )
    assert (told["week_of_year"], told["day_of_year"]) == (wall.isocalendar().week, wall.timetuple().tm_yday)
    assert told["is_weekend"] == (wall.weekday() >= 5)


def test_clock_changes_repeat_and_skip_hours():
    changes = np.array(
        [at(2024, 3, 31, 0, 30), at(2024, 3, 31, 1, 30), at(2024, 10, 27, 0, 30), at(2024, 10, 27, 1, 30)]
    )
    assert calendar(changes, "Europe/Berlin")["hour"].tolist() == [1, 3, 2, 2]


def test_leap_days_are_days():
    told = one(at(2024, 2, 29, 12))
    assert (told["day_of_month"], told["month"], told["day_of_year"]) == (29, 2, 60)
    assert one(at(2024, 12, 31))["day_of_year"] == 366 and one(at(2023, 12, 31))["day_of_year"] == 365


def test_iso_weeks_reach_over_new_year():
    assert one(at(2021, 1, 3))["week_of_year"] == 53 and one(at(2024, 12, 30))["week_of_year"] == 1


def test_holidays_are_the_countrys():
    eve = one(at(2024, 12, 24, 12), settings=GERMAN)
    assert (eve["is_holiday"], eve["days_to_holiday"], eve["days_since_holiday"]) == (0, 1, 82)  # since 3 October
    assert one(at(2024, 12, 25, 12), settings=GERMAN)["days_to_holiday"] == 0
    assert one(at(2024, 12, 31, 12), settings=GERMAN)["days_to_holiday"] == 1  # new year is another year's
    assert one(at(2024, 8, 15), settings=CalendarSettings("DE", region="BY"))["is_holiday"] == 0
    assert one(at(2024, 1, 6), settings=CalendarSettings("DE", region="BY"))["is_holiday"] == 1
    assert one(at(2024, 1, 6), settings=CalendarSettings("DE"))["is_holiday"] == 0


def test_a_holiday_begins_at_midnight_where_the_user_lives():
    last_hour = at(2024, 12, 24, 23, 30)
    told = calendar(np.array([last_hour] * 2), ["Europe/Berlin", "UTC"], GERMAN)
    assert told["is_holiday"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("day", "to", "since"),
    [
        ((2024, 3, 15), 0, 0),
        ((2024, 3, 16), 13, 1),
        ((2024, 3, 29), 0, 0),
        ((2024, 3, 31), 15, 2),
        ((2024, 3, 1), 14, 1),
    ],
)
def test_pay_day_is_the_15th_and_the_last_weekday(day, to, since):
    """31 March 2024 is a Sunday: the last weekday is Friday, the 29th; of February it is Thursday, the 29th."""
    told = one(at(*day), settings=GERMAN)
    assert (told["days_to_pay_day"], told["days_since_pay_day"]) == (to, since)


def test_the_31st_is_the_last_day_of_short_months():
    assert one(at(2023, 2, 28), settings=CalendarSettings(pay_days=(31,)))["days_to_pay_day"] == 0
    assert one(at(2024, 2, 28), settings=CalendarSettings(pay_days=("last day",)))["days_to_pay_day"] == 1


def test_unknown_times_and_what_was_not_named_are_null():
    told = one(float("nan"), settings=GERMAN)
    assert all(np.isnan(value) for value in told.values())
    plain = one(at(2024, 1, 1), settings=CalendarSettings(pay_days=()))
    absent = {name for name, value in plain.items() if np.isnan(value)}
    assert absent == {feature.name for feature in CALENDAR if "named" in feature.null or "promotion" in feature.name}


def test_columns_are_float32_in_the_order_of_the_registry():
    told = calendar(np.array([at(2024, 1, 1)]))
    assert list(told) == [feature.name for feature in CALENDAR]
    assert {column.dtype for column in told.values()} == {np.dtype(np.float32)}
    assert calendar(np.zeros(0))["hour"].shape == (0,)


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"country": "GERMANY"}, "No holidays are known of the country 'GERMANY'"),
        ({"country": "DE", "region": "Bayern"}, "DE has no region 'Bayern'"),
    ],
)
def test_an_unknown_country_is_refused(named, says):
    with pytest.raises(DataError, match=says):
        calendar(np.zeros(1), settings=CalendarSettings(**named))


@pytest.mark.parametrize("rule", ["payday", 0, 32, "-1"])
def test_a_pay_day_that_is_none_is_refused(rule):
    with pytest.raises(DataError, match="There is no pay day"):
        CalendarSettings(pay_days=(rule,))


def test_without_the_library_holidays_say_what_to_install(monkeypatch):
    import sys

    from horae.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'horae\[series\]'"):
        calendar(np.zeros(1), settings=GERMAN)


# --- promotions ---


def promotions(**changed) -> pl.DataFrame:
    table = {
        "name": ["spring", "sale"],
        "start": [datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 5, tzinfo=UTC)],
        "end": [datetime(2024, 3, 8, tzinfo=UTC), datetime(2024, 3, 6, tzinfo=UTC)],
        "known_at": [datetime(2024, 2, 20, tzinfo=UTC), datetime(2024, 3, 5, 12, tzinfo=UTC)],
    }
    return pl.DataFrame({name: value for name, value in (table | changed).items() if value is not None})


@pytest.mark.parametrize(
    ("moment", "running", "to_end", "to_start", "since"),
    [
        ((2024, 2, 20), 0, np.nan, np.nan, np.nan),  # announced at this very moment: not before it
        ((2024, 2, 21), 0, np.nan, 9, np.nan),
        ((2024, 3, 1), 1, 7, np.nan, np.nan),
        ((2024, 3, 5), 1, 3, np.nan, np.nan),  # the sale has begun, and nobody has said so
        ((2024, 3, 5, 18), 2, 0.25, np.nan, np.nan),
        ((2024, 3, 6), 1, 2, np.nan, 0),
        ((2024, 3, 9), 0, np.nan, np.nan, 1),
    ],
)
def test_promotions_are_what_was_announced_before(moment, running, to_end, to_start, since):
    told = one(at(*moment), promotions=promotions())
    names = ("promotions_running", "days_to_promotion_end", "days_to_promotion", "days_since_promotion")
    assert [told[name] for name in names] == pytest.approx([running, to_end, to_start, since], nan_ok=True)


def test_without_announcements_a_promotion_is_known_once_it_has_begun():
    table = promotions(known_at=None)
    assert one(at(2024, 2, 29), promotions=table)["promotions_running"] == 0
    assert one(at(2024, 3, 1), promotions=table)["promotions_running"] == 0
    assert one(at(2024, 3, 1, 0, 1), promotions=table)["promotions_running"] == 1


def test_dates_and_naive_times_are_utc():
    table = promotions(known_at=None).with_columns(pl.col("start", "end").dt.date())
    assert one(at(2024, 3, 5, 12), promotions=table)["promotions_running"] == 2


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.integers(0, 30)), min_size=1, max_size=6),
    st.integers(0, 40),
    st.data(),
)
def test_promotions_announced_at_or_after_a_moment_change_nothing(rows, moment, data):
    """As-of property: whatever is announced at or after t may be edited or left out."""
    table = pl.DataFrame(
        {
            "name": [str(number) for number in range(len(rows))],
            "start": pl.Series([start * 10**6 for start, _, _ in rows]).cast(pl.Datetime("us")),
            "end": pl.Series([(start + length) * 10**6 for start, length, _ in rows]).cast(pl.Datetime("us")),
            "known_at": pl.Series([known * 10**6 for _, _, known in rows]).cast(pl.Datetime("us")),
        }
    )
    later = table["known_at"].to_physical() >= moment * 10**6
    edited = table.with_columns(end=pl.col("end") + pl.duration(seconds=data.draw(st.integers(0, 5))) * later.cast(int))
    for other in (table.filter(~later), edited):
        assert one(moment, promotions=other) == pytest.approx(one(moment, promotions=table), nan_ok=True)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"end": [datetime(2024, 2, 1, tzinfo=UTC)] * 2}, r"do not end after they begin: spring \(row 1\), sale"),
        ({"start": None}, "have no column start"),
        ({"start": ["1 March", "5 March"]}, "start is String"),
        ({"end": [None, datetime(2024, 3, 9, tzinfo=UTC)]}, r"end is unknown in spring \(row 1\)"),
    ],
)
def test_promotions_that_cannot_be_are_refused_with_rows(changed, says):
    with pytest.raises(DataError, match=says):
        calendar(np.zeros(1), promotions=promotions(**changed))
