"""Rhythm, habits and trend of a key are what a hand counts, and what comes later changes nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.errors import DataError
from horae.features.lines import DailyCounts, Lines
from horae.features.profiles import PROFILE, SHRINKAGE_EVENTS, profile, profile_shares
from horae.features.recurring import RHYTHM, TREND, rhythm, trend
from horae.features.zones import local_seconds

DAY = 86_400.0
MONDAY = 1_704_067_200.0  # 2024-01-01, a Monday


def lines(*keys: list[float], zone: str = "UTC") -> Lines:
    moments = np.array([moment for key in keys for moment in key], dtype=np.float64)
    return Lines.of(moments, np.cumsum([0, *map(len, keys)]), local_seconds(moments, zone))


def asked(log: Lines, key: int, at: float) -> dict[str, float]:
    key_Q, at_Q = np.array([key]), np.array([at])
    columns = rhythm(log, key_Q, at_Q, at_Q) | trend(log, key_Q, at_Q) | profile(log, key_Q, at_Q, at_Q)
    return {name: float(column[0]) for name, column in columns.items()}


def test_before_is_strictly_before():
    log = lines([1.0, 2.0, 2.0, 3.0], [], [2.0])
    key, at = np.array([0, 0, 0, 0, 1, 2, 2, 0]), np.array([1.0, 2.0, 2.5, 9.0, 2.0, 2.0, 2.1, np.nan])
    assert log.before(key, at).tolist() == [0, 1, 3, 4, 0, 0, 1, 0]


def test_unknown_times_are_left_out_and_disorder_is_refused():
    assert lines([np.nan, 1.0], [np.nan], [2.0]).offset_K.tolist() == [0, 1, 1, 2]
    with pytest.raises(DataError, match="decrease"):
        lines([2.0, 1.0])
    with pytest.raises(DataError, match="offsets do not divide"):
        Lines.of(np.zeros(3), np.array([0, 2]))


def test_windows_are_the_whole_days_before():
    log = lines([0.5 * DAY, 1.5 * DAY, 1.6 * DAY, 3.1 * DAY], [2.5 * DAY])
    counts = DailyCounts.of(log).windows(np.array([0, 0, 1, 1, 0]), np.array([3, 4, 3, 2, 90]), 3)
    assert counts.tolist() == [[1, 2, 0], [2, 0, 1], [0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_a_profile_is_drawn_to_the_whole_logs():
    """The other key's day is over: two events at 9, one at 10, each cell begun with one; own: 12 events at 9."""
    own = [MONDAY + 9 * 3600 + minute for minute in range(12)]
    log = lines(own, [MONDAY - DAY + 9 * 3600, MONDAY - DAY + 9.5 * 3600, MONDAY - DAY + 10 * 3600])
    hours, days = profile_shares(log, np.array([0]), np.array([MONDAY + DAY / 2]), np.array([MONDAY + DAY / 2]))
    whole = np.ones(24)
    whole[9], whole[10] = 3, 2
    by_hand = whole / whole.sum() * SHRINKAGE_EVENTS
    by_hand[9] += 12
    assert hours[0] == pytest.approx(by_hand / (SHRINKAGE_EVENTS + 12))
    assert days[0].sum() == pytest.approx(1) and days[0].argmax() == 0


def test_hours_are_those_where_the_user_lives():
    log = lines([MONDAY + 20 * 3600] * 100, zone="Asia/Tokyo")
    at = np.array([MONDAY + DAY])
    hours, days = profile_shares(log, np.array([0]), at, at)
    assert hours[0].argmax() == 5 and days[0].argmax() == 1


def test_habits_say_how_usual_this_hour_is():
    log = lines([MONDAY + day * DAY + 9.5 * 3600 for day in range(28)])
    usual, unusual = asked(log, 0, MONDAY + 28 * DAY + 9 * 3600), asked(log, 0, MONDAY + 28 * DAY + 3 * 3600)
    assert usual["hour_habit"] > 10 and unusual["hour_habit"] < 0.6
    assert usual["peak_hour"] == pytest.approx(9.5) and usual["hour_focus"] == pytest.approx(1)
    assert np.isnan(asked(log, 0, MONDAY)["peak_hour"])


