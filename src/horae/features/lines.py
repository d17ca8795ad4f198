"""Events of many keys (users, items, categories), and what of them lies strictly before a moment.

In: flat arrays: times sorted within each key, and offsets. Out: positions and daily counts as of any moment. It
does not know what a key is; the whole log is one key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from horae.errors import DataError
from horae.features.activity import Floats, Ints
from horae.features.zones import local_days

__all__ = ["NEVER", "DailyCounts", "Lines"]

NEVER: Final = 2**40


@dataclass(frozen=True, eq=False)
class Lines:
    """Events (N) of keys (K), key by key.

    Attributes:
        time_N: Epoch seconds, ascending within each key; no unknown ones.
        offset_K: Key k has the events `offset_K[k]` to `offset_K[k + 1]`, excluded; one longer than there are keys.
        local_N: The same times on the wall clock of whoever acted (`zones.local_seconds`); the times themselves where
            only UTC is known.
    """

    time_N: Floats
    offset_K: Ints
    local_N: Floats

    @classmethod
    def of(cls, time_N: Floats, offset_K: Ints, local_N: Floats | None = None) -> Lines:
        """Leave out unknown times, and check the order.

        Raises:
            DataError: Times that decrease within a key, or offsets that do not fit.
        """
        if len(offset_K) < 1 or offset_K[0] != 0 or offset_K[-1] != len(time_N) or (np.diff(offset_K) < 0).any():
            raise DataError(
                "The offsets do not divide the times.", hint="Start with 0, end with the number of events, never fall."
            )
        local_N = time_N if local_N is None else local_N
        known = ~np.isnan(time_N)
        if not known.all():
            offset_K = np.concatenate([[0], np.cumsum(known)])[offset_K]
            time_N, local_N = time_N[known], local_N[known]
        falls = np.diff(time_N) < 0
        falls[offset_K[1:-1][(offset_K[1:-1] > 0) & (offset_K[1:-1] < len(time_N))] - 1] = False
        if falls.any():
            raise DataError("The times of a key decrease.", hint="Sort the events by key, then time.")
        return cls(time_N, offset_K, local_N)

    @property
    def key_N(self) -> Ints:
        """Each event's key."""
        return np.repeat(np.arange(len(self.offset_K) - 1), np.diff(self.offset_K))

    def before(self, key_Q: Ints, at_Q: Floats) -> Ints:
        """How many events each key has strictly before each moment (0 where it is unknown); exact, by rank of time."""
        ranks, rank_N = np.unique(self.time_N, return_inverse=True)
        size = len(ranks) + 1
        asked_Q = np.searchsorted(ranks, at_Q, side="left")
        found = np.searchsorted(self.key_N * size + rank_N, key_Q * size + asked_Q, side="left")
        return np.where(np.isnan(at_Q), 0, found - self.offset_K[key_Q])


@dataclass(frozen=True, eq=False)
class DailyCounts:
    """Events of each key on each day (UTC) that has any, in order of key, then day (A active days).

    Local days would not do: where clocks go back over midnight, or where users live apart, a later event can be of an
    earlier day.

    Attributes:
        code_A: `key * size + day - first_day`, ascending.
        count_A: Events.
        size: Days in the log, and one.
        first_day: Days since 1970.
        begun_K: Each key's first active day; `NEVER` where it has no events.
    """

    code_A: Ints
    count_A: Floats
    size: int
    first_day: int
    begun_K: Ints

    @classmethod
    def of(cls, lines: Lines) -> DailyCounts:
        """Count."""
        keys = len(lines.offset_K) - 1
        if not len(lines.time_N):
            return cls(np.zeros(0, np.int64), np.zeros(0), 1, 0, np.full(keys, NEVER))
        day = local_days(lines.time_N)
        first, last = int(day.min()), int(day.max())
        size = last - first + 2
        code, count = np.unique(lines.key_N * size + day - first, return_counts=True)
        start = np.searchsorted(code, np.arange(keys) * size)
        safe = np.minimum(start, len(code) - 1)
        has = code[safe] // size == np.arange(keys)
        begun = np.where(has, code[safe] % size + first, NEVER)
        return cls(code, count.astype(np.float64), size, first, begun)

    def windows(self, key_Q: Ints, day_Q: Ints, length: int) -> Floats:
        """Counts on each of the `length` whole days before each day, oldest first; 0 where there is none.

        Shape:
            (Q, length)
        """
        relative = day_Q - self.first_day
        low = key_Q * self.size + np.clip(relative - length, 0, self.size)
        high = key_Q * self.size + np.clip(relative, 0, self.size)
        start, end = np.searchsorted(self.code_A, low), np.searchsorted(self.code_A, high)
        number = end - start
        rows = np.repeat(np.arange(len(key_Q)), number)
        places = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number) + np.repeat(start, number)
        days = self.code_A[places] - key_Q[rows] * self.size
        counts = np.zeros((len(key_Q), length))
        counts[rows, days - relative[rows] + length] = self.count_A[places]
        return counts
