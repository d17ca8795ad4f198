"""Features as of any moment, of users, items, any column or the whole log: one frame, or a file written as it is made.

In: `Events`, a key, moments, groups. Out: one row per moment, by key, then time: the key, `timestamp` (and for events
`user_id` and `event_order`, which name the event), then float32 columns. The work goes through blocks of whole lines,
so memory is bounded by the log and one block. It reads no clock and no file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from horae.errors import DataError, StoreError
from horae.features.asking import EVENTS, AtEvents, AtRows, asked
from horae.features.book import ALL, BLOCK, LineBlock, LineBook
from horae.features.group import Group, Wishes
from horae.features.groups import chosen
from horae.features.moments import Moments
from horae.features.promotions import Promotions
from horae.features.scans import IndexArray
from horae.features.settings import FeatureSettings
from horae.features.spans import durations, windows_of
from horae.features.tables import Table, key_of
from horae.features.writing import write_parquet
from horae.schema import EVENT_ORDER, TIME_TYPE, TIMESTAMP, USER, Events

__all__ = ["FeatureBlocks", "compute_features", "write_features"]


class FeatureBlocks:
    """What was asked, checked before any work; iterating makes the frames, block by block.

    Args:
        events: As of `compute_features`, like all else but `block`.
        by: As there.
        at: As there.
        settings: As there.
        tables: As there.
        relations: As there.
        promotions: As there.
        block: About how many events, or moments, are worked on at a time; changes nothing but memory.

    Raises:
        DataError: See `compute_features`.
        RecipeError: See `compute_features`.
    """

    def __init__(
        self,
        events: Events,
        by: str = "user",
        at: str | date | pl.DataFrame = EVENTS,
        settings: FeatureSettings | None = None,
        *,
        tables: Mapping[str, pl.DataFrame] | None = None,
        relations: pl.DataFrame | None = None,
        promotions: pl.DataFrame | None = None,
        block: int = BLOCK,
    ) -> None:
        settings = settings or FeatureSettings()
        zone = settings.timezone
        self.book = LineBook(events, by)
        self._block = block
        self.asked = asked(at, events, self.book.by, zone)
        joined = tuple(Table(frame, key_of(self.book.by), name, zone) for name, frame in (tables or {}).items())
        wishes = Wishes(
            self.book,
            windows_of(settings.windows),
            durations(settings.half_lives, "half-life"),
            relations,
            joined,
            zone,
            settings.calendar,
            None if promotions is None else Promotions.of(promotions),
        )
        self.groups: dict[str, Group] = chosen(settings.groups, wishes)
        self._check_names(joined)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for _, frame in self.numbered():
            yield frame

    def numbered(self) -> Iterator[tuple[IndexArray | None, pl.DataFrame]]:
        """Frames, each with the numbers of its rows in the answer; None where they come in order."""
        schema: Mapping[str, pl.DataType] | None = None
        for number_B, at in self.asked.moments(self.book, self._block):
            frame = self._frame(at.lines, at)
            schema = schema or frame.schema
            yield number_B, frame
        if isinstance(self.asked, AtEvents) and len(self.book.outside):
            yield self.book.outside, self._unknown(schema)
        elif schema is None:
            raise DataError("No key had an event before the time asked for.", hint="Ask for a later time.")

    @property
    def rows(self) -> int | None:
        """How many rows there will be; None where only the work tells (grids and times)."""
        if isinstance(self.asked, AtRows):
            return len(self.asked.time_R)
        return len(self.book.events) if isinstance(self.asked, AtEvents) else None

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
    at: str | date | pl.DataFrame = EVENTS,
    settings: FeatureSettings | None = None,
    *,
    tables: Mapping[str, pl.DataFrame] | None = None,
    relations: pl.DataFrame | None = None,
    promotions: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """What is known of users, items, a column's values or the whole log, as of a moment; nothing at or after it.

    Args:
        events: Cleaned.
        by: `user`, `item`, `all` (the whole log), or a column such as `category`.
        at: `events` (just before every event), a time, the step of a regular grid such as `1d`, or a frame of requests:
            the key and `timestamp`, one row for each.
        settings: Which groups, windows and half-lives, and on whose calendar.
        tables: External tables by name: the key, `valid_from`, maybe `valid_to` and `known_at`, and columns to join.
        relations: `user_id, other_id, valid_from`, maybe `valid_to`: whose events the circle features count.
        promotions: `name, start, end`, maybe `known_at`: for the calendar.

    Returns:
        For events and requests one row for each, in their order. Else one row per key and time at which the key had
        some event before, by key, then time.

    Raises:
        DataError: The log lacks what was asked for; a table overlaps, or cannot say since when its rows were known.
        RecipeError: A step or time that is none.
    """
    blocks = FeatureBlocks(events, by, at, settings, tables=tables, relations=relations, promotions=promotions)
    made = list(blocks.numbered())
    frames = [frame for _, frame in made]
    frame = pl.concat(frames)
    numbers = [number_B for number_B, _ in made if number_B is not None]
    order = np.concatenate(numbers) if numbers else np.zeros(0, np.int64)
    return frame if (np.diff(order) > 0).all() else frame[np.argsort(order)]


def write_features(
    events: Events,
    path: str | os.PathLike[str],
    by: str = "user",
    at: str | date | pl.DataFrame = EVENTS,
    settings: FeatureSettings | None = None,
    *,
    tables: Mapping[str, pl.DataFrame] | None = None,
    relations: pl.DataFrame | None = None,
    promotions: pl.DataFrame | None = None,
) -> int:
    """As `compute_features`, streamed to a Parquet file block by block; rows stand by key, then time.

    Returns:
        The number of rows.

    Raises:
        DataError: See `compute_features`.
        RecipeError: See `compute_features`.
        StoreError: The file cannot be written.
    """
    blocks = FeatureBlocks(events, by, at, settings, tables=tables, relations=relations, promotions=promotions)
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
