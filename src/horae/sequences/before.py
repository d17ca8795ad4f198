"""Everybody's line until a moment: what may be learned from, without a copy of the events.

In: `Sequences`, perhaps larger than memory, and a time. Out: `SequencesBefore`, whose histories are slices of the same
arrays that end before that time; the time before which a share of all events lies; how often items repeat. It does not
know files.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from horae.schema import IndexArray
from horae.sequences.history import BLOCK, Flat, FloatArray, Histories, Sequences

__all__ = ["SequencesBefore", "indices_between", "repeat_share", "share_time"]

BINS = 1 << 20
FEW = 1 << 22
"""So many times are sorted in memory."""


class SequencesBefore(Sequences):
    """A log until a moment: nothing at or after it is in a history, a window or a count.

    A line ends before its first event known to be at `at` or later, and with its last event known to be earlier: what
    happened at an unknown time after that may lie in the future.

    `all()` and `of_users()` slice the whole log's arrays. `flat` and `offset_U1`, which some models count in, are
    copies of the earlier events, made when first asked for.

    Args:
        whole: The log.
        at: Unix seconds.
    """

    def __init__(self, whole: Sequences, at: float) -> None:
        super().__init__(whole._events, whole._offset_U1, whole.users, whole.items, whole.behaviors, whole.context)
        self.at = at
        self._end_U = _ends(whole, at)

    @cached_property
    def flat(self) -> Flat:
        """The events before, copied."""
        return self._events.take(indices_between(self._start_U, self._end_U))

    @cached_property
    def offset_U1(self) -> IndexArray:
        """Offsets into `flat`."""
        return np.concatenate([[0], np.cumsum(self._end_U - self._start_U, dtype=np.int64)])

    def __len__(self) -> int:
        """Events before the moment."""
        return int((self._end_U - self._start_U).sum())


def share_time(sequences: Sequences, share: float) -> float | None:
    """The moment before which about `share` of all events of known time lie: as a split by time would cut there.

    Of the two edges of the run of equal times at the quantile, the nearer one. Reads the times in blocks; holds few.

    Returns:
        Unix seconds; None where no moment has events on both sides.
    """
    time_N = sequences.flat.time_N
    known = sum(int((~np.isnan(block)).sum()) for block in _blocks(time_N))
    rank = round(known * share)
    if not 0 <= rank < known:
        return None
    middle = _ranked(time_N, rank)
    less = sum(int((block < middle).sum()) for block in _blocks(time_N))
    same = sum(int((block == middle).sum()) for block in _blocks(time_N))
    if less + same == known:
        return middle if less else None
    above = min(float(later.min()) for block in _blocks(time_N) if len(later := block[block > middle]))
    return middle if less and abs(less - rank) <= abs(less + same - rank) else above


def repeat_share(sequences: Sequences) -> float:
    """Share of the events on an item that their user had before; reads a block of users at a time."""
    lines, events, repeats = sequences.all(), 0, 0
    for first, last in _user_blocks(lines):
        user, item = lines.take(slice(first, last)).pairs()
        events += len(item)
        repeats += len(item) - len(np.unique(user * (sequences.num_items + 1) + item))
    return repeats / events if events else 0.0


def _ranked(time_N: FloatArray, rank: int) -> float:
    """The time that stands at `rank` (from 0) in ascending order."""
    low = min(float(np.nanmin(block)) for block in _blocks(time_N) if not np.isnan(block).all())
    high = max(float(np.nanmax(block)) for block in _blocks(time_N) if not np.isnan(block).all())
    while low < high:
        counts = np.zeros(BINS + 1, np.int64)
        for block in _blocks(time_N):
            counts += np.bincount(_bins(block[(block >= low) & (block <= high)], low, high), minlength=BINS + 1)
        ends = np.cumsum(counts)
        chosen = int(np.searchsorted(ends, rank, side="right"))
        rank -= int(ends[chosen] - counts[chosen])
        within = (block[(block >= low) & (block <= high)] for block in _blocks(time_N))
        if counts[chosen] <= FEW:
            kept = np.concatenate([part[_bins(part, low, high) == chosen] for part in within])
            return float(np.sort(kept)[rank])
        edges = [(part.min(), part.max()) for b in within if len(part := b[_bins(b, low, high) == chosen])]
        low, high = float(min(edge[0] for edge in edges)), float(max(edge[1] for edge in edges))
    return low


def _bins(times: FloatArray, low: float, high: float) -> npt.NDArray[np.int64]:
    """Numbers that never fall as times rise."""
    return ((times - low) * (BINS / (high - low))).astype(np.int64).clip(max=BINS)


def _blocks(time_N: FloatArray) -> Iterator[FloatArray]:
    for start in range(0, len(time_N), BLOCK):
        yield time_N[start : start + BLOCK]


def _ends(whole: Sequences, at: float) -> IndexArray:
    """Where each user's line ends, as `SequencesBefore` has it."""
    lines = whole.all()
    end_U = np.array(lines.end_B)
    for first, last in _user_blocks(lines):
        begin, stop = int(lines.start_B[first]), int(lines.end_B[last - 1])
        time = lines.flat.time_N[begin:stop]
        user = np.repeat(np.arange(first, last), lines.lengths[first:last])
        late = np.flatnonzero(time >= at)[::-1]
        end_U[user[late]] = begin + late  # of several events of one user, the last assignment stays: the first event
        if np.isnan(time).any():
            early = np.flatnonzero(time < at)
            early = early[begin + early < end_U[user[early]]]
            end_U[first:last] = lines.start_B[first:last]
            end_U[user[early]] = begin + early + 1
    return end_U


def _user_blocks(lines: Histories) -> Iterator[tuple[int, int]]:
    """Ranges of users with about a block of events each."""
    first = 0
    while first < len(lines):
        last = int(np.searchsorted(lines.end_B, lines.start_B[first] + BLOCK, side="right"))
        yield first, (last := max(last, first + 1))
        first = last


def indices_between(start_B: IndexArray, end_B: IndexArray) -> IndexArray:
    """Every index from each start up to its end, one range after the other."""
    lengths = end_B - start_B
    first = np.repeat(start_B - (np.cumsum(lengths) - lengths), lengths)
    return first + np.arange(len(first))
