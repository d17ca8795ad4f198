"""Whose calendar and clock features are read off, across clock changes and leap days; and what is refused."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from horae.errors import DataError, RecipeError
from horae.features.calendar import CalendarSettings
from horae.features.compute import compute_features
from horae.features.settings import FeatureSettings
from tests.logs import events_of

BERLIN = ZoneInfo("Europe/Berlin")


def every_hour(first: datetime, hours: int):
    """One user's events, an hour apart."""
    return events_of([("u", "i", first.timestamp() + 3_600 * n) for n in range(hours)])


@pytest.mark.parametrize(("day", "hours"), [(date(2024, 3, 31), 23), (date(2024, 10, 27), 25), (date(2024, 2, 29), 24)])
def test_hours_and_days_are_those_of_the_clock_on_the_wall(day: date, hours: int):
    begins = datetime(day.year, day.month, day.day, tzinfo=BERLIN)
    log = every_hour(begins - timedelta(hours=30), 100)
    frame = compute_features(log, settings=FeatureSettings(["calendar"], timezone="Europe/Berlin"))
    local = [moment.astimezone(BERLIN) for moment in frame["timestamp"]]
    for name, told in (
        ("hour", [moment.hour for moment in local]),
        ("weekday", [moment.weekday() for moment in local]),
        ("day_of_month", [moment.day for moment in local]),
        ("month", [moment.month for moment in local]),
        ("day_of_year", [moment.timetuple().tm_yday for moment in local]),
        ("week_of_year", [moment.isocalendar().week for moment in local]),
    ):
        assert frame[name].to_list() == told, name
    assert sum(moment.date() == day for moment in local) == hours


def test_a_grid_of_days_stands_at_local_midnights_and_counts_23_24_and_25_hours():
    settings = FeatureSettings(["windows"], ["1d"], timezone="Europe/Berlin")
    for month, hours in ((3, 23), (10, 25)):
        change = datetime(2024, month, 31 if month == 3 else 27, tzinfo=BERLIN)
        frame = compute_features(every_hour(change - timedelta(days=2), 150), at="1d", settings=settings)
        local = [moment.astimezone(BERLIN) for moment in frame["timestamp"]]
        assert all((moment.hour, moment.minute) == (0, 0) for moment in local)
        steps = [
            (b - a).total_seconds() / 3_600 for a, b in zip(frame["timestamp"], frame["timestamp"][1:], strict=False)
        ]
        assert sorted(set(steps)) == sorted({24.0, float(hours)}) and steps.count(hours) == 1
        assert local[0].date() == change.date() - timedelta(days=1)  # the first midnight after the first event
        assert frame["count_1d"].max() == 24  # a window of a day is 24 hours, whatever the clocks do


def test_weeks_of_a_zone_begin_on_its_mondays_and_the_last_moment_is_after_the_last_event():
    first = datetime(2024, 3, 25, tzinfo=BERLIN)
    log = every_hour(first, 24 * 15)
    frame = compute_features(log, "all", "1w", FeatureSettings(["recency"], timezone="Europe/Berlin"))
    local = [moment.astimezone(BERLIN) for moment in frame["timestamp"]]
    assert [moment.date() for moment in local] == [date(2024, 4, 1), date(2024, 4, 8), date(2024, 4, 15)]
    assert {(moment.weekday(), moment.hour) for moment in local} == {(0, 0)}


def test_habits_are_read_off_the_local_clock_on_both_sides_of_a_clock_change():
    """Somebody comes at nine in the morning, where they live; UTC sees eight and seven."""
    days = [datetime(2024, 3, 10 + n, 9, 30, tzinfo=BERLIN) if n < 22 else None for n in range(22)]
    days += [datetime(2024, 4, 1 + n, 9, 30, tzinfo=BERLIN) for n in range(22)]
    log = events_of([("u", "i", day.timestamp()) for day in days if day])
    asked = {"by": "all", "at": "2024-04-23"}
    home = compute_features(log, **asked, settings=FeatureSettings(["rhythm"], timezone="Europe/Berlin"))
    away = compute_features(log, **asked, settings=FeatureSettings(["rhythm"]))
    assert home["hour_focus"][0] == pytest.approx(1.0) and home["peak_hour"][0] == pytest.approx(9.5)
    assert away["hour_focus"][0] < 0.995


def test_times_that_name_no_zone_are_of_the_zone_asked_for():
    log = every_hour(datetime(2024, 5, 1, tzinfo=UTC), 72)
    settings = FeatureSettings(["recency", "tables"], timezone="Europe/Berlin")
    plans = {"plans": pl.DataFrame({"user_id": ["u", "u"], "plan": ["a", "b"], "valid_from": [None, "2024-05-02"]})}
    at = ["2024-05-01T23:00", "2024-05-02", "2024-05-02T00:00+02:00", "2024-05-01T22:00Z"]
    requests = pl.DataFrame({"user_id": ["u"] * 4, "timestamp": at})
    frame = compute_features(log, at=requests, settings=settings, tables=plans)
    assert [moment.hour for moment in frame["timestamp"]] == [21, 22, 22, 22]
    assert frame["plan"].to_list() == ["a", "b", "b", "b"]
    for one in ("2024-05-02", date(2024, 5, 2), datetime(2024, 5, 2), datetime(2024, 5, 1, 22, tzinfo=UTC)):
        single = compute_features(log, at=one, settings=FeatureSettings(["recency"], timezone="Europe/Berlin"))
        assert single["timestamp"].to_list() == [datetime(2024, 5, 1, 22, tzinfo=UTC)]


def test_what_the_calendar_is_not_told_has_no_column():
    pytest.importorskip("holidays")
    log = every_hour(datetime(2024, 4, 30, tzinfo=UTC), 48)
    plain = compute_features(log, settings=FeatureSettings(["calendar"]))
    assert not [name for name in plain.columns if "holiday" in name or "promotion" in name]
    assert plain["days_to_pay_day"].null_count() == 0
    sale = pl.DataFrame({"name": ["sale"], "start": ["2024-05-01"], "end": ["2024-05-02"]})
    sale = sale.with_columns(pl.col("start", "end").str.to_date())
    told = FeatureSettings(["calendar"], calendar=CalendarSettings("DE", pay_days=()))
    frame = compute_features(log, settings=told, promotions=sale)
    assert frame["is_holiday"].to_list() == [0.0] * 24 + [1.0] * 24  # the first of May
    assert frame["promotions_running"][30] == 1 and "days_to_pay_day" not in frame.columns


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"timezone": "Europe/Berln"}, DataError, "no time zone 'Europe/Berln'"),
        ({"timezone": "Europe"}, DataError, "no time zone"),
        ({"windows": ["7x"]}, RecipeError, "not a length of time"),
        ({"windows": []}, RecipeError, "at least one"),
        ({"half_lives": ["-1d"]}, RecipeError, "into the future"),
        ({"groups": ["weather"]}, RecipeError, "no group of features"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, error, said):
    with pytest.raises(error) as refused:
        FeatureSettings(**wrong)
    assert said in f"{refused.value} {refused.value.hint}" and refused.value.hint
