"""A long log cut into parts that fit memory, by ranges of users; each part cleaned as a whole log is.

In: Parquet, cleaning settings, a folder for the parts. Out: cleaned frames, one after the other: put together they are
`read_events(source).frame`, row for row, save the context columns that nobody asked to keep. There is no second
cleaning: each part goes through `clean.set_aside` and `clean.stand_in_line`, and no step that runs there looks beyond
one user's line.

Two passes. The first reads chunks, understands them and spreads their rows over the parts, on disk; the second reads
one part at a time. It does not know item indices, arrays or models.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from horae.data.clean import check_target_behaviors, refuse_bad, refuse_empty, set_aside, stand_in_line
from horae.data.cleaning import values
from horae.data.settings import DataSettings
from horae.data.streaming.chunks import Chunks, merged
from horae.data.streaming.parquet import ParquetLog
from horae.data.understanding.values import as_ids
from horae.errors import DataError, RecipeError
from horae.schema import BEHAVIOR, CANONICAL, ITEM, USER, DataReport

__all__ = ["CleanedParts"]

BASE_BYTES: Final = 350_000_000
"""What Python, numpy and polars hold before the first event, and allocators keep between parts."""
EVENT_BYTES: Final = 170
"""Peak memory of cleaning and laying out, per event with number ids and one context hash (measured)."""
FULLEST: Final = 1.25
"""How much fuller than the mean a part may come out: ranges of users are cut by a sample."""
SAMPLED_USERS: Final = 200_000
SMALLEST_CHUNK = 10_000
MAX_NAMES: Final = 60_000
NOT_ALONE = (values.outliers,)
"""Steps that look at all users at once; `core` does on the items' side only, and that is refused."""


