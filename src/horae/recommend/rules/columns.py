"""A catalog in, its columns laid beside the item table out: row i is item index i, row 0 nobody's.

Text is held as codes, so that a comparison looks at each distinct text once. This module does not know rules.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.schema import ITEM, IndexArray
from horae.sequences.vocabulary import Vocabulary

__all__ = ["Column", "Columns", "Lists", "Numbers", "Texts", "Truths", "as_read"]

FloatArray = npt.NDArray[np.float64]
ISO_TIMES = (
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d",
)
SEPARATORS = ("|", ";")
"""Between the entries of a list that a file holds as text."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers, or seconds since 1970 (`kind` time), or seconds (duration); NaN = unknown."""

    kind: str
    value_I: FloatArray


@dataclass(frozen=True, eq=False)
class Truths:
    """Yes or no; neither where unknown."""

    true_I: npt.NDArray[np.bool_]
    false_I: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Texts:
    """`names[code_I[i]]` is the text of item i; -1 = unknown."""

    code_I: npt.NDArray[np.int64]
    names: list[str]

    @cached_property
    def code_of(self) -> dict[str, int]:
        """The code of each text."""
        return {name: code for code, name in enumerate(self.names)}

    @cached_property
    def as_lists(self) -> Lists:
        """Each text taken apart at `|` or `;`; one without them is a list of one."""
        separator = next((one for one in SEPARATORS if any(one in name for name in self.names)), None)
        pieces = [[p.strip() for p in name.split(separator)] if separator else [name] for name in self.names]
        entry_of = {entry: code for code, entry in enumerate(dict.fromkeys(p for piece in pieces for p in piece))}
        own = [np.array([entry_of[p] for p in dict.fromkeys(piece)], dtype=np.int64) for piece in pieces]
        nothing = np.empty(0, dtype=np.int64)
        return Lists.of([own[code] if code >= 0 else nothing for code in self.code_I], list(entry_of), self.code_I >= 0)


@dataclass(frozen=True, eq=False)
class Lists:
    """Item i has the entries `names[code_E[offset_I1[i]:offset_I1[i + 1]]]`.

    Attributes:
        offset_I1: int64 [I + 2].
        code_E: Codes of all entries, item after item.
        names: The distinct entries.
        known_I: False where nothing is known; an empty list is known.
    """

    offset_I1: IndexArray
    code_E: IndexArray
    names: list[str]
    known_I: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, entries: list[IndexArray], names: list[str], known_I: npt.NDArray[np.bool_]) -> Lists:
        """From one array of codes for each item."""
        ends = np.cumsum([len(one) for one in entries], dtype=np.int64)
        codes = np.concatenate([np.empty(0, dtype=np.int64), *entries])
        return cls(np.concatenate([[0], ends]), codes, names, known_I)

    @cached_property
    def code_of(self) -> dict[str, int]:
        """The code of each entry."""
        return {name: code for code, name in enumerate(self.names)}

    @cached_property
    def item_E(self) -> IndexArray:
        """The item of each entry."""
        return np.repeat(np.arange(len(self.known_I)), np.diff(self.offset_I1))

    def entries(self, item: int) -> IndexArray:
        """The codes of one item."""
        return self.code_E[self.offset_I1[item] : self.offset_I1[item + 1]]

    def among(self, item_N: IndexArray) -> tuple[IndexArray, IndexArray]:
        """Place in `item_N` and code of each entry of some items."""
        first_N, count_N = self.offset_I1[item_N], self.offset_I1[item_N + 1] - self.offset_I1[item_N]
        place_E = np.repeat(np.arange(len(item_N)), count_N)
        index_E = np.arange(len(place_E)) - np.repeat(np.cumsum(count_N) - count_N, count_N) + first_N[place_E]
        return place_E, self.code_E[index_E]

    def holding(self, entry: str) -> npt.NDArray[np.bool_]:
        """Items whose list has the entry."""
        found = np.zeros(len(self.known_I), dtype=np.bool_)
        found[self.item_E[self.code_E == self.code_of.get(entry, -1)]] = True
        return found


Column = Numbers | Truths | Texts | Lists


