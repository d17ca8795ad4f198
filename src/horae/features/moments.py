"""As of when: each moment stands on a line, and everything of the line before it is its past, nothing else.

In: a `LineBlock`, and what was asked: just before every event, at times of the calendar, or at each row of a table.
Out: `Moments`.

As of an event of a user, the past is the events placed before it. As of an event on another key's line, and as of a
time, it is what is known to be strictly earlier. Where a line's order contradicts its times, or times are unknown,
order alone decides what is past: such moments are not `clear`, and nothing that needs time is said of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from horae.features.book import LineBlock
from horae.features.scans import BoolArray, FloatArray, IndexArray, running_max
from horae.features.spans import Window
from horae.schema import USER

__all__ = ["Moments", "at_events", "at_nothing", "at_some", "at_times"]

SAFE: Final = 1 << 62
EARLIEST: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments on lines: by line, then time.

    Attributes:
        lines: What they stand on.
        line_B: Line of each moment, ascending.
        end_B: The past is `[begin_B:end_B]` of the lines' flat arrays; ascending.
        time_B: Microseconds since 1970, UTC; 0 where unknown.
        clear_B: Are the moment's time and those of its whole past known and in order? None: all are.
        row_B: The row of `Events.frame` that each moment stands before; None where it is a time of the calendar.
    """

    lines: LineBlock
    line_B: IndexArray
    end_B: IndexArray
    time_B: IndexArray
    clear_B: BoolArray | None = None
    row_B: IndexArray | None = None
    _starts: dict[Window, IndexArray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.line_B)

    @cached_property
    def begin_B(self) -> IndexArray:
        """Where each moment's line begins."""
        return self.lines.offset_K1[self.line_B]

    @cached_property
    def past_B(self) -> IndexArray:
        """How many events are past."""
        return self.end_B - self.begin_B

    @property
    def key_B(self) -> IndexArray:
        """Number of each moment's line among all lines of the book; -1 for strangers."""
        return np.full(len(self), -1) if self.lines.first < 0 else self.line_B + self.lines.first

    @cached_property
    def seconds_B(self) -> FloatArray:
        """The moments as Unix seconds; NaN where they are not clear."""
        seconds_B: FloatArray = self.time_B / 1e6
        return seconds_B if self.clear_B is None else np.where(self.clear_B, seconds_B, np.nan)

    @cached_property
    def last_B(self) -> IndexArray:
        """Index of the last past event; where there is none, some index that must not be trusted."""
        return np.maximum(self.end_B - 1, 0)

    @cached_property
    def since_last_B(self) -> FloatArray:
        """Seconds since the last past event; NaN where there is none, or time says nothing."""
        return self.seconds_since(self.last_B, self.past_B > 0)

    @cached_property
    def since_first_B(self) -> FloatArray:
        """Seconds since the line's first event, likewise."""
        return self.seconds_since(np.minimum(self.begin_B, len(self.lines) - 1), self.past_B > 0)

    def seconds_since(self, event_B: IndexArray, there_B: BoolArray) -> FloatArray:
        """Seconds from each moment's event to the moment; NaN where it is not `there`, or time says nothing."""
        seconds_B = (self.time_B - self.lines.time_N[event_B]) / 1e6
        return np.where(there_B if self.clear_B is None else there_B & self.clear_B, seconds_B, np.nan)

    def starts(self, window: Window) -> IndexArray:
        """Where each moment's window begins: the window is `[start_B:end_B]`. Ascending."""
        if window not in self._starts:
            if window.events is not None:
                start_B = np.maximum(self.begin_B, self.end_B - window.events)
            elif window.micros is None:
                start_B = self.begin_B
            else:
                start_B = self._since(window.micros)
            self._starts[window] = start_B
        return self._starts[window]

    def unsaid(self, window: Window) -> BoolArray | None:
        """True where nothing can be said of a window, since it is one of time and time is not clear."""
        return None if window.micros is None or self.clear_B is None else ~self.clear_B

    def take(self, part: slice) -> Moments:
        """Some consecutive moments on the same lines."""
        clear_B, row_B = (None if array is None else array[part] for array in (self.clear_B, self.row_B))
        return Moments(self.lines, self.line_B[part], self.end_B[part], self.time_B[part], clear_B, row_B)  # type: ignore[arg-type]

    def _since(self, micros: int) -> IndexArray:
        """First event at or after t - micros: a search along an axis on which all lines lie one after the other."""
        lines, start_B = self.lines, np.empty(len(self), np.int64)
        if not len(self):
            return start_B
        time_N = lines.time_N if lines.known_N is None else lines.time_N[lines.known_N]
        low = int(min(time_N.min(initial=SAFE), self.time_B.min()))
        stride = int(max(time_N.max(initial=low), self.time_B.max())) - low + micros + 1
        together = max(1, SAFE // stride)
        for first in range(int(self.line_B[0]), int(self.line_B[-1]) + 1, together):
            end = min(first + together, lines.num_lines)
            events = slice(int(lines.offset_K1[first]), int(lines.offset_K1[end]))
            mine = slice(*np.searchsorted(self.line_B, [first, end]))
            axis_N = lines.time_N[events] - low + (lines.line_N[events] - first) * stride
            wanted_B = self.time_B[mine] - low + (self.line_B[mine] - first) * stride
            if self.clear_B is not None:  # what is not clear is not said; it only must not disturb the order
                axis_N = np.maximum.accumulate(np.maximum(axis_N, (lines.line_N[events] - first) * stride))
                wanted_B = np.maximum.accumulate(np.maximum(wanted_B, (self.line_B[mine] - first) * stride))
            start_B[mine] = np.searchsorted(axis_N, wanted_B - micros) + events.start
        return np.clip(start_B, self.begin_B, self.end_B)


def at_events(lines: LineBlock) -> Moments:
    """The moment just before every event of the lines."""
    if lines.by == USER:
        end_N = np.arange(len(lines))
        return Moments(lines, lines.line_N, end_N, lines.time_N, _clear(lines, end_N, lines.line_N), lines.row_N)
    first = np.ones(len(lines), np.bool_)  # of the events of one time on one line
    first[1:] = (lines.time_N[1:] != lines.time_N[:-1]) | (lines.line_N[1:] != lines.line_N[:-1])
    end_N = np.flatnonzero(first)[np.cumsum(first) - 1]
    return Moments(lines, lines.line_N, end_N, lines.time_N, None, lines.row_N)


def at_times(lines: LineBlock, times: IndexArray, size: int) -> Iterator[Moments]:
    """Each line at each of some ascending times (microseconds), from the first that has something past.

    Yields:
        Moments of whole lines, about `size` at a time.
    """
    before_N = _steps_before(lines, times)
    from_K = before_N[lines.offset_K1[:-1]]
    rows_K1 = np.concatenate([[0], np.cumsum(len(times) - from_K)])
    first = 0
    while first < lines.num_lines:
        end = int(np.searchsorted(rows_K1, rows_K1[first] + size, side="right")) - 1
        end = min(max(end, first + 1), lines.num_lines)
        line_B = np.repeat(np.arange(first, end), len(times) - from_K[first:end])
        step_B = np.arange(len(line_B)) - (rows_K1[line_B] - rows_K1[first]) + from_K[line_B]
        if len(line_B):
            yield _at_steps(lines, times, before_N, line_B, step_B)
        first = end


def at_some(lines: LineBlock, times: IndexArray, line_B: IndexArray, step_B: IndexArray) -> Moments:
    """Chosen lines at chosen ones of some ascending times.

    Args:
        lines: Of the keys.
        times: Microseconds, ascending.
        line_B: Ascending.
        step_B: Which of the times; ascending within a line.
    """
    return _at_steps(lines, times, _steps_before(lines, times), line_B, step_B)


def at_nothing(lines: LineBlock) -> Moments:
    """One moment on each line of strangers (`LineBook.strangers`), at its time, with nothing past."""
    line_B = np.arange(len(lines))
    return Moments(lines, line_B, line_B, lines.time_N)


def _steps_before(lines: LineBlock, times: IndexArray) -> IndexArray:
    """How many of the times come before an event is past: at or before it, or one before it on its line."""
    before_N = np.searchsorted(times, lines.time_N, side="right")
    if lines.known_N is not None:
        before_N[~lines.known_N] = 0
    return running_max(before_N, lines.line_N)


def _at_steps(
    lines: LineBlock, times: IndexArray, before_N: IndexArray, line_B: IndexArray, step_B: IndexArray
) -> Moments:
    reach = len(times) + 1
    end_B = np.searchsorted(before_N + lines.line_N * reach, line_B * reach + step_B, side="right")
    end_B = np.maximum(end_B, lines.offset_K1[line_B])
    return Moments(lines, line_B, end_B, times[step_B], _clear(lines, end_B, line_B, times[step_B]))


def _clear(
    lines: LineBlock, end_B: IndexArray, line_B: IndexArray, time_B: IndexArray | None = None
) -> BoolArray | None:
    """Is all of each moment's past, and the moment itself, known and in order of time?

    Args:
        lines: What the moments stand on.
        end_B: Where their pasts end.
        line_B: Their lines.
        time_B: Their times; None where each is the time of the event that it stands before.
    """
    if lines.known_N is None and lines.book.has_times == "all":
        return None
    known_N = np.ones(len(lines), np.bool_) if lines.known_N is None else lines.known_N
    rank_N = np.unique(np.where(known_N, lines.time_N, EARLIEST), return_inverse=True)[1]
    in_order_N: BoolArray = known_N & (rank_N >= running_max(rank_N, lines.line_N))
    bad_N1 = np.concatenate([[0], np.cumsum(~in_order_N)])
    past_clear_B: BoolArray = bad_N1[end_B] == bad_N1[lines.offset_K1[line_B]]
    if time_B is not None:
        return past_clear_B
    return past_clear_B & in_order_N
