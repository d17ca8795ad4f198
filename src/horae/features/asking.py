"""As of when features are asked for: every event, one time, a regular grid, or the rows of a table, as people say it.

In: `events`, a datetime, `2024-05-31`, `1d`, or a frame of keys and times. Out: an `Asked`, which turns lines into
moments. It reads no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from horae.data.cleaning.order import micros, stable_order
from horae.data.settings import parse_time
from horae.data.understanding.times import localise, read_times
from horae.errors import DataError
from horae.features.book import ALL, LineBook
from horae.features.moments import Moments, at_events, at_nothing, at_some, at_times
from horae.features.scans import IndexArray
from horae.features.spans import DAY, TEXT, duration
from horae.schema import TIMESTAMP, Events

__all__ = ["EVENTS", "Asked", "AtEvents", "AtRows", "AtTimes", "asked"]

EVENTS: Final = "events"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MONDAY: Final = 4 * 86_400_000_000
"""1970-01-05: grids of whole weeks stand on Mondays."""
WEEK: Final = 7 * 86_400_000_000
MOST: Final = 1_000_000
TOGETHER: Final = 1 << 21
"""Moments of one long line that are asked about in one go."""


class Asked(Protocol):
    """What was asked."""

    def moments(self, book: LineBook, block: int) -> Iterator[tuple[IndexArray | None, Moments]]:
        """Moments block by block, each with its number among the rows of the answer; None where they come in order."""
        ...


@dataclass(frozen=True)
class AtEvents:
    """Just before every event that stands on a line."""

    def moments(self, book: LineBook, block: int) -> Iterator[tuple[IndexArray | None, Moments]]:
        """Numbers are rows of `Events.frame`."""
        for lines in book.blocks(block):
            whole = at_events(lines)
            for start in range(0, len(whole), TOGETHER):
                part = whole if len(whole) <= TOGETHER else whole.take(slice(start, start + TOGETHER))
                yield part.row_B, part


@dataclass(frozen=True, eq=False)
class AtTimes:
    """Every key at times of the calendar, from the first that has something past.

    Attributes:
        times: Microseconds, ascending.
    """

    times: IndexArray

    def moments(self, book: LineBook, block: int) -> Iterator[tuple[IndexArray | None, Moments]]:
        """By key, then time."""
        for lines in book.blocks(block):
            yield from ((None, at) for at in at_times(lines, self.times, block))


@dataclass(frozen=True, eq=False)
class AtRows:
    """Each row of a table: a key, known to the log or not, and a time.

    Attributes:
        keys: One for each row; None where the whole log is asked about.
        time_R: Microseconds.
    """

    keys: pl.Series | None
    time_R: IndexArray

    @classmethod
    def of(cls, frame: pl.DataFrame, by: str, zone: str) -> AtRows:
        """Read a table of requests; times that name no zone are of this one.

        Raises:
            DataError: A column is missing, a time cannot be read, a key or time is empty, or there are no rows.
        """
        if not frame.height:
            raise DataError("The table of requests has no rows.", hint="Give one row for each key and time.")
        for column in (TIMESTAMP, *([] if by == ALL else [by])):
            if column not in frame.columns:
                raise DataError(
                    f"The table of requests has no column {column}; it has {', '.join(frame.columns[:8])}.",
                    hint=f"Name the key {by} and the time {TIMESTAMP}.",
                )
        times = read_times(frame[TIMESTAMP], zone)
        empty = times.values.is_null() | (False if by == ALL else frame[by].is_null())
        wrong = (times.bad | empty).arg_true()
        if len(wrong):
            row = int(wrong[0])
            said = f"{frame[TIMESTAMP][row]!r} for a time" if times.values[row] is None else f"no {by}"
            raise DataError(
                f"The table of requests: row {row + 1} has {said}.",
                hint="Write times like 2024-05-31 or 2024-05-31T18:00:00+02:00; fill it in, or leave the row out.",
            )
        return cls(None if by == ALL else frame[by], micros(times.values))

    def moments(self, book: LineBook, block: int) -> Iterator[tuple[IndexArray | None, Moments]]:
        """Numbers are the table's rows."""
        line_R = np.zeros(len(self.time_R), np.int64) if self.keys is None else book.numbers_of(self.keys)
        times, step_R = np.unique(self.time_R, return_inverse=True)
        order = stable_order([step_R, line_R])
        order = np.arange(len(line_R)) if order is None else order
        line_B, step_B = line_R[order], step_R[order]
        for lines in book.blocks(block):
            first, end = np.searchsorted(line_B, [lines.first, lines.first + lines.num_lines])
            for start in range(int(first), int(end), TOGETHER):
                part = slice(start, min(start + TOGETHER, int(end)))
                yield order[part], at_some(lines, times, line_B[part] - lines.first, step_B[part])
        unknown = order[: np.searchsorted(line_B, 0)]
        if len(unknown):
            assert self.keys is not None
            keys = self.keys.gather(unknown).cast(pl.String).cast(book.keys.dtype, strict=False)
            yield unknown, at_nothing(book.strangers(keys, self.time_R[unknown]))


