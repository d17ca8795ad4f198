"""A log prepared once, larger than memory if need be: Parquet in, a folder of flat arrays out, opened without reading.

    item.npy behavior.npy time.npy value.npy target.npy    one cell per event, by user, then place (see `Flat`)
    feature.npy                                            one row per event, a column per column of context kept
    offset.npy                                             where each user's events begin
    users.parquet items.parquet                            ids in the order of their indices
    log.json                                               counts, behaviors, context, what was understood and dropped
    manifest.json                                          format version and the SHA-256 of each file above

What the folder holds is what `Sequences.from_events(read_events(source), ...)` would hold in memory, number for number.
Arrays are mapped when it is opened: only what a batch touches is read. Written to a temporary name, synced, renamed.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.data.boundaries import Boundary, read_boundary
from horae.data.cleaning.places import MAX_BEHAVIORS
from horae.data.folder import PREPARED, check, check_free, replacing
from horae.data.settings import DataSettings
from horae.data.streaming.chunks import Chunks
from horae.data.streaming.parquet import ParquetLog
from horae.data.streaming.parts import CleanedParts
from horae.errors import DataError, StoreError
from horae.schema import BEHAVIOR, DataReport, Events
from horae.sequences.before import SequencesBefore, share_time
from horae.sequences.clock import to_seconds
from horae.sequences.context import ContextColumns, Floats, holds_numbers
from horae.sequences.history import BLOCK, Flat, Sequences, categories
from horae.sequences.prepared_context import ContextOfParts
from horae.sequences.vocabulary import Vocabulary

__all__ = ["PreparedLog", "open_large", "prepare_large"]

FORMAT = 1
DTYPES: Final[Mapping[str, npt.DTypeLike]] = {
    "item_N": np.int32,
    "behavior_N": np.uint8,
    "time_N": np.float64,
    "value_N": np.float32,
    "target_N": np.bool_,
}
FEATURES: Final = "feature.npy"
PART_BYTES, ARRAY_BYTES = 70, 18
"""Of one event on disk: in the parts while they are there (ids up to 16 bytes), and in the arrays."""
SCRATCH: Final = "parts"


@dataclass(frozen=True, eq=False)
class PreparedLog:
    """A prepared log, opened.

    Attributes:
        folder: Where it lies.
        sequences: Everybody's events, mapped from the disk: networks train on it, batches are cut from it.
        report: What was understood, changed and dropped when it was made.
    """

    folder: Path
    sequences: Sequences
    report: DataReport

    def __len__(self) -> int:
        return len(self.sequences.flat)

    def before(self, when: Boundary) -> SequencesBefore:
        """The events before a moment, to learn from; arrays are shared, not copied.

        Args:
            when: A share of the events (0.9: the first nine tenths by time), an ISO date or time, or a duration back
                from the last event.

        Raises:
            DataError: No event lies before it, or none at or after it.
        """
        at = self._seconds(when)
        earlier = None if at is None else SequencesBefore(self.sequences, at)
        if earlier is None or not 0 < len(earlier) < len(self):
            raise DataError(
                f"before = {when}: an empty part would result.",
                hint="Give a share such as 0.9, or a time within the log; logs without times cannot be cut by time.",
            )
        return earlier

    def span(self) -> tuple[float, float] | None:
        """Unix seconds of the first and the last event; None where no time is known. Reads in blocks."""
        time_N = self.sequences.flat.time_N
        blocks = [time_N[at : at + BLOCK] for at in range(0, len(time_N), BLOCK)]
        first = min(float(np.nanmin(block, initial=np.inf)) for block in blocks)
        last = max(float(np.nanmax(block, initial=-np.inf)) for block in blocks)
        return (first, last) if first <= last else None

    def _seconds(self, wish: Boundary) -> float | None:
        when = read_boundary(wish, "before") if isinstance(wish, str) else wish
        if isinstance(when, float | int):
            return share_time(self.sequences, when) if 0 < when < 1 else None
        if isinstance(when, timedelta):
            span = self.span()
            return None if span is None else span[1] - when.total_seconds()
        return to_seconds(when if isinstance(when, datetime) else datetime(when.year, when.month, when.day, tzinfo=UTC))

    def __str__(self) -> str:
        s = self.sequences
        return f"Prepared log {self.folder}: {len(self):,} events of {s.num_users:,} users, {s.num_items:,} items"


def prepare_large(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    settings: DataSettings | None = None,
    memory_gb: float = 2.0,
    overwrite: bool = False,
    now: datetime | None = None,
    context: Sequence[str] = (),
) -> PreparedLog:
    """Clean a log of any length in bounded memory and lay it out on disk, ready for training.

    The result does not depend on `memory_gb`: with less memory there are more parts, and more time on disk.

    Args:
        source: Parquet: a file, glob or folder.
        folder: What to write; needs about 20 bytes of disk per event, and 70 more while it works.
        columns: Canonical name -> the log's name, where recognition would err.
        settings: How to clean; `outliers` and `min_item_events` need all events at once and cannot be set.
        memory_gb: About what the process may take at its peak.
        overwrite: Replace a prepared log that stands there.
        now: Events later than this are impossible.
        context: Further columns to keep, such as `device`: for recipes with `[model] context`. Four bytes per event
            and column.

    Raises:
        DataError: The log cannot be read or understood, has too many bad rows, or has a user too long for the memory.
        RecipeError: A setting that needs all events at once; a column of context that the log has not, or that says
            nothing.
        StoreError: Something stands at `folder`, or the disk is too small.
    """
    target = Path(folder)
    numbers = _numbers(source, columns, settings, context) if context else {}
    event_bytes = PART_BYTES + ARRAY_BYTES + 20 * len(context)
    with replacing(target, PREPARED, FORMAT, overwrite=overwrite) as temporary:
        scratch = temporary / SCRATCH
        scratch.mkdir()
        parts = CleanedParts(
            source,
            scratch,
            columns=columns,
            settings=settings,
            memory_gb=memory_gb,
            now=now,
            before_writing=lambda rows: check_free(target, rows * event_bytes, "The log"),
            keep=tuple(numbers),
        )
        _lay_out(parts, ContextOfParts(numbers), temporary)
        shutil.rmtree(scratch)
    return open_large(target, verify=False)


def open_large(folder: str | os.PathLike[str], *, verify: bool = True) -> PreparedLog:
    """Open a prepared log; its arrays are mapped, not read.

    Args:
        folder: What `prepare_large` wrote.
        verify: Read every file once and compare its SHA-256 (about a second per gigabyte). Without, only sizes.

    Raises:
        StoreError: Not a prepared log, damaged, or from a newer Horae.
    """
    folder = Path(folder)
    check(folder, PREPARED, FORMAT, content=verify)
    document = json.loads((folder / "log.json").read_text(encoding="utf-8"))
    columns = {name: _mapped(folder / _file(name)) for name in DTYPES}
    context = ContextColumns.from_dict(document.get("context", {}))
    nothing = np.empty((document["events"], 0), dtype=np.float32)
    flat = Flat(**columns, feature_NF=_mapped(folder / FEATURES) if len(context) else nothing)
    users, items = (Vocabulary(pl.read_parquet(folder / f"{name}.parquet")["id"]) for name in ("users", "items"))
    offset_U1 = np.load(folder / "offset.npy", allow_pickle=False)
    if not len(flat) == len(flat.feature_NF) == document["events"] == offset_U1[-1] or len(users) + 1 != len(offset_U1):
        raise StoreError(f"{folder} does not hold together: log.json counts other events.", hint="Make it again.")
    sequences = Sequences(flat, offset_U1, users, items, tuple(document["behaviors"]), context)
    return PreparedLog(folder, sequences, DataReport.from_dict(document["report"]))


def _numbers(
    source: str | os.PathLike[str],
    columns: Mapping[str, str] | None,
    settings: DataSettings | None,
    context: Sequence[str],
) -> dict[str, bool]:
    """Of each column of context: does it hold numbers? As a sample of the log says, before an hour of work."""
    timezone = settings.timezone if settings else DataSettings().timezone
    chunks = Chunks(ParquetLog.open(source), columns, timezone)
    told = DataReport(steps=chunks.steps)
    return {name: holds_numbers(chunks.context, name, told.read_as(name)) for name in context}


def _lay_out(parts: CleanedParts, context: ContextOfParts, folder: Path) -> None:
    """Append part after part to the arrays; then number items and behaviors as the whole log has them."""
    items = Vocabulary(parts.items)
    behaviors: list[str] = []
    item_counts, behavior_counts = np.zeros(len(items) + 1, np.int64), np.zeros(256, np.int64)
    users, lengths = list[pl.Series](), list[npt.NDArray[np.int64]]()
    with contextlib.ExitStack() as stack:
        columns = {name: stack.enter_context(_grown(folder / _file(name), dtype)) for name, dtype in DTYPES.items()}
        if len(context.met):
            columns["feature_NF"] = stack.enter_context(_grown(folder / FEATURES, np.float32, len(context.met)))
        for frame in parts.frames():
            behaviors += [name for name in categories(frame[BEHAVIOR]) if name not in behaviors]
            if len(behaviors) > MAX_BEHAVIORS:
                raise DataError(
                    f"Column behavior has over {MAX_BEHAVIORS} different values; expected a few kinds of event.",
                    hint="Name another column as behavior (columns=...), or leave it out.",
                )
            part = Sequences.from_events(Events(frame), items, behaviors, context.meet(frame))
            context.count(part.flat.feature_NF)
            for name, append in columns.items():
                append(getattr(part.flat, name))
            item_counts += np.bincount(part.flat.item_N, minlength=len(item_counts))
            behavior_counts += np.bincount(part.flat.behavior_N, minlength=256)
            users.append(part.users.all)
            lengths.append(np.diff(part.offset_U1))
    kept = item_counts[1:] > 0
    names = sorted(behaviors, key=lambda name: (-behavior_counts[behaviors.index(name) + 1], name))
    _renumber(folder / _file("item_N"), np.concatenate([[0], np.cumsum(kept)]))
    _renumber(folder / _file("behavior_N"), np.array([0, *(names.index(name) + 1 for name in behaviors)]))
    kept_context, new_codes = context.settled()
    for column, new in new_codes.items():
        _renumber_column(folder / FEATURES, column, new)
    np.save(folder / "offset.npy", np.concatenate([[0], np.cumsum(np.concatenate(lengths), dtype=np.int64)]))
    pl.DataFrame({"id": pl.concat(users)}).write_parquet(folder / "users.parquet")
    pl.DataFrame({"id": parts.items.filter(pl.Series(kept))}).write_parquet(folder / "items.parquet")
    _write_facts(folder, parts.report, names, kept_context, sum(map(len, users)), int(kept.sum()))


def _write_facts(
    folder: Path, report: DataReport, behaviors: list[str], context: ContextColumns, users: int, items: int
) -> None:
    document: dict[str, Any] = {
        "events": report.rows_kept,
        "users": users,
        "items": items,
        "behaviors": behaviors,
        "context": context.as_dict(),
        "report": report.as_dict(),
    }
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    (folder / "log.json").write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _grown(file: Path, dtype: npt.DTypeLike, *width: int) -> Iterator[Callable[[npt.NDArray[Any]], None]]:
    """An array on disk to append to; its length goes, at the end, into the room that `.npy` headers keep for it.

    Args:
        file: Where.
        dtype: Of a cell.
        width: Cells in a row, where rows have several.
    """
    facts = {"descr": np.dtype(dtype).str, "fortran_order": False}
    with file.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {**facts, "shape": (0, *width)})
        begin = stream.tell()

        def append(array: npt.NDArray[Any]) -> None:
            assert array.dtype == dtype
            stream.write(np.ascontiguousarray(array).data)

        yield append
        length = (stream.tell() - begin) // (np.dtype(dtype).itemsize * math.prod(width))
        stream.seek(0)
        np.lib.format.write_array_header_1_0(stream, {**facts, "shape": (length, *width)})
        assert stream.tell() == begin


def _renumber(file: Path, new: npt.NDArray[np.int64]) -> None:
    """Replace each index by `new` of it, block by block."""
    if np.array_equal(new, np.arange(len(new))):
        return
    array = np.load(file, mmap_mode="r+", allow_pickle=False)
    for block in _blocks(array):
        block[:] = new[block]
    array.flush()


def _renumber_column(file: Path, column: int, new: Floats) -> None:
    """The same for one column of rows; what is unknown stays so."""
    array = np.load(file, mmap_mode="r+", allow_pickle=False)
    for block in _blocks(array):
        code = block[:, column]
        known = ~np.isnan(code)
        code[known] = new[code[known].astype(np.int64)]
    array.flush()


def _blocks(array: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    for start in range(0, len(array), BLOCK):
        yield array[start : start + BLOCK]


def _mapped(file: Path) -> npt.NDArray[Any]:
    """As a plain array over the map: slices of it are views, whatever is picked from it is a copy in memory."""
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def _file(column: str) -> str:
    return f"{column.removesuffix('_N')}.npy"


assert {*DTYPES, "feature_NF", "weight_N", "shown_NS"} == {field.name for field in fields(Flat)}
