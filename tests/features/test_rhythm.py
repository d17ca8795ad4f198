"""Periods that are there are found, with their phase; noise, drift, leaps and harmonics are none."""

import numpy as np
import pytest
from benchmarks.rhythm import NOISES, PERIODS, START, false_alarms, found_periods, phase_error, points, times, wave
from scipy import signal

from horae.features.activity import DAY, HOUR, bin_times
from horae.features.periodogram import periodogram
from horae.features.rhythm import find_rhythms, rhythms_of


def log(seed: int, number: int, span: float, *rates) -> np.ndarray:
    return points(np.random.default_rng(seed), number, span, times(*rates))


@pytest.mark.parametrize("name", PERIODS)
def test_periods_and_phases_are_found_in_95_percent(name):
    """Ten cycles, 5,000 events, amplitude 0.3: period within 2%, phase within 5%."""
    found = np.mean([found_periods(np.random.default_rng([seed, 7]), *PERIODS[name]) for seed in range(20)], axis=0)
    assert found[0] >= 0.95 and found[1] >= 0.95 and found[2] <= 0.1


def test_noise_of_many_kinds_has_no_period_in_95_percent():
    shares = [false_alarms(kind, 10, breaks=False)["periods"] for kind in NOISES]
    assert np.mean(shares) <= 0.05


def test_a_period_is_told_as_it_is():
    truth = START + 15 * HOUR
    found = rhythms_of(log(1, 200_000, 40 * DAY, wave(DAY, truth, 0.5)))
    assert [one.period_seconds for one in found] == [DAY]
    assert found[0].amplitude == pytest.approx(0.5, abs=0.02)
    assert found[0].phase_seconds == pytest.approx(15 * HOUR, abs=300)
    assert START + 38 * DAY < found[0].last_peak_seconds <= START + 40 * DAY
    assert found[0].last_peak_seconds % DAY == pytest.approx(found[0].phase_seconds)
    assert 0 <= found[0].p_value < 1e-20 and 0.5 < found[0].strength <= 1


def test_the_power_is_that_of_scipys_lomb_scargle():
    """A second implementation: on even bins its unnormalised power is the squared transform over half the length."""
    activity = bin_times(log(2, 3_000, 10 * DAY, wave(DAY, START, 0.4)), HOUR)
    rest = activity.counts_M - activity.counts_M.mean()
    spectrum = periodogram(activity, rest)
    angles = 2 * np.pi * spectrum.frequency_F
    other = signal.lombscargle(activity.middles_M, rest, angles) * len(rest) / activity.events
    top = spectrum.power_F.argmax()
    assert spectrum.power_F[top] == pytest.approx(other[top], rel=0.02)
    assert np.corrcoef(spectrum.power_F, other)[0, 1] > 0.999


def test_independent_events_have_power_one():
    powers = []
    for seed in range(10):
        activity = bin_times(log(seed, 2_000, 10 * DAY, np.ones_like), HOUR)
        powers.append(periodogram(activity, activity.counts_M - activity.counts_M.mean()).power_F.mean())
    assert np.mean(powers) == pytest.approx(1, abs=0.1)


def test_harmonics_are_no_periods_of_their_own():
    def at_noon(t):
        return 0.2 + 5 * np.exp(-0.5 * (((t % DAY) - DAY / 2) / HOUR) ** 2)

    found = rhythms_of(log(3, 50_000, 30 * DAY, at_noon))
    assert [one.period_seconds for one in found] == [DAY]
    assert found[0].phase_seconds == pytest.approx(DAY / 2, abs=600)


def test_a_harmonic_that_is_stronger_is_told():
    found = rhythms_of(log(4, 20_000, 30 * DAY, wave(DAY, START, 0.2), wave(DAY / 2, START, 0.6)))
    assert [one.period_seconds for one in found] == [DAY / 2, DAY]


def test_a_day_is_no_harmonic_of_a_week():
    found = rhythms_of(log(5, 20_000, 70 * DAY, wave(7 * DAY, START, 0.7), wave(DAY, START, 0.4)))
    assert [one.period_seconds for one in found] == [7 * DAY, DAY]


def test_a_weekend_is_one_period():
    found = rhythms_of(log(6, 50_000, 140 * DAY, lambda t: np.where(t // DAY % 7 < 5, 1.0, 0.2)))
    assert [one.period_seconds for one in found] == [7 * DAY]


def test_other_hours_at_the_weekend_are_one_daily_period():
    """As many events each day, at noon or in the evening: the day's sidebands a week apart are none of their own."""

    def rate(t):
        peak = np.where(t // DAY % 7 < 5, 12.0, 17.0) * HOUR
        return 1 + np.cos(2 * np.pi * (t - peak) / DAY)

    found = rhythms_of(log(12, 60_000, 140 * DAY, rate))
    assert [one.period_seconds for one in found if one.period_seconds < 1.5 * DAY] == [DAY]


def test_whole_days_have_weeks_and_no_hours():
    moments = log(7, 20_000, 140 * DAY, wave(7 * DAY, START, 0.5), wave(DAY, START, 0.9)) // DAY * DAY
    assert [one.period_seconds for one in rhythms_of(moments)] == [7 * DAY]


def test_a_round_period_is_told_exactly():
    found = rhythms_of(log(8, 5_000, 50 * HOUR, wave(5 * HOUR, START, 0.6)))
    assert [one.period_seconds for one in found] == [5 * HOUR]


@pytest.mark.parametrize(
    "moments",
    [
        np.zeros(0),
        np.array([np.nan, np.nan]),
        np.array([START]),
        np.full(1_000, START),
        START + np.arange(5) * DAY,
        START + np.repeat(np.arange(3) * DAY, 100),
        START + np.arange(1_000) * 1e-3,
        START + np.arange(200) * 200 * DAY,
    ],
)
def test_series_that_cannot_tell_have_defined_answers(moments):
    assert all(np.isfinite(list(one.as_dict().values())[:4]).all() for one in rhythms_of(moments))


def test_clockwork_is_a_period():
    found = rhythms_of(START + np.arange(500) * 7_000.0)
    assert found[0].period_seconds == pytest.approx(7_000, rel=0.02)


def test_order_and_unknown_times_do_not_matter():
    moments = log(9, 3_000, 10 * DAY, wave(DAY, START, 0.5))
    mixed = np.random.default_rng(0).permutation(np.r_[moments, np.nan])
    assert rhythms_of(mixed) == rhythms_of(moments)


def test_events_later_than_the_input_are_not_looked_at():
    """Nothing but the bins goes in: the same bins, the same answer, whatever the log had later."""
    moments = log(10, 5_000, 20 * DAY, wave(DAY, START, 0.5))
    until = START + 12 * DAY
    changed = np.r_[moments[moments < until], until + np.arange(5_000.0)]
    assert rhythms_of(moments[moments < until]) == rhythms_of(changed[changed < until])


def test_phase_errors_are_shares_of_a_period():
    assert phase_error(25.0, 10.0, 4.0, 10.0, 100.0) == pytest.approx(0.1)


def test_a_stricter_level_tells_less():
    weak = bin_times(log(11, 600, 10 * DAY, wave(DAY, START, 0.3)))
    assert len(find_rhythms(weak, alpha=1e-12)) == 0
