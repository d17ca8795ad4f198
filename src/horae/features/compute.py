"""Features as of any moment, of users, items, any column or the whole log: one frame, or a file written as it is made.

In: `Events`, a key, moments, groups. Out: one row per moment, by key, then time: the key, `timestamp` (and for events
`user_id` and `event_order`, which name the event), then float32 columns. The work goes through blocks of whole lines,
so memory is bounded by the log and one block. It reads no clock and no file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from horae.errors import DataError, StoreError
from horae.features.asking import EVENTS, asked_times
from horae.features.book import ALL, BLOCK, LineBlock, LineBook
from horae.features.group import Group, Wishes
from horae.features.groups import chosen
from horae.features.moments import Moments, at_events, at_times
from horae.features.scans import IndexArray
from horae.features.spans import durations, windows_of
from horae.features.tables import Table, key_of
from horae.schema import EVENT_ORDER, TIME_TYPE, TIMESTAMP, USER, Events

__all__ = ["HALF_LIVES", "WINDOWS", "FeatureBlocks", "compute_features", "write_features", "write_parquet"]

WINDOWS: Final = ("1h", "1d", "7d", "28d")
HALF_LIVES: Final = ("1d", "7d", "28d")
TOGETHER: Final = 1 << 21
"""Moments of one long line that are asked about in one go."""


class FeatureBlocks:
    """What was asked, checked before any work; iterating makes the frames, block by block.

    Args:
        events: Cleaned.
        by: Whose features: `user`, `item`, `all` (the whole log), or a column such as `category`.
        at: `events` (just before every event), a time, or the step of a regular grid such as `1d`.
        groups: Names of groups; None: all that the log has what they need for.
        windows: Trailing windows: `30min`, `7d`; `n10`, the last ten events; `all`, everything before.
        half_lives: Of the decayed counts.
        tables: External tables by name: the key, `valid_from`, maybe `valid_to` and `known_at`, and columns to join.
        relations: `user_id, other_id, valid_from`, maybe `valid_to`: whose events the circle features count.
        block: About how many events, or moments, are worked on at a time; changes nothing but memory.

    Raises:
        DataError: The log lacks what was asked for; a table cannot be trusted (see `features.validity`).
        RecipeError: A window, step, time or group that is none.
    """

    def __init__(
        self,
        events: Events,
        by: str = "user",
        at: str | date = EVENTS,
        *,
        groups: Sequence[str] | None = None,
        windows: Iterable[str] = WINDOWS,
        half_lives: Iterable[str] = HALF_LIVES,
        tables: Mapping[str, pl.DataFrame] | None = None,
        relations: pl.DataFrame | None = None,
        block: int = BLOCK,
    ) -> None:
        self.book = LineBook(events, by)
        self._block = block
        self.times = asked_times(at, events)
        joined = tuple(Table(frame, key_of(self.book.by), name) for name, frame in (tables or {}).items())
        wishes = Wishes(
            self.book,
            windows_of(windows),
            durations(half_lives, "half-life"),
            relations,
            joined,
        )
        self.groups: dict[str, Group] = chosen(groups, wishes)
        self._check_names(joined)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for _, frame in self.numbered():
            yield frame

    def numbered(self) -> Iterator[tuple[IndexArray | None, pl.DataFrame]]:
        """Frames, each with the rows of `Events.frame` that it stands before (None for times of the calendar)."""
        schema: Mapping[str, pl.DataType] | None = None
        for lines in self.book.blocks(self._block):
            for at in self._moments(lines):
                frame = self._frame(lines, at)
                schema = schema or frame.schema
                yield at.row_B, frame
        if self.times is None and len(self.book.outside):
            yield self.book.outside, self._unknown(schema)

    @property
    def rows(self) -> int | None:
        """How many rows there will be; None where only the work tells (grids and times)."""
        return len(self.book.events) if self.times is None else None

    def _moments(self, lines: LineBlock) -> Iterator[Moments]:
        if self.times is not None:
            yield from at_times(lines, self.times, self._block)
            return
        whole = at_events(lines)
        for start in range(0, len(whole), TOGETHER):
            yield whole if len(whole) <= TOGETHER else whole.take(slice(start, start + TOGETHER))

    def _frame(self, lines: LineBlock, at: Moments) -> pl.DataFrame:
        columns: dict[str, Any] = {}
        if lines.by != ALL:
            columns[lines.by] = lines.key_K.gather(at.line_B)
        if at.row_B is None:
            columns[TIMESTAMP] = pl.Series(at.time_B).cast(TIME_TYPE)
        else:
            columns |= self._named_events(at.row_B)
        for group in self.groups.values():
            for name, column in group.compute(lines, at).items():
                assert name not in columns, name
                columns[name] = column if isinstance(column, pl.Series) else pl.Series(column, nan_to_null=True)
        return pl.DataFrame(columns)

    def _named_events(self, rows: IndexArray) -> dict[str, pl.Series]:
        """What names an event: its user and order; with them its time."""
        names = [name for name in (USER, EVENT_ORDER, TIMESTAMP) if name != self.book.by]
        frame = self.book.events.frame
        ordered = len(rows) > 0 and self.book.order is None
        return {
            name: frame[name].slice(int(rows[0]), len(rows)) if ordered else frame[name].gather(rows) for name in names
        }

    def _unknown(self, schema: Mapping[str, pl.DataType] | None) -> pl.DataFrame:
        """Rows of events that stand in no line: their key or time is unknown, and so is everything else."""
        if schema is None:
            raise DataError(
                f"No event has both a known {self.book.by} and a known time.",
                hint="Group by another column, or by user.",
            )
        rows = self.book.outside
        known = self._named_events(rows)
        if self.book.by != ALL:
            known[self.book.by] = self.book.events.frame[self.book.by].gather(rows)
        one = {name: pl.Series([None], dtype=dtype) for name, dtype in schema.items()}
        return pl.DataFrame({name: known.get(name, null.new_from_index(0, len(rows))) for name, null in one.items()})

    def _check_names(self, tables: Sequence[Table]) -> None:
        taken = [*self.book.events.frame.columns]
        for table in tables:
            for name in table.columns.columns:
                if name in taken:
                    raise DataError(
                        f"{table.name}: the column {name} is there already.", hint="Rename it in the table."
                    )
                taken.append(name)


def compute_features(
    events: Events,
    by: str = "user",
    at: str | date = EVENTS,
    *,
    groups: Sequence[str] | None = None,
    windows: Iterable[str] = WINDOWS,
    half_lives: Iterable[str] = HALF_LIVES,
    tables: Mapping[str, pl.DataFrame] | None = None,
    relations: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """What is known of users, items, a column's values or the whole log, as of a moment; nothing at or after it.

    Args:
        events: Cleaned.
        by: `user`, `item`, `all`, or a column such as `category`.
        at: `events` (just before every event), a time, or the step of a regular grid such as `1d`.
        groups: Names of groups; None: all that the log has what they need for.
        windows: Trailing windows: `30min`, `7d`; `n10`, the last ten events; `all`, everything before.
        half_lives: Of the decayed counts.
        tables: External tables by name: the key, `valid_from`, maybe `valid_to` and `known_at`, and columns to join.
        relations: `user_id, other_id, valid_from`, maybe `valid_to`: whose events the circle features count.

    Returns:
        For events, one row for each, in the order of `events.frame`. Else one row per key and time at which the key had
        some event before, by key, then time.

    Raises:
        DataError: The log lacks what was asked for; a table overlaps, or cannot say since when its rows were known.
        RecipeError: A window, step, time or group that is none.
    """
    blocks = FeatureBlocks(
        events,
        by,
        at,
        groups=groups,
        windows=windows,
        half_lives=half_lives,
        tables=tables,
        relations=relations,
    )
    made = list(blocks.numbered())
    frames = [frame for _, frame in made]
    if not frames:
        raise DataError("No key had an event before the time asked for.", hint="Ask for a later time.")
    frame = pl.concat(frames)
    rows = [row_B for row_B, _ in made if row_B is not None]
    if not rows or blocks.book.order is None:
        return frame
    return frame[np.argsort(np.concatenate(rows))]


def write_features(
    events: Events,
    path: str | os.PathLike[str],
    by: str = "user",
    at: str | date = EVENTS,
    *,
    groups: Sequence[str] | None = None,
    windows: Iterable[str] = WINDOWS,
    half_lives: Iterable[str] = HALF_LIVES,
    tables: Mapping[str, pl.DataFrame] | None = None,
    relations: pl.DataFrame | None = None,
) -> int:
    """As `compute_features`, streamed to a Parquet file block by block; rows stand by key, then time.

    Returns:
        The number of rows.

    Raises:
        DataError: See `compute_features`.
        RecipeError: See `compute_features`.
        StoreError: The file cannot be written.
    """
    blocks = FeatureBlocks(
        events,
        by,
        at,
        groups=groups,
        windows=windows,
        half_lives=half_lives,
        tables=tables,
        relations=relations,
    )
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        rows = write_parquet(blocks, beside)
        beside.replace(path)
    except OSError as error:
        raise StoreError(f"Cannot write {path}: {error.strerror or error}.", hint="Choose another place.") from error
    finally:
        with suppress(OSError):
            beside.unlink()
    return rows


def write_parquet(frames: Iterable[pl.DataFrame], path: Path) -> int:
    """Write row groups as they come; one is compressed while the next is made.

    Floats are not put into dictionaries: hardly any repeats.

    Returns:
        The number of rows.
    """
    import pyarrow.parquet

    writer, rows = None, 0
    with ThreadPoolExecutor(1) as aside:
        waiting: Future[None] | None = None
        try:
            for frame in frames:
                table = frame.to_arrow()
                rows += frame.height
                if writer is None:
                    named = [name for name, dtype in frame.schema.items() if not dtype.is_float()]
                    writer = pyarrow.parquet.ParquetWriter(
                        path, table.schema, compression="zstd", compression_level=1, use_dictionary=named
                    )
                if waiting is not None:
                    waiting.result()
                waiting = aside.submit(writer.write_table, table.cast(writer.schema))
            if waiting is not None:
                waiting.result()
        finally:
            if writer is not None:
                if waiting is not None:
                    waiting.exception()
                writer.close()
    return rows