def test_a_weekly_key_has_a_weekly_period():
    log = lines([MONDAY + 7 * week * DAY + 3600 for week in range(8)])
    told = asked(log, 0, MONDAY + 56 * DAY + 3600)
    assert told["weekly_autocorrelation"] == pytest.approx(1)
    assert told["period_strength"] > 0.1


def test_a_smooth_week_is_the_strongest_period():
    moments = [MONDAY + day * DAY for day in range(56) for _ in range(round(4 + 3 * np.cos(2 * np.pi * day / 7)))]
    told = asked(lines(moments), 0, MONDAY + 56 * DAY)
    assert told["period_days"] == pytest.approx(7) and told["period_strength"] > 0.9


def test_noise_has_periods_and_shifts_in_5_percent():
    rng = np.random.default_rng(0)
    for rate in (0.4, 4.0):
        keys = [sorted(MONDAY + rng.random(rng.poisson(60 * rate)) * 60 * DAY) for _ in range(400)]
        key, at = np.arange(400), np.full(400, MONDAY + 60 * DAY)
        told = rhythm(lines(*keys), key, at, at) | trend(lines(*keys), key, at)
        assert (~np.isnan(told["period_days"])).mean() <= 0.08  # 0.05 and three of its deviations
        assert (~np.isnan(told["level_shift_per_day"])).mean() <= 0.08


def test_the_slope_is_by_the_week():
    moments = [MONDAY + (7 * week + day) * DAY for week in range(8) for day in range(7) for _ in range(1 + week)]
    told = asked(lines(moments), 0, MONDAY + 56 * DAY)
    assert told["slope_per_day"] == pytest.approx(1 / 7)  # one event a day more each week


def test_weeks_before_the_first_event_are_no_quiet_weeks():
    moments = [MONDAY + day * DAY for day in range(28)]
    assert asked(lines(moments), 0, MONDAY + 28 * DAY)["slope_per_day"] == 0
    assert np.isnan(asked(lines(moments), 0, MONDAY + 20 * DAY)["slope_per_day"])
    assert asked(lines(moments), 0, MONDAY + 21 * DAY)["slope_per_day"] == 0


def test_a_leap_is_a_shift():
    moments = [MONDAY + day * DAY + n for day in range(56) for n in range(2 if day < 35 else 8)]
    told = asked(lines(moments), 0, MONDAY + 56 * DAY)
    assert (told["level_shift_per_day"], told["days_since_shift"]) == (pytest.approx(6), 21)


def test_one_event_none_and_unknown_times_are_null():
    log = lines([MONDAY], [], [MONDAY] * 40)
    for key in range(3):
        told = asked(log, key, MONDAY + 40 * DAY)
        assert np.isnan(told["level_shift_per_day"]) or key == 2
        assert told["hour_share_00"] > 0
        assert all(np.isnan(value) for value in asked(log, key, np.nan).values())
    assert np.isnan(asked(log, 0, MONDAY + 40 * DAY)["period_strength"])


def test_columns_are_those_of_the_registry():
    told = asked(lines([MONDAY]), 0, MONDAY)
    assert list(told) == [feature.name for feature in (*RHYTHM, *TREND, *PROFILE)]


MOMENTS = st.lists(st.integers(0, 80 * 24), max_size=25).map(lambda hours: sorted(MONDAY + 3600.0 * h for h in hours))


@given(MOMENTS, MOMENTS, st.integers(0, 80 * 24), MOMENTS, MOMENTS, st.sampled_from(["UTC", "Asia/Tokyo"]))
def test_events_at_or_after_a_moment_change_nothing(one, two, hour, other_one, other_two, zone):
    """As-of property of every column: what any key does at or after t may be edited at will."""
    at = MONDAY + 3600.0 * hour

    def edited(old: list[float], new: list[float]) -> list[float]:
        return [moment for moment in old if moment < at] + [moment for moment in new if moment >= at]

    told = asked(lines(one, two, zone=zone), 0, at)
    again = asked(lines(edited(one, other_one), edited(two, other_two), zone=zone), 0, at)
    assert again == pytest.approx(told, nan_ok=True)
