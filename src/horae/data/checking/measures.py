"""What a log is like, in numbers: one finding, one function.

In: Events, or `Numbers`, their columns as integer arrays, made once for many measures. Out: a number or a few. It does
not judge them and does not know how they are shown. Ten million events take about four seconds in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from horae.data.boundaries import share_boundary
from horae.data.cleaning.order import Array, Mask, first_of_user, id_codes, micros, run_lengths, unit_of
from horae.schema import ITEM, TARGET, TIMESTAMP, USER, Events

__all__ = [
    "DAY",
    "Numbers",
    "cold_shares",
    "gap_seconds",
    "gini",
    "history_lengths",
    "hour_of_week",
    "hour_profile",
    "late_users",
    "midnight_share",
    "peak_share",
    "popularity",
    "repeat_share",
    "resolution",
    "ties_share",
    "top_share",
    "weekday_profile",
]

HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Numbers:
    """Events as arrays, row for row.

    Attributes:
        first_N: True at each user's first event.
        user_N: The user's number, from 0.
        item_N: The item's number, from 0; None where the log has no items.
        time_N: Microseconds since 1970; 0 where unknown.
        known_N: Whether the time is known.
        target_N: Whether the event may be a target.
        sorted_T: The known times, ascending.
    """

    first_N: Mask
    user_N: Array
    item_N: Array | None
    time_N: Array
    known_N: Mask
    target_N: Mask
    sorted_T: Array

    @classmethod
    def of(cls, log: Events | Numbers) -> Numbers:
        """The numbers of a log; numbers are returned as they are."""
        if isinstance(log, Numbers):
            return log
        frame = log.frame
        first, line = first_of_user(frame[USER])
        time, known = micros(frame[TIMESTAMP]), frame[TIMESTAMP].is_not_null().to_numpy()
        times = np.sort(time if known.all() else time[known])
        item = id_codes(frame[ITEM])[0] if log.has_items else None
        return cls(first, line, item, time, known, frame[TARGET].to_numpy(), times)

    @property
    def tied_N(self) -> Mask:
        """True where an event has the known time of its user's event just before."""
        tied = np.zeros(len(self.first_N), dtype=np.bool_)
        tied[1:] = (self.time_N[1:] == self.time_N[:-1]) & ~self.first_N[1:] & self.known_N[1:] & self.known_N[:-1]
        return tied


def history_lengths(log: Events | Numbers) -> Array:
    """Events of each user."""
    return run_lengths(Numbers.of(log).first_N)


def gap_seconds(log: Events | Numbers) -> Floats:
    """Seconds between a user's successive events where both times are known; never negative."""
    log = Numbers.of(log)
    both = ~log.first_N[1:] & log.known_N[1:] & log.known_N[:-1]
    gaps = log.time_N[1:] - log.time_N[:-1]
    seconds: Floats = np.maximum(gaps if both.all() else gaps[both], 0) / 1e6
    return seconds


def ties_share(log: Events | Numbers) -> float:
    """Share of the events of known time that have the time of their user's event just before."""
    log = Numbers.of(log)
    return float(log.tied_N.sum()) / max(len(log.sorted_T), 1)


def repeat_share(log: Events | Numbers) -> float:
    """Share of the events on an item that their user had before; 0 in a log without items."""
    log = Numbers.of(log)
    if log.item_N is None or not len(log.item_N):
        return 0.0
    pairs = log.user_N * (int(log.item_N.max()) + 1) + log.item_N
    pairs.sort()
    return float((pairs[1:] == pairs[:-1]).sum()) / len(pairs)


def popularity(log: Events | Numbers) -> Array:
    """Events of each item that occurs, most popular first; empty in a log without items."""
    log = Numbers.of(log)
    if log.item_N is None:
        return np.zeros(0, np.int64)
    counts = np.bincount(log.item_N)
    return np.sort(counts[counts > 0])[::-1]


def gini(counts: Array) -> float:
    """Inequality of counts: 0 if all are equal, towards 1 if one has everything."""
    ascending, total = np.sort(counts), int(counts.sum())
    if not total:
        return 0.0
    rank = np.arange(1, len(counts) + 1)
    return float(((2 * rank - len(counts) - 1) * ascending).sum() / (len(counts) * total))


def top_share(counts: Array, share: float) -> float:
    """What part of all events the most popular `share` of items holds; at least one item counts."""
    if not len(counts):
        return 0.0
    top = max(1, round(len(counts) * share))
    return float(np.sort(counts)[::-1][:top].sum() / counts.sum())


def cold_shares(log: Events | Numbers, share: float = 0.1) -> tuple[float, float] | None:
    """Of the newest `share` of events: what part is by users, and on items, without any event before these.

    Returns:
        None where times are unknown, or all equal.
    """
    log = Numbers.of(log)
    boundary = share_boundary(log.sorted_T, round(len(log.sorted_T) * share))
    if boundary is None:
        return None
    new = log.known_N & (log.time_N >= boundary)
    items = 0.0 if log.item_N is None else _unseen(log.item_N, new)
    return _unseen(log.user_N, new), items


def late_users(log: Events | Numbers, share: float = 0.1) -> int | None:
    """How many users have a target among the newest `share` of events; None where times are unknown."""
    log = Numbers.of(log)
    boundary = share_boundary(log.sorted_T, round(len(log.sorted_T) * share))
    if boundary is None:
        return None
    new = log.known_N & (log.time_N >= boundary) & log.target_N
    return int(np.count_nonzero(np.bincount(log.user_N[new])))


def resolution(log: Events | Numbers) -> str | None:
    """The coarsest unit that holds every time: `day` to `microsecond`; None where no time is known."""
    times = Numbers.of(log).sorted_T
    return unit_of(times)[0] if len(times) else None


def hour_profile(log: Events | Numbers) -> Floats:
    """Share of the events in each hour of the day, UTC."""
    return _shares(Numbers.of(log).sorted_T // HOUR % 24, 24)


def hour_of_week(log: Events | Numbers) -> Floats:
    """Share of the events by weekday (rows, Monday first) and hour (columns), UTC."""
    hours = Numbers.of(log).sorted_T // HOUR + 3 * 24  # 1970 began on a Thursday
    return _shares(hours % 168, 168).reshape(7, 24)


def weekday_profile(log: Events | Numbers) -> Floats:
    """Share of the events on each weekday, UTC, Monday first."""
    return _shares((Numbers.of(log).sorted_T // DAY + 3) % 7, 7)  # 1970 began on a Thursday


def midnight_share(log: Events | Numbers) -> float:
    """Share of the known times that are midnight to the microsecond: 1 where only days are known."""
    times = Numbers.of(log).sorted_T
    return float((times % DAY == 0).mean()) if len(times) else 0.0


def peak_share(log: Events | Numbers) -> float:
    """Share of the events at the single most frequent time: an import, or a default, where it is large."""
    times = Numbers.of(log).sorted_T
    if not len(times):
        return 0.0
    first = np.append(True, times[1:] != times[:-1])
    return int(run_lengths(first).max()) / len(times)


def _unseen(codes: Array, new: Mask) -> float:
    seen = np.zeros(int(codes.max()) + 1, dtype=np.bool_)
    seen[codes[~new]] = True
    return float((~seen[codes[new]]).mean())


def _shares(cells: Array, length: int) -> Floats:
    return np.bincount(cells, minlength=length) / max(len(cells), 1)
