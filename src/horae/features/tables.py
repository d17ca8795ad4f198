"""External tables, each row with the time in which it holds, joined as of the moment: profiles, prices, states.

In: a frame with the key, `valid_from`, and maybe `valid_to` and `known_at`. Out: its other columns at each moment:
those of the row that holds and is known then. A row that begins, or becomes known, later is never seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import polars as pl

from horae.data.validity import KNOWN_AT, ROW, VALID_FROM, VALID_TO, valid_rows
from horae.errors import DataError
from horae.features.book import ALL, LineBlock
from horae.features.group import Column, Feature, Wishes, blank
from horae.features.moments import Moments
from horae.features.scans import IndexArray
from horae.features.validity import KeyRows

__all__ = ["Table", "Tables", "key_of"]

NOT_HELD: Final = "no row of the key holds and is known then, or the cell is empty; the moment's time is unknown"


class Table:
    """One table, checked and in order.

    Args:
        frame: Key, `valid_from`, maybe `valid_to` and `known_at`, and columns to join.
        key: The column that names the key; None where the table speaks of the whole log.
        name: For errors.
        zone: Of times that name none.

    Raises:
        DataError: See `valid_rows`; or nothing to join.
    """

    def __init__(self, frame: pl.DataFrame, key: str | None, name: str, zone: str = "UTC") -> None:
        self.name = name
        rows = valid_rows(frame, [] if key is None else [key], name, zone)
        self._from_R, self._to_R, self._known_R = (
            rows[column].to_numpy() for column in (VALID_FROM, VALID_TO, KNOWN_AT)
        )
        self._keys = None if key is None else KeyRows(rows[key])
        self.columns = rows.drop(VALID_FROM, VALID_TO, KNOWN_AT, ROW, *([] if key is None else [key]))
        if not self.columns.width:
            raise DataError(f"{name} has no column besides its key and times.", hint="Give something to join.")
        self.columns = self.columns.select(_typed(column) for column in self.columns)

    def rows_at(self, lines: LineBlock, at: Moments) -> IndexArray:
        """The row that holds and is known at each moment; -1 where there is none."""
        if self._keys is None:
            begin_B, end_B = np.zeros(len(at), np.int64), np.full(len(at), len(self._from_R))
        else:
            begin_B, end_B = (of_K[at.line_B] for of_K in self._keys.spans(lines))
        row_B = _last_at_or_before(self._from_R, begin_B, end_B, at.time_B)
        held_B = row_B >= begin_B
        if at.clear_B is not None:
            held_B &= at.clear_B
        time_B, row_B = at.time_B, np.maximum(row_B, 0)
        return np.where(held_B & (time_B < self._to_R[row_B]) & (self._known_R[row_B] <= time_B), row_B, -1)


@dataclass(frozen=True)
class Tables:
    """Columns of external tables."""

    tables: tuple[Table, ...]

    needs: ClassVar[str] = "tables (tables=..., --table FILE)"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("{column}", "the column's own", NOT_HELD, "The table's column in the row that holds at the moment."),
    )

    @classmethod
    def of(cls, wishes: Wishes) -> Tables | None:
        """Where tables are given."""
        return cls(wishes.tables) if wishes.tables else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        columns: dict[str, Column] = {}
        for table in self.tables:
            row_B = table.rows_at(lines, at)
            for column in table.columns:
                if column.dtype == pl.Float64:
                    x_R = column.fill_null(float("nan")).to_numpy()
                    columns[column.name] = blank(x_R[np.maximum(row_B, 0)], row_B < 0)
                else:
                    text = column.gather(np.maximum(row_B, 0))
                    columns[column.name] = text.zip_with(pl.Series(row_B >= 0), pl.Series([None], dtype=column.dtype))
        return columns


def key_of(by: str) -> str | None:
    """The key column that a table must have to be joined to lines of `by`."""
    return None if by == ALL else by


def _last_at_or_before(time_R: IndexArray, begin_B: IndexArray, end_B: IndexArray, time_B: IndexArray) -> IndexArray:
    """Bisection in each moment's own stretch: the last row at or before its time, or one before the stretch."""
    low_B, high_B = begin_B.copy(), end_B.copy()
    while (open_ := np.flatnonzero(low_B < high_B)).size:
        middle = (low_B[open_] + high_B[open_]) // 2
        before = time_R[middle] <= time_B[open_]
        low_B[open_[before]] = middle[before] + 1
        high_B[open_[~before]] = middle[~before]
    return low_B - 1


def _typed(column: pl.Series) -> pl.Series:
    """Numbers (also as text, and Booleans) as Float64, all else as text."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column.cast(pl.Float64)
    text = column.cast(pl.String)
    number = text.cast(pl.Float64, strict=False)
    return number if number.null_count() == text.null_count() < len(text) else text