class CleanedParts:
    """Reads, spreads and cleans; iterate once over `frames`, then read `report`.

    Args:
        source: Parquet: a path, glob or folder.
        folder: An empty folder for the parts, each removed once it is cleaned.
        columns: Canonical name -> the log's, as `read_events` has it.
        settings: How to clean. Values are not compared with those of other users (`outliers` must be `keep`), no core
            is taken on the items' side, and missing values can only be filled forward.
        memory_gb: About what the process may take at its peak.
        now: Events later than this are impossible.
        before_writing: Told the number of rows before the first is written; raises where they cannot be held.
        keep: Columns of context that the frames are to have, too.

    Attributes:
        report: What was understood, changed and dropped; whole once all frames were read.
        items: Every id of an item that was read, sorted; some may lose all their events in cleaning.

    Raises:
        DataError: Not Parquet, not understood, too many bad rows, no events left, or memory too small for one user.
        RecipeError: Settings that need all events at once.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        folder: Path,
        *,
        columns: Mapping[str, str] | None = None,
        settings: DataSettings | None = None,
        memory_gb: float = 2.0,
        now: datetime | None = None,
        before_writing: Callable[[int], None] = lambda rows: None,
        keep: tuple[str, ...] = (),
    ) -> None:
        self.settings = settings or DataSettings()
        _check(self.settings)
        self._log = ParquetLog.open(source)
        self._folder, self._now = folder, now
        before_writing(len(self._log))
        self._keep = keep
        self._chunks = Chunks(self._log, columns, self.settings.timezone, keep)
        self._part_rows = _rows_in(memory_gb, self._log)
        self.report = DataReport(self._log.name, len(self._log), 0, [])
        self._behaviors: list[str] = []
        self._bounds = self._choose_bounds()
        self.items = self._spread()

    @property
    def num_parts(self) -> int:
        """Parts, at least one."""
        return len(self._bounds) + 1

    def frames(self) -> Iterator[pl.DataFrame]:
        """Cleaned rows of some users, sorted by user, then place; the frames ascend by user, too.

        Raises:
            DataError: Too many bad rows, or no event left.
            RecipeError: `target_behaviors` names one that the log does not have.
        """
        present: set[str] = set()
        for part in range(self.num_parts):
            frame = self._cleaned(part)
            refuse_bad(self.report, self.settings.max_bad)
            if frame.height:
                self.report.rows_kept += frame.height
                present |= set(frame.schema[BEHAVIOR].categories)  # type: ignore[attr-defined]
                yield frame
        if not self.report.rows_kept:
            refuse_empty(pl.DataFrame(), self.report)
        check_target_behaviors(self.settings, sorted(present))

    def _cleaned(self, part: int) -> pl.DataFrame:
        files = sorted((self._folder / str(part)).glob("*.arrow"))
        if not files:
            return pl.DataFrame()
        box = [pl.concat([pl.read_ipc(file) for file in files], rechunk=True)]
        shutil.rmtree(self._folder / str(part))
        if BEHAVIOR in box[0].columns:
            names = pl.Enum(self._behaviors)
            box.append(box.pop().with_columns(pl.col(BEHAVIOR).cat.to(names)))
        mine = DataReport(self.report.source, box[0].height)
        box.append(set_aside(box.pop(), self.settings, mine, now=self._now))
        if box[0].height:
            box.append(stand_in_line(box.pop(), self.settings, mine, leave_out=NOT_ALONE))
        self.report.steps = merged([*self.report.steps, *mine.steps])
        frame = box.pop()
        return frame.select(*(name for name in CANONICAL if name in frame.columns), *self._keep)

    def _choose_bounds(self) -> pl.Series:
        """Users with whom a new part begins, ascending: of a stride over all rows, so that parts are of like size."""
        wanted = -(-len(self._log) // int(self._part_rows / FULLEST))
        if wanted <= 1:
            return pl.Series(USER, [])
        stride = max(1, len(self._log) // SAMPLED_USERS)
        name = self._chunks.source_of_users
        tables = (table for _, table in self._log.chunks(self._chunk_rows, [name]))
        sampled = pl.concat([table.frame[name].gather_every(stride) for table in tables])
        users = as_ids(sampled, USER)[0].drop_nulls().sort()
        if users.is_empty():
            return users
        bounds = users[np.arange(1, wanted) * len(users) // wanted]
        busy = bounds.filter(bounds.is_duplicated())  # more than a part alone: nobody else is to come with them
        after = users.search_sorted(busy, side="right")
        return pl.concat([bounds, users[after.filter(after < len(users))]]).unique().sort()

    @property
    def _chunk_rows(self) -> int:
        return max(SMALLEST_CHUNK, self._part_rows // 6)

    def _spread(self) -> pl.Series:
        """The first pass; returns the distinct items."""
        items, rows = pl.Series(ITEM, []), np.zeros(self.num_parts, np.int64)
        for number, frame in enumerate(self._chunks.frames(self._chunk_rows)):
            self.report.steps = list(self._chunks.steps)
            refuse_bad(self.report, self.settings.max_bad)
            fresh = frame[ITEM].unique()
            items = fresh if number == 0 else pl.concat([items, fresh]).unique()
            rows += self._write(self._with_codes(frame), number)
        self._check_room(rows)
        return items.drop_nulls().sort()

    def _with_codes(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Behaviors as numbers: a tenth of the text."""
        if BEHAVIOR not in frame.columns:
            return frame
        known = set(self._behaviors)
        self._behaviors += [name for name in frame[BEHAVIOR].drop_nulls().unique().to_list() if name not in known]
        if len(self._behaviors) > MAX_NAMES:
            raise DataError(
                f"Column behavior has over {MAX_NAMES:,} different values; expected a few kinds of event.",
                hint="Name the right column: --columns behavior=NAME.",
            )
        code = pl.col(BEHAVIOR).cast(pl.Enum(self._behaviors)).to_physical().cast(pl.UInt16)
        return frame.with_columns(code)

    def _write(self, frame: pl.DataFrame, number: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Rows to their parts, in the log's order; returns how many went to each."""
        if self.num_parts == 1:
            self._append(frame, 0, number)
            return np.array([frame.height])
        part = self._bounds.search_sorted(frame[USER], side="right").to_numpy()
        part = np.where(frame[USER].is_null().to_numpy(), 0, part).astype(np.uint16)
        counts = np.bincount(part, minlength=self.num_parts)
        frame = frame[np.argsort(part, kind="stable")]
        start = 0
        for index, count in enumerate(counts):
            if count:
                self._append(frame.slice(start, int(count)), index, number)
            start += int(count)
        return counts

    def _append(self, frame: pl.DataFrame, part: int, number: int) -> None:
        folder = self._folder / str(part)
        folder.mkdir(exist_ok=True)
        frame.write_ipc(folder / f"{number:06}.arrow", compression="uncompressed")

    def _check_room(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        largest = int(rows.max())
        if self.num_parts > 1 and largest > self._part_rows:
            needed = (BASE_BYTES + largest * _event_bytes(self._log)) / 1e9
            raise DataError(
                f"{self._log.name}: {largest:,} events belong to one user, or to too few to be parted; "
                f"memory is given for {self._part_rows:,}.",
                hint=f"Give more: --memory-gb {needed:.1f}; or drop robots from the log before.",
            )


def _check(settings: DataSettings) -> None:
    for name, value, possible in (
        ("outliers", settings.outliers, ("keep",)),
        ("missing", settings.missing, ("keep", "forward_fill")),
        ("min_item_events", settings.min_item_events, (1,)),
        ("weak_labels", settings.weak_labels, ({},)),
        ("skips", settings.skips, (None,)),
    ):
        if value not in possible:
            raise RecipeError(
                f"[data] {name} = {value!r} needs all events at once; a log read in parts cannot have it.",
                hint="Leave it out, or read the log whole with read_events.",
            )


def _event_bytes(log: ParquetLog) -> float:
    """Text ids weigh more than numbers: as much as the sample says."""
    sample = log.table(0, min(len(log), 1_000)).frame
    text = [name for name, dtype in sample.schema.items() if dtype == pl.String]
    return EVENT_BYTES + 3 * sum(16 + sample[name].str.len_bytes().fill_null(0).mean() for name in text)  # type: ignore[operator, misc]


def _rows_in(memory_gb: float, log: ParquetLog) -> int:
    rows = int((memory_gb * 1e9 - BASE_BYTES) / _event_bytes(log))
    if rows < 1_000:
        raise DataError(
            f"memory_gb = {memory_gb:g}: {BASE_BYTES / 1e9:g} GB are taken before the first event.",
            hint="Give at least 0.5.",
        )
    return rows
