"""Ids, values and positions to their types: what a cell says, and nothing invented.

In: one column. Out: the column as `Events` want it, and a `Step` about every cell that did not say what it should.
"""

from __future__ import annotations

import polars as pl

from horae.data.reading.raw import RawTable
from horae.errors import DataError
from horae.schema import Step

__all__ = ["LARGEST_VALUE", "LONGEST_ID", "as_ids", "as_position", "as_values", "possible", "too_long"]

LARGEST_VALUE = 1e30
"""Nobody measured more: sums of squares of larger numbers leave float64, and the sums themselves float32."""
LONGEST_ID = 10_000
NO_ID = ("", "NULL", "null", "None", "NaN", "nan", "\\N", "<NA>", "N/A", "NA")
"""Spellings of "no id" that programs write into text."""


def as_ids(column: pl.Series, role: str) -> tuple[pl.Series, list[Step]]:
    """Ids keep type and spelling; null where there is none.

    Whole numbers that came as floats (pandas does that to a column with gaps) become integers; enums become text.

    Raises:
        DataError: A type that cannot be an id.
    """
    dtype, steps = column.dtype, list[Step]()
    if dtype.is_integer():
        return column, steps
    if dtype.is_float() or dtype.is_decimal():
        numbers = column.cast(pl.Float64).fill_nan(None)
        if not numbers.is_finite().all() or (numbers % 1 != 0).any():
            raise DataError(
                f"Column {role} holds fractions; an id is text or a whole number.", hint="Name another column."
            )
        message = "whole numbers written as fractions (1.0) became integers."
        return numbers.cast(pl.Int64), [Step(role, "changed", 0, message)]
    if dtype.is_nested() or dtype.is_temporal() or dtype in (pl.Binary, pl.Object):
        raise DataError(f"Column {role} holds {dtype}; an id is text or a whole number.", hint="Name another column.")
    text = column.cast(pl.String) if dtype != pl.String else column
    head = text.drop_nulls().head(200)
    if len(head) and head.str.starts_with(" ").all():
        text = text.str.strip_chars_start(" ")
        steps.append(Step(role, "changed", 0, "the space before every id was taken off."))
    none = text.is_in(pl.Series(NO_ID).implode()) & text.is_not_null()
    if none.any():
        seen = tuple(repr(value) for value in text.filter(none).unique().sort().head(5).to_list())
        text = text.set(none, None)
        steps.append(Step(role, "changed", int(none.sum()), "ids that say that there is none became unknown.", seen))
    return text, steps


def too_long(ids: pl.Series) -> pl.Series | None:
    """Rows whose id cannot be meant; None where there is none."""
    if ids.dtype != pl.String:
        return None
    long = (ids.str.len_bytes() > LONGEST_ID).fill_null(False)
    return long if long.any() else None


def as_values(column: pl.Series, table: RawTable) -> tuple[pl.Series, list[Step]]:
    """Numbers; unknown where the cell holds none, or one that is not finite or larger than `LARGEST_VALUE`."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        values, empty = column.cast(pl.Float64), column.is_null()
    else:
        text = column.cast(pl.String)
        values, empty = _numbers(text), text.is_null() | (text == "")
    bad = ~possible(values).fill_null(False) & ~empty
    if not bad.any():
        return values, []
    shown = tuple(f"{table.where(i)}: {str(column[i])[:40]!r}" for i in bad.arg_true().head(5).to_list())
    message = f"values that are no finite number, or larger than {LARGEST_VALUE:g}, became unknown."
    return values.set(bad, None), [Step("values", "changed", int(bad.sum()), message, shown)]


def possible(values: pl.Series) -> pl.Series:
    """Which numbers may be somebody's value; null where there is none."""
    return values.abs() <= LARGEST_VALUE


def as_position(column: pl.Series, table: RawTable) -> pl.Series:
    """Whole numbers.

    Raises:
        DataError: A cell that is none.
    """
    position: pl.Series = column.cast(pl.Int64, strict=False)
    wrong = (position.is_null() & column.is_not_null()).arg_true()
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{table.where(row)}: expected a whole number in column position ({column.name}), got {column[row]!r}.",
            hint="Mend it, or leave the column out: --columns position=.",
        )
    return position


def _numbers(text: pl.Series) -> pl.Series:
    """Points or commas as decimal mark; commas only where that reads more."""
    values: pl.Series = text.cast(pl.Float64, strict=False)
    if values.null_count() == text.null_count():
        return values
    stripped = text.str.strip_chars().cast(pl.Float64, strict=False)
    comma = text.str.strip_chars().str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    return comma if comma.null_count() < stripped.null_count() else stripped
