"""When a key is active: shares by hour of the day and by weekday, as of each moment, drawn to the whole log's.

In: `Lines` with local times, and moments. Out: one column for each of `PROFILE` (the whole profile) or of `HABITS`
(what it says of the moment itself). A key's own events count strictly before the moment; the whole log's profile is
that of the days (UTC) before the moment's day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from horae.features.activity import DAY, HOUR, Floats, Ints
from horae.features.feature import Columns, Feature
from horae.features.lines import Lines
from horae.features.zones import local_days, weekdays

__all__ = ["HABITS", "PROFILE", "habits", "profile", "profile_shares"]

SHRINKAGE_EVENTS: Final = 24.0
"""The whole log's profile counts like so many events of the key's own."""
CHUNK: Final = 100_000
UNKNOWN: Final = "the time is unknown"
NO_EVENTS: Final = f"{UNKNOWN}; no event before"

PROFILE: Final = (
    *(Feature(f"hour_share_{hour:02}", "share", UNKNOWN, f"of events from {hour} to {hour + 1}") for hour in range(24)),
    *(
        Feature(f"weekday_share_{day}", "share", UNKNOWN, f"of events on weekday {day} (0 is Monday)")
        for day in range(7)
    ),
)
HABITS: Final = (
    Feature("hour_habit", "ratio", UNKNOWN, "share of this hour over an even share; 1 is as any hour"),
    Feature("weekday_habit", "ratio", UNKNOWN, "share of this weekday over an even share"),
    Feature("peak_hour", "hours, 0 to 24", NO_EVENTS, "circular mean of the times of day"),
    Feature("hour_focus", "0 to 1", NO_EVENTS, "1: always at the same time of day; 0: at any"),
)


@dataclass(frozen=True, eq=False)
class _Counts:
    """Of each moment: own events by hour and by weekday, and the whole log's, with one of each cell added."""

    own_hour: Floats
    own_weekday: Floats
    all_hour: Floats
    all_weekday: Floats


def profile(lines: Lines, key_Q: Ints, at_Q: Floats, local_Q: Floats) -> Columns:
    """The columns of `PROFILE`: `hour_share_00` to `weekday_share_6`.

    Args:
        lines: With local times.
        key_Q: Who is asked about.
        at_Q: As of when, in epoch seconds.
        local_Q: The same on the wall clock there.
    """
    hours, days = profile_shares(lines, key_Q, at_Q, local_Q)
    shares = np.concatenate([hours, days], axis=1)
    return {one.name: np.ascontiguousarray(shares[:, number]) for number, one in enumerate(PROFILE)}


def profile_shares(
    lines: Lines, key_Q: Ints, at_Q: Floats, local_Q: Floats
) -> tuple[np.typing.NDArray[np.float32], np.typing.NDArray[np.float32]]:
    """Shares by hour (Q, 24) and weekday (Q, 7); each row's sum is 1.

    Source: the mean of a Dirichlet posterior whose prior is the whole log's profile, worth `SHRINKAGE_EVENTS`.
    """
    hours, days = np.empty((len(key_Q), 24), np.float32), np.empty((len(key_Q), 7), np.float32)
    for rows, counts in _counts(lines, key_Q, at_Q, local_Q):
        hours[rows] = _shrunk(counts.own_hour, counts.all_hour)
        days[rows] = _shrunk(counts.own_weekday, counts.all_weekday)
    unknown = np.isnan(at_Q)
    hours[unknown], days[unknown] = np.nan, np.nan
    return hours, days


def habits(lines: Lines, key_Q: Ints, at_Q: Floats, local_Q: Floats) -> Columns:
    """The columns of `HABITS`; arguments as of `profile`."""
    columns = {one.name: np.full(len(key_Q), np.nan, dtype=np.float32) for one in HABITS}
    angle = (np.arange(24) + 0.5) / 24 * 2 * np.pi
    for rows, counts in _counts(lines, key_Q, at_Q, local_Q):
        local = np.nan_to_num(local_Q[rows])
        each = np.arange(len(rows))
        hour, day = (local % DAY // HOUR).astype(np.int64), weekdays(local_days(local))
        columns["hour_habit"][rows] = _shrunk(counts.own_hour, counts.all_hour)[each, hour] * 24
        columns["weekday_habit"][rows] = _shrunk(counts.own_weekday, counts.all_weekday)[each, day] * 7
        number = counts.own_hour.sum(axis=1)
        mean = counts.own_hour @ np.exp(1j * angle) / np.maximum(number, 1)
        has = number > 0
        columns["peak_hour"][rows[has]] = np.angle(mean[has]) % (2 * np.pi) * 24 / (2 * np.pi)
        columns["hour_focus"][rows[has]] = np.abs(mean[has])
    for column in columns.values():
        column[np.isnan(at_Q)] = np.nan
    return columns


def _shrunk(own: Floats, whole: Floats) -> Floats:
    prior = whole / whole.sum(axis=1, keepdims=True)
    return np.asarray((own + SHRINKAGE_EVENTS * prior) / (own.sum(axis=1, keepdims=True) + SHRINKAGE_EVENTS))


def _counts(lines: Lines, key_Q: Ints, at_Q: Floats, local_Q: Floats) -> Iterator[tuple[Ints, _Counts]]:
    """Chunk by chunk, in order of key, so that each chunk's running counts go over few events."""
    hour_N = (lines.local_N % DAY // HOUR).astype(np.int64)
    weekday_N = weekdays(local_days(lines.local_N))
    first_day, by_hour, by_weekday = _whole_log(lines, hour_N, weekday_N)
    end_Q = lines.offset_K[key_Q] + lines.before(key_Q, at_Q)
    day_Q = np.clip(local_days(at_Q) - first_day, 0, len(by_hour) - 1)  # UTC days never go back: nothing can leak
    order = np.argsort(key_Q, kind="stable")
    for start in range(0, len(order), CHUNK):
        rows = order[start : start + CHUNK]
        low, high = lines.offset_K[key_Q[rows]], end_Q[rows]
        hours, days = _running(hour_N, low, high, 24), _running(weekday_N, low, high, 7)
        yield rows, _Counts(hours, days, by_hour[day_Q[rows]], by_weekday[day_Q[rows]])


def _running(cells_N: Ints, low: Ints, high: Ints, width: int) -> Floats:
    """How many of the events from low to high are in each cell: the difference of two rows of running counts."""
    first, last = int(low.min()), int(high.max())
    total = np.zeros((last - first + 1, width), dtype=np.int32)
    total[np.arange(1, last - first + 1), cells_N[first:last]] = 1
    np.cumsum(total, axis=0, out=total)
    return np.asarray(total[high - first] - total[low - first], dtype=np.float64)


def _whole_log(lines: Lines, hour_N: Ints, weekday_N: Ints) -> tuple[int, Floats, Floats]:
    """Running counts up to the beginning of each day, from one in each cell."""
    if not len(lines.time_N):
        return 0, np.ones((1, 24)), np.ones((1, 7))
    day = local_days(lines.time_N)
    first, size = int(day.min()), int(day.max() - day.min()) + 1
    tables = []
    for cells, width in ((hour_N, 24), (weekday_N, 7)):
        daily = np.bincount((day - first) * width + cells, minlength=size * width).reshape(size, width)
        tables.append(np.concatenate([np.ones((1, width)), 1.0 + np.cumsum(daily, axis=0)]))
    return first, tables[0], tables[1]
