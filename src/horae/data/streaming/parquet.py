"""Parquet files as one long table, of which any stretch of rows can be read alone.

In: a path, glob or folder. Out: `ParquetLog`. It knows neither columns nor times; rows keep the order of the files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from horae.data.reading.raw import Part, RawTable
from horae.data.sources import parquet_files
from horae.errors import DataError

__all__ = ["ParquetLog"]

HEAD_ROWS, SPREAD_BLOCKS, BLOCK_ROWS = 2_000, 20, 100


@dataclass(frozen=True)
class ParquetLog:
    """Files of one schema.

    Attributes:
        name: What the user gave.
        files: In the order of their rows.
        rows: Of each file.
        hive: Whether `key=value` folders are columns.
    """

    name: str
    files: tuple[Path, ...]
    rows: tuple[int, ...]
    hive: bool

    @classmethod
    def open(cls, source: str | os.PathLike[str]) -> ParquetLog:
        """Look at the files' footers.

        Raises:
            DataError: No such file, not Parquet, files that differ in their columns, or no rows.
        """
        name = os.fspath(source)
        files, hive = parquet_files(name)
        rows = tuple(int(pl.scan_parquet(file, glob=False).select(pl.len()).collect().item()) for file in files)
        if not sum(rows):
            raise DataError(f"{name} holds no rows.", hint="Give a log with at least one event.")
        return cls(name, tuple(files), rows, hive)

    def __len__(self) -> int:
        return sum(self.rows)

    @cached_property
    def columns(self) -> list[str]:
        """Names, in the order of the first file."""
        return self._scan(self.files).collect_schema().names()

    def table(self, start: int, stop: int, columns: Sequence[str] | None = None) -> RawTable:
        """The rows from `start` to before `stop`, counted over all files; `where` of it names file and row."""
        edges = np.concatenate([[0], np.cumsum(self.rows)])
        first = int(np.searchsorted(edges, start, side="right")) - 1
        last = int(np.searchsorted(edges, stop, side="left"))
        chosen = slice(0, len(self.files)) if self.hive else slice(first, last)
        scan = self._scan(self.files[chosen]).select(list(columns or self.columns))
        try:
            frame = scan.slice(start - int(edges[chosen.start]), stop - start).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{self.name} is not readable as Parquet: {error}.", hint="Write it again.") from error
        parts = []
        for number in range(first, last):
            begin, end = max(start, int(edges[number])), min(stop, int(edges[number + 1]))
            parts.append(Part(str(self.files[number]), end - begin, begin - int(edges[number]) + 1))
        return RawTable(frame, self.name, [], 1, tuple(parts))

    def chunks(self, rows: int, columns: Sequence[str] | None = None) -> Iterator[tuple[int, RawTable]]:
        """The whole log in stretches of at most `rows`, each with the number of its first row."""
        for start in range(0, len(self), rows):
            yield start, self.table(start, min(start + rows, len(self)), columns)

    def sample(self) -> RawTable:
        """The first rows, and as many in blocks spread over the rest; the whole of a small log."""
        spread = SPREAD_BLOCKS * BLOCK_ROWS
        if len(self) <= HEAD_ROWS + spread:
            return self.table(0, len(self))
        starts = np.linspace(HEAD_ROWS, len(self) - BLOCK_ROWS, SPREAD_BLOCKS).astype(int)
        spans = [(0, HEAD_ROWS), *((int(start), int(start) + BLOCK_ROWS) for start in starts)]
        tables = [self.table(*span) for span in spans]
        parts = tuple(part for table in tables for part in table.parts)
        return RawTable(pl.concat([table.frame for table in tables]), self.name, [], 1, parts)

    def unknown(self, column: str) -> int:
        """Cells of a column that hold no whole number."""
        number = pl.col(column).cast(pl.Int64, strict=False)
        return int(self._scan(self.files).select(number.null_count()).collect(engine="streaming").item())

    def _scan(self, files: Sequence[Path]) -> pl.LazyFrame:
        return pl.scan_parquet(list(files), hive_partitioning=self.hive, glob=False)
