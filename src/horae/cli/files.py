"""Tables out to files and pipes, block by block: a file appears whole under its name, or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer

from horae.errors import StoreError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["check_ending", "check_outputs", "replacing", "table_to"]

ENDINGS = (".csv", ".parquet", ".jsonl", ".ndjson")


def check_outputs(out: str | None, json_: bool) -> None:
    """Refuse two documents on standard output.

    Raises:
        typer.BadParameter: `-o -` beside `--json`.
    """
    if json_ and out == "-":
        raise typer.BadParameter("it cannot go with --json: both would use standard output.", param_hint="-o -")


def check_ending(target: str, option: str = "-o") -> None:
    """Refuse a format that is not written, before any work is done.

    Raises:
        typer.BadParameter: The name ends otherwise.
    """
    if target != "-" and Path(target).suffix.lower() not in ENDINGS:
        raise typer.BadParameter(
            f"{target!r}: expected a name ending in {', '.join(ENDINGS)}, or - for CSV on standard output.",
            param_hint=option,
        )
    if target != "-":
        with _storage(Path(target)):
            folder = Path(target).absolute().parent
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise OSError(f"{folder} is read-only")


@contextlib.contextmanager
def table_to(target: str) -> Iterator[Callable[[pl.DataFrame], None]]:
    """A function that writes one block after the other; `-` is CSV on standard output.

    Raises:
        StoreError: The disk is full or the file cannot be written.
    """
    if target == "-":
        yield _text_writer(_binary_stdout(), "csv")
        sys.stdout.flush()
        return
    with replacing(Path(target)) as file:
        ending = Path(target).suffix.lower()
        if ending == ".parquet":
            with _parquet_writer(file) as write:
                yield write
        else:
            with file.open("wb") as stream:
                yield _text_writer(stream, "csv" if ending == ".csv" else "jsonl")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it takes the place of `path` when the block ends well."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _storage(path):
            path.absolute().parent.mkdir(parents=True, exist_ok=True)
            yield beside
            with beside.open("rb") as written:
                os.fsync(written.fileno())
            beside.replace(path)
    finally:
        with contextlib.suppress(OSError):  # a read-only disk refuses this too; the first refusal is the one to tell
            beside.unlink()


@contextlib.contextmanager
def _storage(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(
            f"Cannot write {path}: {error.strerror or error}.", hint="Choose a place where you may write, with room."
        ) from error


def _binary_stdout() -> IO[bytes]:
    sys.stdout.flush()
    return sys.stdout.buffer


def _flat(block: pl.DataFrame) -> pl.DataFrame:
    """CSV knows no lists: their entries, with `; ` between."""
    import polars as pl

    return block.with_columns(pl.col(pl.List(pl.String)).list.join("; "))


def _text_writer(stream: IO[bytes], format: str) -> Callable[[pl.DataFrame], None]:
    first = True

    def write(block: pl.DataFrame) -> None:
        nonlocal first
        if format == "csv":
            block = _flat(block)
            text = block.write_csv(include_header=first, datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")
        else:
            text = block.write_ndjson()
        stream.write(text.encode())
        first = False

    return write


@contextlib.contextmanager
def _parquet_writer(file: Path) -> Iterator[Callable[[pl.DataFrame], None]]:
    import pyarrow.parquet

    writer: Any = None

    def write(block: pl.DataFrame) -> None:
        nonlocal writer
        table = block.to_arrow()
        writer = writer or pyarrow.parquet.ParquetWriter(file, table.schema, compression="zstd")
        writer.write_table(table.cast(writer.schema))

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()
