"""Attributes of items: values that many items share, such as categories, brands or tags.

In: a catalog and names of its columns; a cell holds one value, a hierarchy (`A>B|A>C`), or a list. Out: the values of
each item; or vectors of items, alike where values are shared. Nothing is fitted, so new items and new values need no
more than their row. It does not know networks.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.features.content.encode import ids_of, report_on
from horae.features.content.encoder import FloatArray, unit
from horae.features.content.texts import levels_of, text_columns
from horae.features.content.vectors import ContentVectors, launch_times
from horae.schema import DataReport

__all__ = ["attribute_vectors", "attributes_of", "encode_attributes"]

WIDTH: Final = 512


def attributes_of(catalog: pl.DataFrame, columns: Sequence[str]) -> list[list[str]]:
    """Each row's values, as `column=value`, each once; every level of a hierarchy is one.

    Raises:
        DataError: A column is not there.
    """
    names = text_columns(catalog, columns)
    rows: list[list[str]] = [[] for _ in range(catalog.height)]
    for name in names:
        for row, cell in zip(rows, catalog[name], strict=True):
            row += [f"{name}={value}" for value in _values(cell)]
    return [list(dict.fromkeys(row)) for row in rows]


def attribute_vectors(attributes: Sequence[Sequence[str]]) -> FloatArray:
    """`x = sum_a r_a`, made 1 long: 0 without attributes; dot products are about those of the rows of 0 and 1.

    `r_a` holds 512 signs, drawn with the attribute's own name as the seed.

    Source: Kanerva, Kristofersson & Holst 2000 (random indexing); Johnson & Lindenstrauss 1984.
    Differs: every entry of `r_a` is a sign, not a few of them.
    """
    known: dict[str, npt.NDArray[np.float32]] = {}
    vector_NC = np.zeros((len(attributes), WIDTH), dtype=np.float32)
    for row, names in zip(vector_NC, attributes, strict=True):
        for name in names:
            if name not in known:
                signs = np.random.default_rng(zlib.crc32(name.encode())).integers(0, 2, WIDTH)
                known[name] = (2 * signs - 1).astype(np.float32)
            row += known[name]
    return unit(vector_NC)


def encode_attributes(catalog: pl.DataFrame, columns: Sequence[str]) -> ContentVectors:
    """What a catalog's columns of attributes say of its items, as the modality `attributes`.

    Raises:
        DataError: No `item_id`, an id twice, no such column.
    """
    ids = ids_of(catalog)
    attributes = attributes_of(catalog, columns)
    vector_NC = attribute_vectors(attributes)
    report = DataReport("catalog", catalog.height, catalog.height)
    different = len({name for row in attributes for name in row})
    report_on(report, "attributes", ids, vector_NC, f"{', '.join(columns)}; {different:,} different values")
    return ContentVectors(
        ids,
        {"attributes": np.vstack([np.zeros((1, WIDTH), np.float32), vector_NC])},
        {"attributes": np.append(False, vector_NC.any(axis=1))},
        launch_times(catalog),
        {"attributes": "attributes"},
        None,
        report,
    )


def _values(cell: Any) -> list[str]:
    cells = cell if isinstance(cell, list | tuple | pl.Series | np.ndarray) else [cell]
    return [value for one in cells for value in levels_of(one)]