class Columns:
    """The columns of a catalog, laid out when they are first asked for.

    Args:
        items: The item table.
        catalog: Attributes by `item_id`; None: `item_id` is the only column.
    """

    def __init__(self, items: Vocabulary, catalog: pl.DataFrame | None) -> None:
        self.size = len(items) + 1
        ids = items.all.alias(ITEM)
        if catalog is None:
            self._frame = pl.DataFrame({ITEM: ids.cast(pl.String)})
        else:
            index = items.indices(catalog[ITEM])
            row_I = np.full(self.size, -1, dtype=np.int64)
            row_I[index] = np.arange(len(index))
            row = pl.Series("row", row_I[1:]).replace({-1: None})
            self._frame = catalog.drop(ITEM).select(pl.all().gather(row)).with_columns(ids.cast(pl.String))
        self.has_catalog = catalog is not None
        self._laid: dict[str, Column] = {}

    @property
    def names(self) -> list[str]:
        """The columns that rules may name."""
        return self._frame.columns

    def near(self, name: str) -> str:
        """What may have been meant by an unknown column, and what there is."""
        if not self.has_catalog:
            return "The run has no catalog: train with --catalog FILE."
        close = difflib.get_close_matches(name, self.names, n=1)
        known = f"The catalog has: {', '.join(self.names)}."
        return f"Did you mean `{close[0]}`? {known}" if close else known

    def __getitem__(self, name: str) -> Column:
        if name not in self._laid:
            column = self._frame[name]
            self._laid[name] = _laid_out(column if name == ITEM else as_read(column))
        return self._laid[name]

    def unread(self, name: str, kind: str) -> str:
        """What keeps a column of text from being read as numbers or times; empty if nothing does."""
        column = self._frame[name]
        if name == ITEM or column.dtype != pl.String or kind not in READ_AS:
            return ""
        told, read = READ_AS[kind]
        odd = column.filter(column.is_not_null() & ~read(column))
        return f"`{name}` was read as text: {odd[0]!r} is {told}. Mend the catalog and train again." if len(odd) else ""

    def lists(self, name: str) -> Lists:
        """A column of groups: a list, or one entry for each text, number or yes and no."""
        column = self[name]
        if isinstance(column, Lists):
            return column
        if isinstance(column, Texts):
            return column.as_lists
        text = _laid_out(self._frame[name].cast(pl.String))
        assert isinstance(text, Texts)
        return text.as_lists


def as_read(column: pl.Series) -> pl.Series:
    """A column of text, as files without types have it, as what all of its values are: numbers, yes and no, times."""
    if column.dtype != pl.String or column.null_count() == len(column):
        return column
    number = column.cast(pl.Float64, strict=False)
    if number.null_count() == column.null_count():
        return number
    truth = column.str.to_lowercase().replace_strict({"true": True, "false": False}, default=None)
    if truth.null_count() == column.null_count():
        return truth.cast(pl.Boolean)
    for pattern in ISO_TIMES:
        time = column.str.to_datetime(pattern, time_unit="us", strict=False)
        if time.null_count() == column.null_count():
            return time
    return column


def _are_numbers(column: pl.Series) -> pl.Series:
    return column.cast(pl.Float64, strict=False).is_not_null()


def _are_times(column: pl.Series) -> pl.Series:
    """Which texts are ISO times, whatever the others are."""
    read = pl.Series([False]).new_from_index(0, len(column))
    for pattern in ISO_TIMES:
        read |= column.str.to_datetime(pattern, time_unit="us", strict=False).is_not_null()
    return read


READ_AS = {
    "number": ("no number such as 12.5", _are_numbers),
    "time": ("no date such as 2024-05-31", _are_times),
}
"""What a value of text lacks, where the other side of a comparison is of such a kind."""


def _laid_out(column: pl.Series) -> Column:
    """The values as arrays, with row 0 before them."""
    dtype = column.dtype
    if dtype == pl.Boolean:
        value = column.fill_null(False).to_numpy()
        return Truths(_led(value, False), _led(~value & column.is_not_null().to_numpy(), False))
    if dtype.is_numeric():
        return Numbers("number", _led(column.cast(pl.Float64).fill_null(float("nan")).to_numpy(), np.nan))
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        micro = column.cast(pl.Datetime("us")).to_physical().cast(pl.Float64)
        return Numbers("time", _led((micro / 1e6).fill_null(float("nan")).to_numpy(), np.nan))
    if isinstance(dtype, pl.Duration):
        micro = column.cast(pl.Duration("us")).to_physical().cast(pl.Float64)
        return Numbers("duration", _led((micro / 1e6).fill_null(float("nan")).to_numpy(), np.nan))
    if isinstance(dtype, pl.List | pl.Array):
        return _lists(column)
    text = column.cast(pl.String)
    names = text.drop_nulls().unique().sort()
    code = text.replace_strict(names, np.arange(len(names)), default=None, return_dtype=pl.Int64)
    return Texts(_led(code.fill_null(-1).to_numpy(), -1), names.to_list())


def _lists(column: pl.Series) -> Lists:
    """Lists of anything, their entries as text."""
    frame = pl.DataFrame({"item": np.arange(1, len(column) + 1), "entry": column.cast(pl.List(pl.String))})
    rows = frame.explode("entry", empty_as_null=True).drop_nulls("entry").unique(["item", "entry"], maintain_order=True)
    names = rows["entry"].unique().sort()
    code = rows["entry"].replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
    count_I = np.bincount(rows["item"].to_numpy(), minlength=len(column) + 1)
    offsets = np.concatenate([[0], np.cumsum(count_I)])
    return Lists(offsets, code, names.to_list(), _led(column.is_not_null().to_numpy(), False))


def _led(values: npt.NDArray[Any], first: object) -> npt.NDArray[Any]:
    return np.concatenate([np.array([first], dtype=values.dtype), values])
