"""Events laid out by key: one line per user, item, category or for the whole log, each in the order of places.

In: `Events` and the name of a key. Out: a `LineBook`, and of it `LineBlock`s: whole lines as flat arrays with offsets,
a quarter of a million events each, so that memory stays bounded. It does not know what is asked of the lines.

For users an event's place is its row. For other keys a line holds the events whose key and time are known, by time:
who did what first at one time is not known across users, so events of equal time have no order there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, TypeVar, cast

import numpy as np
import polars as pl

from horae.data.cleaning.order import changes, id_codes, micros, stable_order
from horae.errors import DataError
from horae.features.scans import BoolArray, FloatArray, IndexArray
from horae.schema import ITEM, TIMESTAMP, USER, VALUE, Events

__all__ = ["ALL", "BLOCK", "LineBlock", "LineBook"]

ALL: Final = "all"
BLOCK: Final = 1 << 18
SHORT: Final = {"user": USER, "item": ITEM}
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class LineBlock:
    """Some keys' lines, one after the other.

    Attributes:
        by: The key's column, or `all`.
        key_K: The keys' ids; one null for the whole log.
        offset_K1: Line k is `[offset_K1[k]:offset_K1[k + 1]]` of the flat arrays.
        time_N: Microseconds since 1970, UTC; 0 where unknown.
        known_N: Is the time known? None: all are.
        row_N: Row in `Events.frame`.
        book: Where further columns come from.
        first: Number of the first line in the whole book; -1 where they are lines of strangers.
    """

    by: str
    key_K: pl.Series
    offset_K1: IndexArray
    time_N: IndexArray
    known_N: BoolArray | None
    row_N: IndexArray
    book: LineBook
    first: int

    _made: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time_N)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Something made of these lines, kept for the next moments on them."""
        if name not in self._made:
            self._made[name] = make()
        return cast(T, self._made[name])

    @property
    def num_lines(self) -> int:
        """K."""
        return len(self.offset_K1) - 1

    @cached_property
    def line_N(self) -> IndexArray:
        """Line of each event, from 0 in this block."""
        return np.repeat(np.arange(self.num_lines), np.diff(self.offset_K1))

    @cached_property
    def begin_N(self) -> IndexArray:
        """Where each event's line begins."""
        return self.offset_K1[self.line_N]

    @cached_property
    def value_N(self) -> FloatArray:
        """The events' values, NaN where unknown."""
        return self.numbers(VALUE)

    def column(self, name: str) -> pl.Series:
        """Any column of the events, in the order of these lines."""
        whole = self.book.events.frame[name]
        if self.book.order is None and self.first >= 0:
            return whole.slice(int(self.row_N[0]) if len(self.row_N) else 0, len(self.row_N))
        return whole.gather(self.row_N)

    def numbers(self, name: str) -> FloatArray:
        """A column of numbers, also as text, as float64; NaN where unknown or infinite."""
        column = self.column(name).cast(pl.Float64)
        x_N = (column.fill_null(float("nan")) if column.null_count() else column).to_numpy()
        return x_N if np.isfinite(x_N).all() else np.where(np.isfinite(x_N), x_N, np.nan)

    def codes(self, name: str) -> IndexArray:
        """A column's values as codes from 0, -1 where unknown; a value has the same code in every block."""
        return self.book.codes(name)[self.row_N]


