"""Many series on one grid of bins.

In: rows of (series, bin, value). Out: `SeriesTable`, dense: one row per series, one column per bin. It knows neither
events nor files, and forecasts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from horae.errors import DataError
from horae.forecasting.series.ahead import Ahead
from horae.forecasting.series.every import Every, Floats, Ints

__all__ = ["BIN", "KEY", "MOST_CELLS", "SIZE", "SeriesTable", "dense", "largest"]

KEY: Final = "key"
BIN: Final = "bin"
SIZE: Final = "size"
VALUE: Final = "value"
MOST_CELLS: Final = 30_000_000
"""Series times bins: 240 MB of numbers."""


@dataclass(frozen=True, eq=False)
class SeriesTable:
    """Series by bins.

    Attributes:
        keys: What each series is of; the caller's ids.
        value_ST: One row per series, one column per bin; NaN before a series' first bin and where nothing is known.
        first_bin: The number of the first column's bin.
        every: The bins.
        season: Bins after which habits begin again.
        notes: What was left out or assumed, in sentences.
        ahead: What is known of bins before they come.
    """

    keys: pl.Series
    value_ST: Floats
    first_bin: int
    every: Every
    season: int
    notes: tuple[str, ...] = ()
    ahead: Ahead | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def num_bins(self) -> int:
        """Columns."""
        return int(self.value_ST.shape[1])

    @property
    def first_S(self) -> Ints:
        """The column of each series' first value."""
        first: Ints = np.argmax(~np.isnan(self.value_ST), axis=1)
        return first

    def bins(self, start: int, stop: int) -> Ints:
        """The numbers of the bins of columns; those past the last column are the future's."""
        return np.arange(start, stop, dtype=np.int64) + self.first_bin

    def until(self, column: int) -> SeriesTable:
        """The same series as they were known before a column."""
        return replace(self, value_ST=self.value_ST[:, :column])

    def rows(self, chosen: Sequence[int] | Ints) -> SeriesTable:
        """Some of the series."""
        rows = np.asarray(chosen)
        ahead = None if self.ahead is None else replace(self.ahead, key_S=self.ahead.key_S[rows])
        return replace(self, keys=self.keys[rows], value_ST=self.value_ST[rows], ahead=ahead)


def largest(
    cells: pl.DataFrame, most: int, last_bin: int, zero: bool, minimum: int = 2
) -> tuple[pl.DataFrame, list[str]]:
    """The series worth a forecast: those with values enough, and of these the largest; what was left out in words.

    Args:
        cells: `key`, `bin`, `value`, `size`: how much each cell counts for a series' size.
        most: How many series.
        last_bin: Where every series ends.
        zero: Is a bin without a cell zero, and so known?
        minimum: Known values that a series must have.

    Raises:
        DataError: None is left.
    """
    known = last_bin - pl.col(BIN).min() + 1 if zero else pl.col(VALUE).count().cast(pl.Int64)
    sizes = cells.group_by(KEY).agg(pl.col(SIZE).sum(), known.alias("known"))
    enough = sizes.filter(pl.col("known") >= minimum)
    notes = []
    if short := sizes.height - enough.height:
        notes.append(f"{_series(short)} with fewer than {minimum} known values left out: nothing can be learned there.")
    if enough.is_empty():
        raise DataError(
            f"A forecast needs {minimum} whole bins with a known value; {_fewer(sizes.height)}.",
            hint="Give a longer log, take narrower bins (--every 1h), or of a log fewer series (--by all).",
        )
    chosen = enough.sort(SIZE, KEY, descending=[True, False]).head(most)
    if left := enough.height - chosen.height:
        share = 1 - float(chosen[SIZE].sum()) / max(float(enough[SIZE].sum()), 1e-300)
        notes.append(
            f"The {_series(chosen.height)} with the most are forecast; {_series(left)} ({share:.1%} of all) left out: "
            "--max-series takes more."
        )
    return chosen.select(KEY).join(cells, on=KEY, how="left", maintain_order="left"), notes


def dense(
    cells: pl.DataFrame, last_bin: int, every: Every, season: int, zero: bool, notes: Sequence[str]
) -> SeriesTable:
    """Cells on one grid, from each series' first bin to the last one.

    Args:
        cells: `key`, `bin`, `value`; series stand in the order of their first row.
        last_bin: Where every series ends.
        every: The bins.
        season: Of the table.
        zero: Is a bin without a cell zero, or unknown?
        notes: Of the table.

    Raises:
        DataError: The grid would not fit in memory.
    """
    keys = cells[KEY].unique(maintain_order=True)
    bins = cells[BIN].to_numpy()
    first = int(bins.min())
    width = last_bin - first + 1
    if len(keys) * width > MOST_CELLS:
        raise DataError(
            f"{len(keys):,} series of {width:,} bins ({every}) are more than fit in memory ({MOST_CELLS:,} values).",
            hint="Take wider bins (--every 1d), fewer series (--max-series), or look for a wrong time in the log.",
        )
    row = pl.DataFrame({KEY: keys, "row": np.arange(len(keys))})
    rows = cells.select(KEY).join(row, on=KEY, how="left", maintain_order="left", nulls_equal=True)["row"].to_numpy()
    column = bins - first
    value_ST = np.full((len(keys), width), np.nan)
    if zero:
        begin = np.full(len(keys), width)
        np.minimum.at(begin, rows, column)
        value_ST[np.arange(width) >= begin[:, None]] = 0.0
    value = cells[VALUE].cast(pl.Float64).to_numpy()
    known = ~np.isnan(value)
    value_ST[rows[known], column[known]] = value[known]
    return SeriesTable(keys, value_ST, first, every, season, tuple(notes))


def _fewer(count: int) -> str:
    return "the one series has fewer" if count == 1 else f"none of the {_series(count)} has so many"


def _series(count: int) -> str:
    return f"{count:,} series"
