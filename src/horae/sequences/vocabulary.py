"""Ids in, indices out, and back. Index 0 is "unknown" everywhere (and padding in a batch).

Append-only: an index once given is never given to another id, so item tables can grow in place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.errors import DataError
from horae.schema import Id, IndexArray

__all__ = ["Vocabulary"]

SMALL = 2_000
DENSE = 8
"""A row of all numbers from the lowest to the highest id may be so many times as long as there are ids."""
LONGEST_NUMBER = 40
"""Characters; longer text is no id number, and Python refuses to read very long ones."""


class Vocabulary:
    """Ids with indices from 1, in the order in which they were given.

    Args:
        ids: Distinct, no nulls; their dtype is the caller's and stays.
    """

    def __init__(self, ids: pl.Series) -> None:
        self._ids = ids.rename("id")
        self._late: list[Id] = []
        self._lookup: dict[Id, int] | None = None
        self._range = _range_of(self._ids.dtype)
        self._is_text = self._ids.dtype == pl.String

    @classmethod
    def of(cls, ids: pl.Series) -> Vocabulary:
        """The distinct ids in sorted order, so that the same data gives the same indices."""
        return cls(ids.drop_nulls().unique().sort())

    def __len__(self) -> int:
        return len(self._ids) + len(self._late)

    @property
    def all(self) -> pl.Series:
        """Every id; the id at row r has index r + 1."""
        return self._whole

    def indices(self, ids: pl.Series | Sequence[Id]) -> IndexArray:
        """Indices of the given ids, 0 where unknown. Text finds numbers and numbers find text: `196` is `"196"`."""
        if len(ids) <= SMALL or not isinstance(ids, pl.Series):
            lookup = self._dictionary()
            return np.fromiter((lookup.get(self._native(value), 0) for value in ids), dtype=np.int64, count=len(ids))
        wanted = self._as_own_type(ids).rename("id")
        if self._ids.dtype.is_integer() and (found := self._by_number(wanted)) is not None:
            return found
        table = pl.DataFrame({"id": self._whole, "index": np.arange(1, len(self) + 1, dtype=np.int64)})
        joined = wanted.to_frame().join(table, on="id", how="left", maintain_order="left")
        return joined["index"].fill_null(0).to_numpy()

    def index(self, value: Id) -> int:
        """Index of one id, 0 where unknown."""
        return self._dictionary().get(self._native(value), 0)

    def ids(self, indices: npt.NDArray[np.integer]) -> pl.Series:
        """Ids at the given indices, in the caller's dtype."""
        return self._whole[np.asarray(indices, dtype=np.int64) - 1]

    def append(self, ids: Sequence[Id] | pl.Series) -> None:
        """Give the next indices to ids not known yet; those known keep theirs.

        Raises:
            DataError: A text that is no number, or a number too large, where the ids are numbers. Nothing was changed.
        """
        fresh, lookup = self.unknown(ids), self._dictionary()
        for value in fresh:
            lookup[value] = len(lookup) + 1
        self._late.extend(fresh)

    def unknown(self, ids: Sequence[Id] | pl.Series) -> list[Id]:
        """Those of the ids that are not known yet, each once, as `append` would keep them.

        Raises:
            DataError: A text that is no number, or a number too large, where the ids are numbers.
        """
        lookup = self._dictionary()
        fresh = [value for value in dict.fromkeys(map(self._native, ids)) if value not in lookup]
        strange = [value for value in fresh if isinstance(value, str) and not self._is_text]
        if strange:
            raise DataError(
                f"The id {strange[0]!r} is not of this run's kind: its ids are numbers ({self._ids.dtype}).",
                hint="Give the ids as they stand in the log that the run was trained on.",
            )
        return fresh

    @property
    def _whole(self) -> pl.Series:
        """All ids as one column; ids that came one by one join it when somebody reads it."""
        if self._late:
            self._ids = pl.concat([self._ids, pl.Series("id", self._late, dtype=self._ids.dtype)], rechunk=True)
            self._late = []
        return self._ids

    def _by_number(self, wanted: pl.Series) -> IndexArray | None:
        """Indices of numbers, looked up where they stand in a row of all numbers; None where that row were too long."""
        low, high = self._bounds()
        if high - low >= DENSE * len(self) or high >= 2**63:
            return None
        index_R = np.zeros(high - low + 1, dtype=np.int64)
        index_R[self._whole.cast(pl.Int64).to_numpy() - low] = np.arange(1, len(self) + 1)
        number = wanted.cast(pl.Int64, strict=False).fill_null(low - 1 if low > -(2**63) else high + 1).to_numpy()
        inside = (number >= low) & (number <= high)
        return np.where(inside, index_R[np.where(inside, number, low) - low], 0)

    def _bounds(self) -> tuple[int, int]:
        low, high = self._whole.min(), self._whole.max()
        return (low, high) if isinstance(low, int) and isinstance(high, int) else (0, -1)

    def _dictionary(self) -> dict[Id, int]:
        if self._lookup is None:
            self._lookup = {value: index for index, value in enumerate(self._whole.to_list(), start=1)}
        return self._lookup

    def _native(self, value: object) -> Id:
        """The value in this vocabulary's type; text that is no number of that type, as it is spelled, stays text."""
        text = str(value)
        if self._is_text or len(text) > LONGEST_NUMBER or not text.removeprefix("-").isdecimal():
            return text
        number = int(text)
        return number if str(number) == text and self._range[0] <= number <= self._range[1] else text

    def _as_own_type(self, ids: pl.Series) -> pl.Series:
        if ids.dtype == self._ids.dtype:
            return ids
        if self._is_text:
            return ids.cast(pl.String)
        if ids.dtype == pl.String:
            numbers = ids.cast(self._ids.dtype, strict=False)
            return pl.select(pl.when(numbers.cast(pl.String) == ids).then(numbers)).to_series()
        return ids.cast(self._ids.dtype, strict=False)


def _range_of(dtype: pl.DataType) -> tuple[int, int]:
    """The smallest and the largest number of an integer type; of others, a range that holds none."""
    if not dtype.is_integer():
        return 0, -1
    low, high = pl.select(low=dtype.min(), high=dtype.max()).row(0)  # type: ignore[attr-defined]
    return int(low), int(high)
