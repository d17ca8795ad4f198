"""What reading yields: a table as it was found, and where each of its rows stood.

In: nothing. Out: `RawTable`, which the readers fill and `horae.data.columns` understands. It knows neither columns nor
times; its one duty is that a message about a row can name the file and the row in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.errors import DataError
from horae.schema import Step

__all__ = ["Part", "RawTable", "read_share"]

NO_GAPS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Part:
    """One file's share of a table.

    Attributes:
        name: The file as the user named it.
        rows: How many rows of the table came from it.
        first_row: The row of the file that became its first row of the table; a header is row 1, blank rows count.
        gaps: Rows of the file, ascending, that did not come into the table (unreadable or blank).
    """

    name: str
    rows: int
    first_row: int = 1
    gaps: npt.NDArray[np.int64] = field(default_factory=lambda: NO_GAPS)

    def row(self, index: int) -> int:
        """The row in the file of the part's row `index`, counted from 0."""
        kept_before_gap = self.gaps - self.first_row - np.arange(len(self.gaps))
        return self.first_row + index + int(np.searchsorted(kept_before_gap, index, side="right"))


@dataclass(frozen=True, eq=False)
class RawTable:
    """A log as it was found.

    Attributes:
        frame: Text formats: every column String. Others: the dtypes that they came with.
        source: What was read, in words for messages; never holds a password.
        steps: What was understood about the format, and what could not be read.
        first_row: The file row of the frame's first row.
        parts: The files behind it, in order.
    """

    frame: pl.DataFrame
    source: str
    steps: list[Step] = field(default_factory=list)
    first_row: int = 1
    parts: tuple[Part, ...] = ()

    def where(self, index: int) -> str:
        """`file:row` of a row of the frame, counted from 0."""
        for part in self.parts:
            if index < part.rows:
                return f"{part.name}:{part.row(index)}"
            index -= part.rows
        return f"{self.source}:{self.first_row + index}"

    @property
    def set_aside(self) -> int:
        """Rows that could not be read at all, and so are not in the frame."""
        return sum(step.rows for step in self.steps if step.kind == "set_aside")


def read_share(bad: int, rows: int, max_bad: float, message: str, examples: Sequence[str], hint: str) -> None:
    """Refuse where more than `max_bad` of the rows are bad; the one place where the line is drawn.

    Args:
        bad: How many rows are bad.
        rows: Of how many.
        max_bad: The share that is borne.
        message: What was expected of a row, and that it was not so.
        examples: Bad rows, the first one first.
        hint: What to do.

    Raises:
        DataError: Too many; names the first bad row.
    """
    if bad and bad > max_bad * rows:
        raise DataError(
            f"{message} First: {examples[0]} ({bad:,} of {rows:,} rows; at most {max_bad:.2%} are set aside).",
            hint=hint,
        )
