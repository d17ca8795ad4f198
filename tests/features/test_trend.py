"""Slopes resist wild values, breaks are found where they are, and noise has none."""

import sys

import numpy as np
import pytest
from benchmarks.rhythm import BREAKLESS, BREAKS, START, false_alarms, found_breaks, points, times, wave
from scipy import stats

from horae.errors import MissingExtraError
from horae.features.activity import DAY, HOUR, Activity, bin_times
from horae.features.breaks import find_changes
from horae.features.rhythm import find_rhythms
from horae.features.seasonal import adjusted, trend_bins
from horae.features.trend import find_trend, theil_sen


def days(counts) -> Activity:
    return Activity(np.asarray(counts, dtype=np.float64), START, DAY, len(counts) * DAY)


def test_the_slope_is_the_median_of_all_pairs():
    assert theil_sen(np.array([1.0, 3.0, 2.0, 100.0])) == np.median([2, -1, 98, 0.5, 33, 97 / 2])
    values = np.random.default_rng(0).normal(size=80)
    assert theil_sen(values) == pytest.approx(stats.theilslopes(values).slope)


def test_a_third_of_wild_values_does_not_move_the_slope():
    values = 2.0 * np.arange(90)
    values[::4] = 1e6
    assert theil_sen(values) == pytest.approx(2)


def test_a_long_series_has_the_slope_of_its_means():
    assert theil_sen(np.arange(5_000) * 0.5) == pytest.approx(0.5)


@pytest.mark.parametrize("name", BREAKS)
def test_breaks_are_found_within_two_days(name):
    found = np.mean([found_breaks(np.random.default_rng([seed, 9]), *BREAKS[name]) for seed in range(8)], axis=0)
    assert found[0] >= 0.85 and found[1] >= 0.85  # one of eight may fail; the benchmark asks 200


def test_noise_has_no_breaks_in_95_percent():
    assert np.mean([false_alarms(kind, 6)["breaks"] for kind in BREAKLESS]) <= 0.05


def test_a_shift_has_its_levels():
    told = find_trend(days([100, 103, 98, 101] * 10 + [150, 148, 152, 151] * 10)).breaks
    assert [one.kind for one in told] == ["shift"]
    assert told[0].at_seconds == START + 40 * DAY
    assert told[0].before_per_day == pytest.approx(100, abs=4) and told[0].after_per_day == pytest.approx(150, abs=4)
    assert told[0].as_dict()["at"] == "2024-02-10T00:00:00+00:00"


def test_a_slope_is_in_events_per_day():
    activity = bin_times(np.repeat(START + np.arange(60) * DAY + HOUR, 10 + 3 * np.arange(60)), HOUR)
    assert find_trend(activity).slope_per_day == pytest.approx(3)
    assert find_trend(activity).breaks == ()


def test_a_straight_line_and_steady_growth_have_no_breaks():
    assert find_trend(days(100 + 50 * np.arange(100))).breaks == ()
    assert find_trend(days(np.round(100 * 1.05 ** np.arange(100)))).breaks == ()


@pytest.mark.parametrize("counts", [[], [5], [5, 5], [0, 0, 0, 0], [7] * 40, [0] * 40, [3] * 11, [1, 0] * 30])
def test_series_that_cannot_tell_have_defined_answers(counts):
    trend = find_trend(days(counts))
    assert trend.breaks == ()
    assert trend.slope_per_day == (None if len(counts) < 3 else 0)
    assert (trend.level_per_day is None) == (len(counts) == 0)


def test_without_ruptures_the_slope_is_there_and_breaks_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ruptures", None)
    assert find_trend(days([1, 2, 3] * 10), breaks=False).breaks is None
    with pytest.raises(MissingExtraError, match=r"pip install 'horae\[series\]'"):
        find_trend(days([1, 2, 3] * 10))


def test_one_wild_day_is_no_break():
    counts = np.random.default_rng(1).poisson(50, 100)
    counts[40] = 5_000
    assert find_trend(days(counts)).breaks == ()


def test_changes_of_a_line_are_none():
    assert find_changes(np.arange(50.0)).shifts == () == find_changes(np.arange(50.0)).turns


def test_a_day_that_the_log_does_not_cover_is_left_out():
    hours = np.arange(30 * 24 + 6) * HOUR + START + 15 * HOUR  # from 15:00 to 20:00
    bins = trend_bins(bin_times(hours + 60, HOUR))
    assert set(bins.counts_M) == {24.0} and bins.start_seconds == START + DAY


def test_a_week_is_taken_out():
    moments = points(np.random.default_rng(2), 30_000, 70 * DAY, times(wave(7 * DAY, START, 0.5)))
    activity = bin_times(moments)
    plain, flat = trend_bins(activity), adjusted(trend_bins(activity), find_rhythms(activity))
    assert plain.counts_M.std() > 4 * flat.counts_M.std()
    assert flat.counts_M.sum() == pytest.approx(plain.counts_M.sum(), rel=0.02)
