"""Vectors of items, however they were made: aligned to item indices, with a mask that says which are known.

In: a table of ids and vectors (a Parquet file of audio, video or LLM embeddings), or what an encoder made. Out:
`ContentVectors`. It does not know encoders, networks or files of pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.data.sources import read_table
from horae.data.understanding.names import rank
from horae.data.understanding.times import known_times
from horae.errors import DataError, StoreError
from horae.features.content.encoder import FloatArray
from horae.schema import ITEM, TIME_TYPE, DataReport, IndexArray, Step

__all__ = ["LAUNCH_TIME", "ContentVectors", "InOrder", "Indexed", "read_vectors"]

LAUNCH_TIME: Final = "launch_time"
SHOWN: Final = 5
BoolArray = npt.NDArray[np.bool_]


class Indexed(Protocol):
    """Whatever gives items their indices from 1, such as `horae.sequences.vocabulary.Vocabulary`."""

    @property
    def all(self) -> pl.Series:
        """Every id; the id at row r has index r + 1."""

    def indices(self, ids: pl.Series) -> IndexArray:
        """Indices of the given ids, 0 where unknown."""


@dataclass(frozen=True, eq=False)
class ContentVectors:
    """What is known of items, per modality: `text`, `image`, or whatever a file of vectors was called.

    Attributes:
        item_ids: The id at row r has index r + 1.
        vectors: Per modality float32 `[I + 1, C]`; row 0 and unknown items are zeros.
        known: Per modality, `[I + 1]`: does the item have a vector?
        launch_time: When items came to be, Datetime("us", "UTC"), null where unknown; None where nobody says.
        encoders: Per modality, who made the vectors.
        coverage: Per column of text what was there, as `texts.coverage` has it; None where there were no texts.
        report: What was understood, left out, or found missing.

    Shape:
        `vectors[m]`: I + 1 rows, row 0 is padding.
    """

    item_ids: pl.Series
    vectors: Mapping[str, FloatArray]
    known: Mapping[str, BoolArray]
    launch_time: pl.Series | None = None
    encoders: Mapping[str, str] = field(default_factory=dict)
    coverage: pl.DataFrame | None = None
    report: DataReport = field(default_factory=DataReport)

    def __post_init__(self) -> None:
        assert self.vectors.keys() == self.known.keys()
        for name, vector_IC in self.vectors.items():
            assert vector_IC.shape[0] == len(self.item_ids) + 1 == len(self.known[name]), name
            assert not vector_IC[0].any() and not self.known[name][0], name

    def __len__(self) -> int:
        return len(self.item_ids)

    @property
    def modalities(self) -> list[str]:
        """Names, in the order in which they were joined."""
        return list(self.vectors)

    def width(self, modality: str) -> int:
        """C of a modality."""
        return int(self.vectors[modality].shape[1])

    def __str__(self) -> str:
        lines = []
        for name, known_I in self.known.items():
            made = f" by {self.encoders[name]}" if name in self.encoders else ""
            lines.append(f"{name}: {self.width(name)} numbers{made}, {known_I.sum():,} of {len(self):,} items")
        return "\n".join([*lines, *(f"  {step.name}: {step.message}" for step in self.report.steps)])

    def aligned(self, items: Indexed) -> ContentVectors:
        """The same vectors in the order of a run's items.

        Returns:
            One row for each of its items, unknown where nothing is here for it; the report counts those, and the items
            here that the run does not know.
        """
        index_N = items.indices(self.item_ids)
        there = index_N > 0
        ids = items.all
        source_I = np.zeros(len(ids) + 1, dtype=np.int64)
        source_I[index_N[there]] = np.flatnonzero(there) + 1
        report = DataReport(self.report.source, len(self), int(there.sum()), list(self.report.steps))
        for step in _strangers(self.item_ids, ids, there, source_I):
            report.add(step)
        launch = self.launch_time
        return replace(
            self,
            item_ids=ids,
            vectors={name: vector_IC[source_I] for name, vector_IC in self.vectors.items()},
            known={name: known_I[source_I] for name, known_I in self.known.items()},
            launch_time=None if launch is None else launch.gather(_or_null(source_I[1:])),
            report=report,
        )

    def as_of(self, when: datetime) -> ContentVectors:
        """What was known at that time: items launched later are unknown; those without a launch time stay.

        Raises:
            DataError: The catalog has no launch times.
        """
        if self.launch_time is None:
            raise DataError(
                "The content has no launch times, so nobody can tell what was known when.",
                hint=f"Give the catalog a column {LAUNCH_TIME}.",
            )
        later = (self.launch_time > when).fill_null(False).to_numpy()
        seen_I = np.append(False, ~later)
        return replace(
            self,
            vectors={name: np.where(seen_I[:, None], vector_IC, 0) for name, vector_IC in self.vectors.items()},
            known={name: known_I & seen_I for name, known_I in self.known.items()},
        )

    def join(self, other: ContentVectors) -> ContentVectors:
        """Both, modality beside modality, for the items of this one.

        Raises:
            DataError: A modality is in both.
        """
        if twice := set(self.vectors) & set(other.vectors):
            raise DataError(f"Both have vectors named {sorted(twice)[0]!r}.", hint="Name one of them otherwise.")
        beside = other.aligned(InOrder(self.item_ids))
        steps = [*self.report.steps, *(step for step in beside.report.steps)]
        return replace(
            self,
            vectors={**self.vectors, **beside.vectors},
            known={**self.known, **beside.known},
            encoders={**self.encoders, **other.encoders},
            launch_time=self.launch_time if self.launch_time is not None else beside.launch_time,
            coverage=self.coverage if self.coverage is not None else other.coverage,
            report=DataReport(self.report.source, len(self), len(self), steps),
        )

    def frame(self) -> pl.DataFrame:
        """One row per item: `item_id`, `launch_time` if there is one, each modality as an array, null where unknown."""
        columns: dict[str, pl.Series] = {ITEM: self.item_ids.rename(ITEM)}
        if self.launch_time is not None:
            columns[LAUNCH_TIME] = self.launch_time
        for name, vector_IC in self.vectors.items():
            known_I = pl.Series(self.known[name][1:])
            whole = pl.Series(name, vector_IC[1:], dtype=pl.Array(pl.Float32, vector_IC.shape[1]))
            columns[name] = pl.select(pl.when(known_I).then(whole).alias(name)).to_series()
        return pl.DataFrame(columns)

    def write(self, path: str | os.PathLike[str]) -> None:
        """To a Parquet file that `read_vectors` reads, whole or not at all.

        Raises:
            StoreError: It cannot be written.
        """
        target = Path(path)
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.absolute().parent.mkdir(parents=True, exist_ok=True)
            self.frame().write_parquet(beside)
            beside.replace(target)
        except OSError as error:
            raise StoreError(
                f"Cannot write {target}: {error.strerror or error}.", hint="Choose another place."
            ) from error
        finally:
            with suppress(OSError):
                beside.unlink()


def read_vectors(source: Any, columns: Sequence[str] | None = None, *, name: str | None = None) -> ContentVectors:
    """Vectors that somebody else computed.

    Args:
        source: A Parquet file (or frame) with a column of item ids and, as vectors, columns of lists (each a modality),
            or one number per column.
        columns: Of lists, or of numbers; None: every list of numbers, else every column of numbers.
        name: Of the modality where numbers stand in columns of their own, or where there is one list; `vector` where
            nobody says.

    Returns:
        One row per id; items whose vector is null are not known.

    Raises:
        DataError: No ids or vectors, an id twice, vectors of different widths, or NaN and infinity among the numbers.
    """
    frame = source if isinstance(source, pl.DataFrame) else read_table(source, max_bad=0.0).frame
    label = str(source) if isinstance(source, str | os.PathLike) else "The table of vectors"
    key = _key(frame, label)
    lists = [column for column in columns or frame.columns if column != key and _is_list(frame, column, label)]
    numbers = [] if lists else _numbers(frame, key, columns, label)
    if not lists and not numbers:
        raise DataError(f"{label} has no vectors.", hint="Give one column of lists, or one column per number.")
    made = [(column, _of_lists(frame, column, key, label)) for column in lists]
    if numbers:
        made = [
            (name or "vector", _checked(frame.select(pl.col(numbers).cast(pl.Float32)).to_numpy(), frame, key, label))
        ]
    elif name is not None and len(made) == 1:
        made = [(name, made[0][1])]
    report = DataReport(label, frame.height, frame.height)
    return ContentVectors(
        frame[key].rename(ITEM),
        {modality: np.vstack([np.zeros((1, one.shape[1]), np.float32), one]) for modality, (one, _) in made},
        {modality: np.append(False, known) for modality, (_, known) in made},
        launch_times(frame),
        report=report,
    )


def launch_times(frame: pl.DataFrame) -> pl.Series | None:
    """The column of launch times, understood; None where there is none.

    Raises:
        DataError: A cell is no time.
    """
    if LAUNCH_TIME not in frame.columns:
        return None
    hint = "Write it like 2024-05-31; leave it empty where it is unknown."
    times = known_times(frame[LAUNCH_TIME], LAUNCH_TIME, "items", hint)
    return times.cast(TIME_TYPE).rename(LAUNCH_TIME)


def _key(frame: pl.DataFrame, label: str) -> str:
    ranked = sorted((level, name) for name in frame.columns if (level := rank(ITEM, name)) is not None)
    best = [name for level, name in ranked if level == ranked[0][0]]
    if len(best) != 1:
        found = ", ".join(best or frame.columns[:8])
        raise DataError(f"{label}: expected one column {ITEM}, found {found}.", hint=f"Name one column {ITEM}.")
    ids = frame[best[0]]
    if ids.null_count():
        raise DataError(f"{label}: row {int(ids.is_null().arg_max() or 0) + 1} has no id.", hint="Fill it in.")
    twice = ids.filter(ids.is_duplicated())
    if len(twice):
        raise DataError(f"{label}: the id {twice[0]!r} stands in several rows.", hint="Give one row for each.")
    return best[0]


def _is_list(frame: pl.DataFrame, column: str, label: str) -> bool:
    if column not in frame.columns:
        found = ", ".join(frame.columns[:8])
        raise DataError(f"{label} has no column {column!r}.", hint=f"Columns: {found}.")
    inner = getattr(frame[column].dtype, "inner", None)
    return inner is not None and inner.is_numeric()


def _numbers(frame: pl.DataFrame, key: str, columns: Sequence[str] | None, label: str) -> list[str]:
    wanted = [name for name in columns or frame.columns if name not in (key, LAUNCH_TIME)]
    strange = [name for name in wanted if not frame[name].dtype.is_numeric()]
    if columns is not None and strange:
        raise DataError(f"{label}: {strange[0]} holds neither numbers nor lists of them.", hint="Name other columns.")
    return [name for name in wanted if name not in strange]


def _of_lists(frame: pl.DataFrame, column: str, key: str, label: str) -> tuple[FloatArray, BoolArray]:
    lists = frame[column].cast(pl.List(pl.Float32))
    known = lists.is_not_null() & (lists.list.len() > 0)
    length = lists.list.len().filter(known)
    if not len(length):
        raise DataError(f"{label}: every {column} is empty.", hint="Give the vectors.")
    width = int(length.mode().sort()[-1])
    other = frame.filter(known & (lists.list.len() != width))
    if other.height:
        raise DataError(
            f"{label}: {other.height:,} of {len(length):,} {column} have another width than {width}, such as "
            f"{len(other[column][0])} of {_ids(other[key])}.",
            hint="All vectors of a column must be as wide as each other: those of one model.",
        )
    vector_NC = np.zeros((frame.height, width), dtype=np.float32)
    whole = lists.filter(known).cast(pl.Array(pl.Float32, width)).to_numpy()
    vector_NC[known.to_numpy()] = whole
    return _checked(vector_NC, frame, key, label, known.to_numpy())


def _checked(
    vector_NC: FloatArray, frame: pl.DataFrame, key: str, label: str, known_N: BoolArray | None = None
) -> tuple[FloatArray, BoolArray]:
    bad = np.flatnonzero(~np.isfinite(vector_NC).all(axis=1))
    if len(bad):
        raise DataError(
            f"{label}: the vectors of {len(bad):,} items hold NaN or infinity: {_ids(frame[key].gather(bad))}.",
            hint="Compute them anew; where an item has no vector, leave its row out or its list empty.",
        )
    return vector_NC, np.ones(len(vector_NC), dtype=np.bool_) if known_N is None else known_N


def _strangers(own: pl.Series, ids: pl.Series, there: BoolArray, source_I: IndexArray) -> Iterator[Step]:
    unknown = own.filter(pl.Series(~there))
    if len(unknown):
        examples = tuple(str(one) for one in unknown.head(SHOWN))
        yield Step("unknown_items", "dropped", len(unknown), f"{len(unknown):,} items are none of the log's", examples)
    without = ids.filter(pl.Series(source_I[1:] == 0))
    if len(without):
        examples = tuple(str(one) for one in without.head(SHOWN))
        message = f"{len(without):,} of {len(ids):,} items have no content"
        yield Step("without_content", "warning", len(without), message, examples, "They are known by their ids alone.")


def _ids(ids: pl.Series) -> str:
    return ", ".join(str(one) for one in ids.head(SHOWN)) + (", ..." if len(ids) > SHOWN else "")


def _or_null(source_N: IndexArray) -> pl.Series:
    """Rows to gather, null where there is none."""
    return pl.select(pl.when(pl.Series(source_N) > 0).then(pl.Series(source_N) - 1)).to_series()


class InOrder:
    """Ids in a row, as `Indexed` has them."""

    def __init__(self, ids: pl.Series) -> None:
        self.all = ids

    def indices(self, ids: pl.Series) -> IndexArray:
        """See `Indexed`."""
        table = pl.DataFrame({"id": self.all.cast(pl.String), "index": np.arange(1, len(self.all) + 1)})
        wanted = ids.cast(pl.String).rename("id").to_frame()
        return wanted.join(table, on="id", how="left", maintain_order="left")["index"].fill_null(0).to_numpy()
