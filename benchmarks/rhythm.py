"""Bars: amplitude 0.3, ten cycles, 5,000 events: 95% found (periods within 2%, phase within 5%, breaks within 2 days).

False alarms on noise: 5% at most. Everything is simulated here, so that the truth is known; nothing is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from horae.features.activity import DAY, Floats, bin_times
from horae.features.rhythm import find_rhythms
from horae.features.trend import find_trend

SERIES = 200
NOISE = 80
START = 1_704_067_200.0
Rate = Callable[[Floats], Floats]
Generator = np.random.Generator


def points(rng: Generator, number: int, span: float, rate: Rate) -> Floats:
    """Times of independent events whose density is as the rate, from `START` on."""
    grid = np.linspace(0, span, 20_001)
    running = np.concatenate([[0.0], np.cumsum(rate((grid[1:] + grid[:-1]) / 2))])
    return START + np.interp(rng.random(number) * running[-1], running, grid)


def wave(period: float, peak: float, amplitude: float) -> Rate:
    return lambda t: 1 + amplitude * np.cos(2 * np.pi * (START + t - peak) / period)


def times(*rates: Rate) -> Rate:
    """All rates at once."""
    return lambda t: np.prod([rate(t) for rate in rates], axis=0)


def drift(span: float) -> Rate:
    """Doubles over the span, and leaps by half at three fifths of it."""
    return lambda t: (1 + t / span) * (1 + 0.5 * (t > 0.6 * span))


def noise(rng: Generator, kind: str, span: float, number: int) -> Floats:
    """Events without any period."""
    if kind == "independent":
        return points(rng, number, span, np.ones_like)
    if kind == "bursts":
        visits = points(rng, max(5, number // 8), span, np.ones_like)
        sizes = 1 + np.minimum(rng.geometric(1 / 8, len(visits)) * np.exp(rng.normal(0, 1, len(visits))), 2000)
        return inside(np.repeat(visits, sizes.astype(int)) + rng.exponential(1800, int(sizes.astype(int).sum())), span)
    if kind == "spells":
        begun = points(rng, max(5, number // 40), span, np.ones_like)
        sizes = rng.poisson(40, len(begun)) + 1
        length = np.repeat(rng.exponential(min(4 * DAY, span / 30), len(begun)), sizes)
        return inside(np.repeat(begun, sizes) + rng.random(int(sizes.sum())) * length, span)
    if kind == "drift":
        slope = rng.uniform(0.3, 3)
        return points(rng, number, span, lambda t: 1 + slope * t / span)
    if kind == "growth":
        growth = rng.uniform(0.5, 2)
        return points(rng, number, span, lambda t: np.exp(growth * t / span))
    if kind == "shifts":
        levels, at = np.exp(rng.normal(0, 0.5, 4)), np.sort(rng.random(3)) * span
        return points(rng, number, span, lambda t: levels[np.searchsorted(at, t)])
    assert kind == "lost days"
    kept = points(rng, number, span, np.ones_like)
    days = np.unique(kept // DAY)
    return kept[~np.isin(kept // DAY, rng.choice(days, max(1, len(days) // 10)))]


def inside(found: Floats, span: float) -> Floats:
    """A log ends where it ends."""
    return found[found < START + span]


NOISES = ("independent", "bursts", "spells", "drift", "growth", "shifts", "lost days")
BREAKLESS = ("independent", "bursts", "drift", "growth", "spells")  # a lost day of three is a shift
PERIODS = {
    "a day": ((DAY,), 10 * DAY, False),
    "a week": ((7 * DAY,), 70 * DAY, False),
    "5.3 hours": ((5.3 * 3600,), 53 * 3600, False),
    "3.37 days, with drift and a leap": ((3.37 * DAY,), 33.7 * DAY, True),
    "a day and a week, with drift and a leap": ((DAY, 7 * DAY), 70 * DAY, True),
}
BREAKS: dict[str, tuple[Rate, int, float, tuple[float, ...]]] = {
    "up by half, 5,000 events in 70 days": (lambda t: 1 + 0.5 * (t > 42 * DAY), 5_000, 70, (42,)),
    "down by 40%, 5,000 events in 100 days": (lambda t: 1 - 0.4 * (t > 30 * DAY), 5_000, 100, (30,)),
    "up and down, 10,000 events in 120 days": (
        lambda t: 1 + 0.6 * (t > 30 * DAY) - 0.5 * (t > 80 * DAY), 10_000, 120, (30, 80)
    ),
    "up by half on a slope, 10,000 events in 70 days": (
        lambda t: (1 + t / (70 * DAY)) * (1 + 0.5 * (t > 42 * DAY)), 10_000, 70, (42,)
    ),
    "a turn of the slope, 50,000 events in 120 days": (
        lambda t: 1 + np.minimum(t / DAY, 60) / 30 - 1.5 * np.maximum(t / DAY - 60, 0) / 60, 50_000, 120, (60,)
    ),
}  # fmt: skip


def found_periods(rng: Generator, periods: tuple[float, ...], span: float, drifting: bool) -> tuple[bool, bool, bool]:
    """Are all periods within 2%; are their peaks in the middle of the log within 5% too; is anything else told?"""
    peaks = [START + rng.random() * period for period in periods]
    rates = [wave(period, peak, 0.3) for period, peak in zip(periods, peaks, strict=True)]
    told = find_rhythms(bin_times(points(rng, 5_000, span, times(*rates, *([drift(span)] if drifting else [])))))
    near = [[one for one in told if abs(one.period_seconds / period - 1) <= 0.02] for period in periods]
    if not all(near):
        return False, False, len(told) > 0
    off = [
        phase_error(one[0].last_peak_seconds, one[0].period_seconds, peak, period, START + span / 2)
        for one, peak, period in zip(near, peaks, periods, strict=True)
    ]
    return True, max(off) <= 0.05, len(told) > len(periods)


def phase_error(told_peak: float, told_period: float, peak: float, period: float, at: float) -> float:
    """Distance of the told peak to the true one next to a moment, as a share of the period."""
    truth = peak + round((at - peak) / period) * period
    off = (told_peak - truth) / told_period
    return abs(off - round(off))


def found_breaks(rng: Generator, rate: Rate, number: int, days: float, at: tuple[float, ...]) -> tuple[bool, bool]:
    """Is each break told within 2 days; is nothing else told? Under a daily and a weekly rhythm."""
    rhythm = times(wave(DAY, START, 0.3), wave(7 * DAY, START + 2 * DAY, 0.3))
    activity = bin_times(points(rng, number, days * DAY, times(rhythm, rate)))
    told = find_trend(activity, find_rhythms(activity)).breaks or ()
    off = [min((abs((one.at_seconds - START) / DAY - day) for one in told), default=np.inf) for day in at]
    return max(off) <= 2, len(told) <= len(at)


def false_alarms(kind: str, series: int, breaks: bool = True) -> dict[str, float]:
    """Share of noise logs, of 3 to 365 days and 200 to 50,000 events, in which a period, or a break, is told."""
    alarms = np.zeros(2)
    for seed in range(series):
        rng = np.random.default_rng([seed, NOISES.index(kind)])
        span, number = rng.choice([3, 10, 40, 100, 365]) * DAY, int(np.exp(rng.uniform(np.log(200), np.log(50_000))))
        activity = bin_times(noise(rng, kind, span, number))
        told = find_rhythms(activity)
        alarms += bool(told), bool(find_trend(activity, told, breaks=breaks).breaks)
    shares = dict(zip(("periods", "breaks"), map(float, alarms / series), strict=True))
    return shares if breaks and kind in BREAKLESS else {"periods": shares["periods"]}


def measure(data: Path, series: int = SERIES, noises: int = NOISE) -> dict[str, Any]:
    cpu = time.process_time()
    periods = {}
    for name, (lengths, span, drifting) in PERIODS.items():
        shares = np.mean(
            [found_periods(np.random.default_rng([seed, 77]), lengths, span, drifting) for seed in range(series)],
            axis=0,
        )
        periods[name] = dict(zip(("period", "phase", "others_told"), map(float, shares), strict=True))
    breaks = {}
    for name, case in BREAKS.items():
        shares = np.mean([found_breaks(np.random.default_rng([seed, 78]), *case) for seed in range(series)], axis=0)
        breaks[name] = dict(zip(("found", "nothing_else"), map(float, shares), strict=True))
    alarms = {kind: false_alarms(kind, noises) for kind in NOISES}
    return {
        "series": series,
        "noise_series": {"periods": noises * len(NOISES), "breaks": noises * len(BREAKLESS)},
        "periods": periods,
        "breaks": breaks,
        "false_alarms": alarms,
        "false_alarm_share": {
            what: float(np.mean([one[what] for one in alarms.values() if what in one]))
            for what in ("periods", "breaks")
        },
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }
