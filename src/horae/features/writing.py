"""Frames to a Parquet file as they come: one is compressed while the next is made. It does not know what they hold."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import polars as pl

__all__ = ["write_parquet"]


def write_parquet(frames: Iterable[pl.DataFrame], path: Path) -> int:
    """Write row groups as they come; one is compressed while the next is made.

    Floats are not put into dictionaries: hardly any repeats.

    Returns:
        The number of rows.
    """
    import pyarrow.parquet

    writer, rows = None, 0
    with ThreadPoolExecutor(1) as aside:
        waiting: Future[None] | None = None
        try:
            for frame in frames:
                table = frame.to_arrow()
                rows += frame.height
                if writer is None:
                    named = [name for name, dtype in frame.schema.items() if not dtype.is_float()]
                    writer = pyarrow.parquet.ParquetWriter(
                        path, table.schema, compression="zstd", compression_level=1, use_dictionary=named
                    )
                if waiting is not None:
                    waiting.result()
                waiting = aside.submit(writer.write_table, table.cast(writer.schema))
            if waiting is not None:
                waiting.result()
        finally:
            if writer is not None:
                if waiting is not None:
                    waiting.exception()
                writer.close()
    return rows