def asked(at: str | date | pl.DataFrame, events: Events, by: str, zone: str = "UTC") -> Asked:
    """Understand what was asked.

    A grid stands on whole multiples of its step (weeks on Mondays), from the first after the log's first event to the
    first after its last: steps of whole days at midnights of the zone, others in UTC.

    Raises:
        DataError: The log has no times; nothing lies before the time; a grid of over a million times; a bad table.
        RecipeError: Not a time, nor a step.
    """
    if isinstance(at, str) and at == EVENTS:
        return AtEvents()
    if events.times == "none":
        raise DataError(
            "The log has no times, so nothing is known as of a time.",
            hint="Ask as of events (--at events), or say which column is the time: --columns timestamp=...",
        )
    if isinstance(at, pl.DataFrame):
        return AtRows.of(at, by, zone)
    times = micros(events.frame[TIMESTAMP].drop_nulls())
    first, last = int(times.min()), int(times.max())
    if isinstance(at, str) and (TEXT.fullmatch(at.strip()) or at.strip().startswith("-")):
        return AtTimes(_grid(duration(at, "The step of the grid"), first, last, zone))
    moment = _micros(at, zone)
    if moment <= first:
        raise DataError(
            f"Nothing is known as of {_text(moment)}: the log's first event is at {_text(first)}.",
            hint=f"Give a time after it, up to {_text(last)} or later.",
        )
    return AtTimes(np.array([moment], np.int64))


def _grid(step: int, first: int, last: int, zone: str) -> IndexArray:
    origin = MONDAY if step % WEEK == 0 else 0
    local = zone != "UTC" and step % DAY == 0
    margin = DAY if local else 0
    begin, end = (first - margin - origin) // step + 1, (last + margin - origin) // step + 1
    if end - begin >= MOST:
        raise DataError(
            f"A grid of {end - begin + 1:,} times is more than {MOST:,}.", hint="Give a longer step, such as 1d."
        )
    times = np.arange(begin, end + 1, dtype=np.int64) * step + origin
    if not local:
        return times
    times = micros(localise(pl.Series(times).cast(pl.Datetime("us")), zone))
    kept: IndexArray = times[(times > first) & (np.append(True, times[:-1] <= last))]
    return kept


def _micros(at: str | date, zone: str) -> int:
    if isinstance(at, str):
        moment = parse_time(at.strip(), "at", zone)
    else:
        midnight = at if isinstance(at, datetime) else datetime(at.year, at.month, at.day)
        moment = midnight if midnight.tzinfo else midnight.replace(tzinfo=ZoneInfo(zone))
    return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def _text(moment: int) -> str:
    return str(pl.Series([moment], dtype=pl.Datetime("us"))[0])