class LineBook:
    """All lines of a log by one key.

    Args:
        events: The log.
        by: `user`, `item`, `all`, or a column's name.

    Attributes:
        by: The key's column, or `all`.
        order: Rows of the events, line after line; None where they stand so already.
        outside: Rows that stand in no line: their key or their time is unknown. Empty for users.
        has_times: How many of the events have a known time.
        has_values: Has any of them a known value?

    Raises:
        DataError: No such column; or a key other than the user in a log without times.
    """

    def __init__(self, events: Events, by: str) -> None:
        self.events = events
        self.by = SHORT.get(by, by)
        self._check()
        self.has_times: Literal["all", "some", "none"] = events.times
        self.has_values = events.frame[VALUE].null_count() < len(events)
        self._codes: dict[str, IndexArray] = {}
        self.order: IndexArray | None = None
        self.outside = np.zeros(0, np.int64)
        if self.by == USER:
            runs = events.frame[USER].rle().struct.unnest()
            self.keys, length_K = runs["value"], runs["len"].to_numpy().astype(np.int64)
        else:
            self.keys, length_K = self._sort()
        self.offset_K1 = np.concatenate([[0], np.cumsum(length_K, dtype=np.int64)])

    def codes(self, name: str) -> IndexArray:
        """Codes of a column, row by row of the events; -1 where unknown."""
        if name not in self._codes:
            column = self.events.frame[name]
            codes, _ = id_codes(column.cast(pl.String) if column.dtype == pl.Boolean else column)
            unknown = column.is_null().to_numpy() if column.null_count() else None
            self._codes[name] = (codes if unknown is None else np.where(unknown, -1, codes)).astype(np.int32)
        return self._codes[name]

    def blocks(self, size: int = BLOCK) -> Iterator[LineBlock]:
        """Whole lines, as many at a time as hold about `size` events; a longer line comes alone."""
        first, last = 0, len(self.offset_K1) - 1
        while first < last:
            end = int(np.searchsorted(self.offset_K1, self.offset_K1[first] + size, side="right")) - 1
            end = min(max(end, first + 1), last)
            yield self.lines(first, end)
            first = end

    def whole(self) -> LineBlock:
        """All lines at once: for groups whose columns need other keys' events too."""
        return self.lines(0, len(self.offset_K1) - 1)

    def numbers_of(self, ids: pl.Series) -> IndexArray:
        """Numbers of the lines of keys, met as text; -1 where the log does not have them."""
        numbers = pl.DataFrame({"id": self.keys.cast(pl.String)}).with_row_index("line")
        joined = pl.DataFrame({"id": ids.cast(pl.String)}).join(numbers, on="id", how="left", maintain_order="left")
        return joined["line"].cast(pl.Int64).fill_null(-1).to_numpy()

    def strangers(self, key_K: pl.Series, time_K: IndexArray) -> LineBlock:
        """Lines of keys that have no events: each holds one that stands for nothing and is never past."""
        nothing = np.zeros(len(key_K), np.int64)
        return LineBlock(self.by, key_K, np.arange(len(key_K) + 1), time_K, None, nothing, self, -1)

    def lines(self, first: int, end: int) -> LineBlock:
        """The lines from number `first` to before `end`."""
        start, stop = int(self.offset_K1[first]), int(self.offset_K1[end])
        frame = self.events.frame
        if self.order is None:
            rows = np.arange(start, stop)
            time = frame[TIMESTAMP].slice(start, stop - start)
        else:
            rows = self.order[start:stop]
            time = frame[TIMESTAMP].gather(rows)
        known_N = None if not time.null_count() else time.is_not_null().to_numpy()
        offset_K1 = self.offset_K1[first : end + 1] - start
        return LineBlock(self.by, self.keys[first:end], offset_K1, micros(time), known_N, rows, self, first)

    def _sort(self) -> tuple[pl.Series, IndexArray]:
        """Events of known key and time by key, then time; those without stand outside."""
        frame = self.events.frame
        time = micros(frame[TIMESTAMP])
        code = np.zeros(len(time), np.int64) if self.by == ALL else self.codes(self.by).astype(np.int64)
        order = stable_order([time, code])
        order = np.arange(len(time)) if order is None else order
        here = (code >= 0) & frame[TIMESTAMP].is_not_null().to_numpy()
        if not here.all():
            self.outside = np.flatnonzero(~here)
            order = order[here[order]]
        self.order = order
        if self.by == ALL:
            return pl.Series(ALL, [None], dtype=pl.String), np.array([len(order)])
        keys = frame[self.by].gather(order)
        begin = np.flatnonzero(changes(keys))
        return keys.gather(begin), np.diff(begin, append=len(order))

    def _check(self) -> None:
        columns = self.events.frame.columns
        if self.by != ALL and self.by not in columns:
            fit = ", ".join(["user", *(["item"] if self.events.has_items else []), ALL, *self.events.context])
            raise DataError(f"The log has no column {self.by!r} to group by.", hint=f"Group by one of: {fit}.")
        if self.by in (TIMESTAMP, VALUE):
            raise DataError(f"{self.by} is what is measured, not a key.", hint="Group by user, item, all or a column.")
        if not len(self.events):
            raise DataError("The log has no events.", hint="Give a log with at least one event.")
        if self.by != USER and self.events.times == "none":
            raise DataError(
                f"The log has no times, so events of different users have no order: nothing is known by {self.by}.",
                hint="Group by user, with windows such as n10, or name the column of times: --columns timestamp=...",
            )
