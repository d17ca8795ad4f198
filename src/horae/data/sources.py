"""Any log to a table: which reader a source needs, and what many files have in common.

In: a path, glob, folder, "-" (standard input), database URL, polars or pandas frame. Out: `RawTable`. It recognises
formats by content, never by a file's ending, and does not know what a column means: that is `horae.data.columns`.
"""

from __future__ import annotations

import difflib
import glob
import io
import mmap
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from horae.data.folder import is_prepared
from horae.data.reading.jsonlines import looks_like_json, read_json_lines
from horae.data.reading.raw import Part, RawTable
from horae.data.reading.sniff import decode, decompress
from horae.data.reading.sql import is_sql_url, read_sql, without_password
from horae.data.reading.text import Options, Text, read_text
from horae.errors import DataError, StoreError
from horae.schema import Step

__all__ = ["Part", "RawTable", "parquet_files", "read_table"]

PARQUET, ARROW, SQLITE, DUCKDB = b"PAR1", b"ARROW1", b"SQLite format 3\x00", b"DUCK"
PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")
DATA_ENDINGS = (
    *(".parquet", ".csv", ".tsv", ".txt", ".dat", ".data", ".inter", ".log", ".json", ".jsonl", ".ndjson"),
    *(".gz", ".zst", ".zip", ".arrow", ".feather"),
)


