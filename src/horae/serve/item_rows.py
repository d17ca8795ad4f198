"""Items as JSON in, tables out: attributes by column, and vectors made elsewhere. It does not know what a run has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from horae.errors import DataError
from horae.schema import ITEM

__all__ = ["tables_of"]

VECTORS = "vectors"


def tables_of(rows: Sequence[Mapping[str, Any]]) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """A catalog of the rows, and their vectors, a column for each modality; None where no row has any.

    Raises:
        DataError: A column holds values of several kinds.
    """
    ids = _id_column([row[ITEM] for row in rows])
    names = dict.fromkeys(name for row in rows for name in row if name not in (ITEM, VECTORS))
    catalog = pl.DataFrame([ids, *(_column(name, [row.get(name) for row in rows]) for name in names)])
    made: list[Mapping[str, Any]] = [row.get(VECTORS) or {} for row in rows]
    kinds = dict.fromkeys(name for one in made for name in one)
    if not kinds:
        return catalog, None
    lists = [pl.Series(name, [one.get(name) for one in made], dtype=pl.List(pl.Float32)) for name in kinds]
    given = pl.Series([bool(one) for one in made])
    return catalog, pl.DataFrame([ids, *lists]).filter(given)


def _id_column(ids: list[Any]) -> pl.Series:
    if all(isinstance(value, int) for value in ids):
        return pl.Series(ITEM, ids, dtype=pl.Int64)
    return pl.Series(ITEM, [str(value) for value in ids], dtype=pl.String)


def _column(name: str, values: list[Any]) -> pl.Series:
    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"The values of {name} are of several kinds.", hint="Give each column one kind: text, numbers, or lists."
        ) from error
