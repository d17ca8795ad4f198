"""JSON lines to a frame: types as written, nested fields made flat.

In: the bytes of a file with one object per line (or one array of objects). Out: a frame, and the lines that could not
be read. An object inside an event becomes columns `outer.inner`; a list becomes its JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from horae.data.reading.raw import Part, read_share
from horae.errors import DataError
from horae.schema import Step

__all__ = ["flatten", "looks_like_json", "read_json_lines"]


def looks_like_json(head: bytes) -> bool:
    """Whether text begins as an object or an array does."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def read_json_lines(content: bytes, name: str, max_bad: float) -> tuple[pl.DataFrame, list[Step], Part]:
    """Read one file; polars over all cores first, line by line where that fails.

    Raises:
        DataError: No events, or too many lines that are not objects.
    """
    steps = [Step("format", "understood", 0, "JSON lines; fields keep their types.")]
    part = None
    try:
        if content.lstrip()[:1] == b"[" or b"\n\n" in content or b"\n\r" in content:
            raise pl.exceptions.ComputeError("read line by line")
        frame = pl.read_ndjson(content, infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        frame, part, set_aside = _read_slowly(content, name, max_bad)
        steps += set_aside
    if frame.is_empty():
        raise DataError(f"{name} holds no events.", hint="Give one JSON object per line.")
    return flatten(frame), steps, part or Part(name, frame.height)


def flatten(frame: pl.DataFrame) -> pl.DataFrame:
    """Structs become columns with a dot in their name, lists become text."""
    while True:
        structs = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Struct)]
        if not structs:
            break
        frame = frame.with_columns(pl.col(name).name.prefix_fields(f"{name}.") for name in structs).unnest(*structs)
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List | pl.Array)]
    return frame.with_columns(_list_text(frame[name]) for name in lists)


def _list_text(column: pl.Series) -> pl.Series:
    texts = [
        None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in column.to_list()
    ]
    return pl.Series(column.name, texts, dtype=pl.String)


def _read_slowly(content: bytes, name: str, max_bad: float) -> tuple[pl.DataFrame, Part, list[Step]]:
    if content.lstrip()[:1] == b"[":
        rows, bad, gaps = _array(content, name), list[str](), list[int]()
    else:
        rows, bad, gaps = _lines(content, name)
    examples = tuple(bad[:5])
    hint = "Mend these lines, or allow more with --max-bad."
    read_share(len(bad), len(rows) + len(bad), max_bad, f"{name}: expected a JSON object in each line.", examples, hint)
    part = Part(name, len(rows), gaps=np.array(gaps, dtype=np.int64))
    steps = (
        [Step("unreadable", "set_aside", len(bad), "lines are not JSON objects; set aside.", examples)] if bad else []
    )
    return _frame(rows), part, steps


def _array(content: bytes, name: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(content)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{name}:{error.lineno} is not JSON: {error.msg}.", hint="Give one JSON object per line."
        ) from error
    wrong = next((i for i, row in enumerate(rows) if not isinstance(row, dict)), None)
    if wrong is not None:
        raise DataError(f"{name}: element {wrong} of the array is not an object.", hint="Give one object per event.")
    assert isinstance(rows, list)
    return rows


def _lines(content: bytes, name: str) -> tuple[list[dict[str, Any]], list[str], list[int]]:
    rows, bad, gaps = list[dict[str, Any]](), list[str](), list[int]()
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            gaps.append(number)
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            gaps.append(number)
            bad.append(f"{name}:{number}: {line[:80].decode('utf-8', 'replace')!r}")
    return rows, bad, gaps


def _frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Columns of one type keep it; where scalars of several types meet, numbers that are not floats become text."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    return pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in names])


def _column(name: str, values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int, float} or len(kinds) == 1:
        try:
            return pl.Series(name, values, strict=kinds != {int, float})
        except (pl.exceptions.PolarsError, TypeError, OverflowError):
            pass
    texts = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
    return pl.Series(name, texts, dtype=pl.String)
