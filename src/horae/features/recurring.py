"""The rhythm and the trend of each key as of each moment, from its counts on the whole days before.

In: `Lines` and moments. Out: one column for each of `RHYTHM` and of `TREND`. But for habits, all of a key's moments on
one day (UTC) have the same answer, worked out once; the day itself is not looked at. For the periods and breaks of a
whole log, the modules `rhythm` and `trend` see more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from horae.features.activity import Floats, Ints
from horae.features.feature import Columns, Feature
from horae.features.lines import DailyCounts, Lines
from horae.features.profiles import HABITS, habits
from horae.features.zones import local_days

__all__ = ["RHYTHM", "TREND", "rhythm", "trend"]

CHUNK: Final = 20_000
WINDOW_DAYS: Final = 56
WEEK: Final = 7
WEEKS: Final = WINDOW_DAYS // WEEK
FEWEST_EVENTS: Final = 6
FALSE_ALARMS: Final = 0.05
SHIFT_PRICE: Final = 8.0
"""Twice the log-likelihood that a split must gain: under 5% for the best of seven in Poisson counts."""
QUIET: Final = f"under {FEWEST_EVENTS} events in the {WINDOW_DAYS} days before"

RHYTHM: Final = (
    *HABITS,
    Feature("period_days", "days", f"{QUIET}; no period that noise shows in under 5%", "of the strongest period"),
    Feature("period_strength", "share", QUIET, "of the variance of daily counts, by the strongest period"),
    Feature("weekly_autocorrelation", "-1 to 1", QUIET, "of daily counts at a lag of seven days"),
)
TREND: Final = (
    Feature("slope_per_day", "events per day, per day", "under three weeks since the first event", "Theil-Sen, weekly"),
    Feature("level_shift_per_day", "events per day", "no shift that noise shows in under 5%", "after minus before"),
    Feature("days_since_shift", "days", "no shift that noise shows in under 5%", "since the level's last change"),
)


def rhythm(lines: Lines, key_Q: Ints, at_Q: Floats, local_Q: Floats) -> Columns:
    """The columns of `RHYTHM`.

    Args:
        lines: With local times.
        key_Q: Who is asked about.
        at_Q: As of when, in epoch seconds.
        local_Q: The same on the wall clock there.

    Source: Fisher 1929 (doi:10.1098/rspa.1929.0151): the share of the largest periodogram ordinate; its p-value's
        first term, which is an upper bound.
    """
    return habits(lines, key_Q, at_Q, local_Q) | _daily(lines, key_Q, at_Q, RHYTHM[len(HABITS) :], _periods)


def trend(lines: Lines, key_Q: Ints, at_Q: Floats) -> Columns:
    """The columns of `TREND`, from the eight whole weeks before the moment's day.

    Source: Sen 1968 (doi:10.1080/01621459.1968.10480934) for the slope; for the shift the likelihood ratio of Poisson
        counts with one change.
    Differs: counts more scattered than Poisson make the shift's price higher in proportion.
    """
    return _daily(lines, key_Q, at_Q, TREND, _trends)


Answer = Callable[[Floats, Ints], Floats]


def _daily(lines: Lines, key_Q: Ints, at_Q: Floats, features: tuple[Feature, ...], answer: Answer) -> Columns:
    """Ask once for each key and day that occurs, and hand the answer to all their moments."""
    columns = {one.name: np.full(len(key_Q), np.nan, dtype=np.float32) for one in features}
    known = ~np.isnan(at_Q)
    if not known.any():
        return columns
    counts, day = DailyCounts.of(lines), local_days(at_Q[known])
    low, size = int(day.min()), int(day.max() - day.min()) + 1
    codes, place = np.unique(key_Q[known] * size + day - low, return_inverse=True)
    found = np.empty((len(codes), len(features)), dtype=np.float32)
    for start in range(0, len(codes), CHUNK):
        key, then = codes[start : start + CHUNK] // size, codes[start : start + CHUNK] % size + low
        window = counts.windows(key, then, WINDOW_DAYS)
        age = np.clip(then - counts.begun_K[key], 0, WINDOW_DAYS)
        found[start : start + CHUNK] = answer(window, age)
    for number, column in enumerate(columns.values()):
        column[known] = found[place, number]
    return columns


def _periods(window: Floats, age: Ints) -> Floats:
    """Strongest period, its share, the autocorrelation of a week."""
    del age  # days before a key's first event are quiet days like others
    centred = window - window.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(centred, axis=1)[:, 2:-1]) ** 2  # from two cycles in the window to just under Nyquist
    total = power.sum(axis=1)
    best, orders = power.argmax(axis=1), np.arange(2, 2 + power.shape[1])
    share = np.divide(power.max(axis=1), total, out=np.zeros(len(total)), where=total > 0)
    chance = power.shape[1] * np.maximum(1 - share, 0.0) ** (power.shape[1] - 1)
    variance = (centred**2).sum(axis=1)
    lagged = (centred[:, WEEK:] * centred[:, :-WEEK]).sum(axis=1) * WINDOW_DAYS / (WINDOW_DAYS - WEEK)
    weekly = np.divide(lagged, variance, out=np.zeros(len(total)), where=variance > 0)
    answers = np.column_stack([WINDOW_DAYS / orders[best], share, np.clip(weekly, -1, 1)])
    answers[chance > FALSE_ALARMS, 0] = np.nan
    answers[window.sum(axis=1) < FEWEST_EVENTS] = np.nan
    return answers


def _trends(window: Floats, age: Ints) -> Floats:
    """Slope, shift, days since it; weeks before a key's first event do not count as quiet."""
    weeks = window.reshape(len(window), WEEKS, WEEK).sum(axis=2)
    full = age // WEEK
    weeks[np.arange(WEEKS) < (WEEKS - full)[:, None]] = np.nan
    earlier, later = np.triu_indices(WEEKS, 1)
    slopes = np.sort((weeks[:, later] - weeks[:, earlier]) / (later - earlier), axis=1)  # NaN last
    number = full * (full - 1) // 2
    rows, middle = np.arange(len(weeks)), np.maximum(number - 1, 0)
    slope = (slopes[rows, middle // 2] + slopes[rows, (middle + 1) // 2]) / 2 / WEEK**2
    slope[full < 3] = np.nan
    return np.column_stack([slope, *_shift(weeks, full)])


def _shift(weeks: Floats, full: Ints) -> tuple[Floats, Floats]:
    """The most likely split of the weeks into two levels, if it is likely enough."""
    counts, valid = np.nan_to_num(weeks), ~np.isnan(weeks)
    before, number = np.cumsum(counts, axis=1)[:, :-1], np.cumsum(valid, axis=1)[:, :-1]
    total, size = counts.sum(axis=1, keepdims=True), valid.sum(axis=1, keepdims=True)
    after, rest = total - before, size - number
    both = (number > 0) & (rest > 0)
    gain = np.where(both, _likelihood(before, number) + _likelihood(after, rest) - _likelihood(total, size), 0.0)
    best, rows = gain.argmax(axis=1), np.arange(len(weeks))
    steps = np.where(valid[:, 1:] & valid[:, :-1], np.diff(counts, axis=1) ** 2, 0.0).sum(axis=1)
    mean = np.maximum(total[:, 0] / np.maximum(size[:, 0], 1), 1e-12)
    scatter = np.maximum(1.0, steps / np.maximum(2 * (full - 1), 1) / mean)
    sure = 2 * gain[rows, best] / scatter > SHIFT_PRICE
    levels = (
        part[rows, best] / np.maximum(weeks_of[rows, best], 1) for part, weeks_of in ((after, rest), (before, number))
    )
    higher = np.subtract(*levels) / WEEK
    since = (WEEKS - 1 - best) * float(WEEK)
    return np.where(sure, higher, np.nan), np.where(sure, since, np.nan)


def _likelihood(count: Floats, weeks: Ints) -> Floats:
    """Of a Poisson count at its own mean, without what all splits share."""
    return np.asarray(count * np.log(np.maximum(count, 1e-12) / np.maximum(weeks, 1)))