def read_table(
    source: Any,
    *,
    max_bad: float = 0.01,
    query: str | None = None,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> RawTable:
    """Read a log as it stands.

    Args:
        source: What to read; compressed files (gzip, Zstandard, a zip of one) are unpacked on the way. Bytes are a
            file's content.
        max_bad: Largest share of unreadable rows that is set aside rather than refused.
        query: SQL or a table's name, for a database.
        header: Whether a text file's first row names its columns; None: recognise it.
        delimiter: Of a text file, such as ";", "tab" or "::"; None: recognise it.
        encoding: Of a text file, such as "latin-1"; None: recognise it.

    Returns:
        Columns of text files are all String; nameless ones are called `column_1` and so on.

    Raises:
        DataError: Missing, empty, damaged or mixed files; rows that do not fit.
        MissingExtraError: A database without its driver.
    """
    options = Options(header, delimiter, encoding, max_bad)
    if isinstance(source, bytes):
        return _one(_read_bytes(source, "the input", options))
    if not isinstance(source, str | os.PathLike):
        return _from_frame(source)
    name = os.fspath(source)
    if is_sql_url(name):
        return _table(read_sql(name, query), without_password(name), [])
    if query is not None and not _is_database(name):
        raise DataError(f"A query needs a database; {name} is not one.", hint="For example sqlite:///shop.db.")
    if name == "-":
        return _one(_read_bytes(sys.stdin.buffer.read(), "standard input", options))
    paths = _paths(name)
    if paths[0].is_fifo():  # <(zcat events.csv.gz): can be read once only
        return _one(_read_bytes(paths[0].read_bytes(), name, options))
    if len(paths) == 1 and paths[0].is_file() and _is_database(str(paths[0])):
        scheme = "sqlite" if _head(paths[0]).startswith(SQLITE) else "duckdb"
        return _table(read_sql(f"{scheme}:///{paths[0]}", query), name, [])
    if _is_parquet(paths[0]):
        return _read_parquet(paths, name)
    if len(paths) == 1:
        return _one(_read_file(paths[0], options))
    return _read_many(paths, name, options)


def _from_frame(source: Any) -> RawTable:
    """Frames as they are; a pandas index with a name is a column."""
    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if isinstance(source, pl.DataFrame):
        return _table(source, "a polars frame", [])
    if type(source).__module__.partition(".")[0] == "pandas" and hasattr(source, "columns"):
        named = [name for name in source.index.names if name is not None]
        plain = source.reset_index() if named else source
        return _table(pl.from_pandas(plain.rename(columns=str)), "a pandas frame", [])
    raise DataError(
        f"Cannot read a log from {type(source).__name__}.",
        hint="Give a path, a folder, a glob, '-', a database URL, or a polars or pandas frame.",
    )


def _table(frame: pl.DataFrame, source: str, steps: list[Step]) -> RawTable:
    if frame.is_empty():
        raise DataError(f"{source} holds no rows.", hint="Give a log with at least one event.")
    return RawTable(frame, source, steps, 1, (Part(source, frame.height),))


def _one(read: tuple[pl.DataFrame, list[Step], Part]) -> RawTable:
    frame, steps, part = read
    return RawTable(frame, part.name, steps, part.first_row, (part,))


def _paths(name: str) -> list[Path]:
    """The files that a path, folder or glob names, sorted; hidden files and those without data left out."""
    path = Path(name).expanduser()
    if is_prepared(path):
        raise DataError(
            f"{name} is a prepared log: arrays to train from, without the columns that a log is read by.",
            hint=f"`horae train {name} -o RUN` trains from it; everything else needs the log that it was made of, or "
            "its newest part.",
        )
    if path.is_dir():
        found = _folder(path)
        if not found:
            raise DataError(f"The folder {name} holds no data files.", hint="Give a folder of Parquet or text files.")
        return found
    if path.exists():
        return [path]
    found = sorted(Path(match) for match in glob.glob(str(path), recursive=True) if os.path.isfile(match))
    if not found:
        near = difflib.get_close_matches(path.name, os.listdir(path.parent) if path.parent.is_dir() else [], n=1)
        hint = f"Did you mean {path.parent / near[0]}?" if near else "Check the path."
        raise DataError(f"There is no file {name}.", hint=hint)
    return found


def _folder(folder: Path) -> list[Path]:
    for files in (sorted(folder.iterdir()), sorted(folder.rglob("*"))):
        found = [path for path in files if path.is_file() and not path.name.startswith((".", "_"))]
        found = [path for path in found if path.suffix.lower() in DATA_ENDINGS]
        if found:
            return found
    return []


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise StoreError(f"Cannot read {path}: {error.strerror}.", hint="Check the file's permissions.") from error


def _is_parquet(path: Path) -> bool:
    return _head(path).startswith(PARQUET)


def _is_database(name: str) -> bool:
    path = Path(name)
    if not path.is_file():
        return False
    head = _head(path)
    return head.startswith(SQLITE) or head[8:12] == DUCKDB


def _read_parquet(paths: Sequence[Path], name: str) -> RawTable:
    """Files of one schema as one table; `key=value` folders become columns."""
    hive = _same_schema(paths)
    try:
        frame = pl.read_parquet(list(paths), hive_partitioning=hive, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{name} is not readable as Parquet: {error}.", hint="Write the file again.") from error
    table = _table(frame, name, [Step("format", "understood", 0, f"Parquet, {_files(len(paths))}; types kept.")])
    if len(paths) == 1:
        return table
    counts = pl.scan_parquet(list(paths), glob=False, hive_partitioning=False, include_file_paths="file").select("file")
    rows = dict(counts.group_by("file").len().collect().iter_rows())
    return RawTable(frame, name, table.steps, 1, tuple(Part(str(path), rows.get(str(path), 0)) for path in paths))


def parquet_files(name: str) -> tuple[list[Path], bool]:
    """The Parquet files of a path, folder or glob, in order; and whether `key=value` in their folders are columns.

    Raises:
        DataError: No such file, not Parquet, or not the same columns in all.
    """
    paths = _paths(name)
    if not (paths[0].is_file() and _is_parquet(paths[0])):
        raise DataError(
            f"{name} is not Parquet, and only Parquet can be read in parts.",
            hint="Write it as Parquet: horae data convert EVENTS -o events.parquet; or read it whole with read_events.",
        )
    return paths, _same_schema(paths)


def _same_schema(paths: Sequence[Path]) -> bool:
    """Refuse files of different columns; say whether `key=value` folders are columns too."""
    schemas = {path: _schema(path) for path in paths}
    first = paths[0]
    for path, schema in schemas.items():
        if set(schema.items()) != set(schemas[first].items()):
            raise _mixed(first, schemas[first], path, schema)
    return len(paths) > 1 and any("=" in folder for folder in paths[0].parts[:-1])


def _schema(path: Path) -> dict[str, pl.DataType]:
    if not _is_parquet(path):
        raise DataError(
            f"{path} is not Parquet, other files beside it are.",
            hint="Give the file of events, or a folder of one kind.",
        )
    try:
        return dict(pl.read_parquet_schema(path))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{path} is not readable as Parquet: {error}.", hint="The file is damaged or cut off."
        ) from error


def _mixed(first: Path, one: dict[str, pl.DataType], second: Path, two: dict[str, pl.DataType]) -> DataError:
    differ = [name for name in dict.fromkeys([*one, *two]) if one.get(name) != two.get(name)]
    said = "; ".join(f"{name} is {one.get(name, 'absent')} and {two.get(name, 'absent')}" for name in differ[:8])
    return DataError(
        f"{first} and {second} do not have the same columns: {said}.",
        hint="Give the file of events by name, or files with the same columns.",
    )


def _read_many(paths: Sequence[Path], name: str, options: Options) -> RawTable:
    """Text files with the same header, one after the other."""
    tables = [_read_file(path, options) for path in paths]
    first = tables[0][0]
    for path, (frame, _, _) in zip(paths, tables, strict=True):
        if dict(frame.schema) != dict(first.schema):
            raise _mixed(paths[0], dict(first.schema), path, dict(frame.schema))
    steps = [*dict.fromkeys(step for _, found, _ in tables for step in found)]
    parts = tuple(part for _, _, part in tables)
    return RawTable(pl.concat([frame.select(first.columns) for frame, _, _ in tables]), name, steps, 1, parts)


def _read_file(path: Path, options: Options) -> tuple[pl.DataFrame, list[Step], Part]:
    """A text file; an unpacked one is mapped, not copied."""
    head = _head(path)
    if not head:
        raise DataError(f"{path} is empty.", hint="Give a file with at least one event.")
    if head.startswith((PARQUET, ARROW, *PACKED)):
        return _read_bytes(path.read_bytes(), str(path), options)
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
    if looks_like_json(content[:4096]) and options.delimiter is None:
        return _read_text_bytes(bytes(content), str(path), options)
    return read_text(Text(str(path), content, path), options)


def _read_bytes(content: bytes, name: str, options: Options) -> tuple[pl.DataFrame, list[Step], Part]:
    content, packed = decompress(content, name)
    readers = {PARQUET: pl.read_parquet, ARROW: pl.read_ipc}
    for magic, reader in readers.items():
        if content.startswith(magic):
            frame = reader(io.BytesIO(content))
            return frame, [Step("format", "understood", 0, "Types kept.")], Part(name, frame.height)
    frame, steps, part = _read_text_bytes(content, name, options)
    return frame, [Step("packed", "understood", 0, f"packed with {packed}."), *steps] if packed else steps, part


def _read_text_bytes(content: bytes, name: str, options: Options) -> tuple[pl.DataFrame, list[Step], Part]:
    if looks_like_json(content[:4096]) and options.delimiter is None:
        return read_json_lines(decode(content, name, options.encoding)[0], name, options.max_bad)
    return read_text(Text(name, content), options)


def _files(count: int) -> str:
    return "one file" if count == 1 else f"{count:,} files"
