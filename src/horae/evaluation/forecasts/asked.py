"""A split in; who is asked about which next event, as of when, and what came, out.

Every event of a part that has one of its user before it is asked for, whatever its behavior: how long until it, of
which behavior, of which value? The question is put at its user's event before it; where the split is by time and that
event lies before the part begins, at the beginning: then its user is known to have been silent until there.

Nothing later is known, but one thing: an event that can be asked for came before the part ended. Returns after that are
nobody's to judge, so everybody is asked when it comes *if it comes until then*; who was not told so would seem to be
late, the more the shorter the part. This module knows no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.data.split import Split
from horae.evaluation.metrics.ranks import FloatArray, IndexArray
from horae.schema import BEHAVIOR, TIMESTAMP, USER, VALUE, Requests
from horae.sequences.clock import seconds, to_seconds
from horae.sequences.history import categories

__all__ = ["Asked", "asked_of", "beginning_of", "codes", "end_of"]


@dataclass(frozen=True, eq=False)
class Asked:
    """Questions about next events, by row of `Events.frame`, ascending.

    Attributes:
        row_N: The event that came.
        users: Ids, one per question.
        user_N: Their numbers, from 0.
        silent_N: Seconds from the event before until the question; NaN where a time is unknown.
        gap_N: Seconds from the event before to the one that came, at least `silent_N`; NaN where unknown.
        left_N: Seconds from the question to the end of the part; NaN where the split is not by time.
        behavior_N: From 1, as in the run; 0 for one that it does not know.
        value_N: NaN where unknown.
    """

    row_N: IndexArray
    users: pl.Series
    user_N: IndexArray
    silent_N: FloatArray
    gap_N: FloatArray
    left_N: FloatArray
    behavior_N: IndexArray
    value_N: FloatArray

    def __len__(self) -> int:
        return len(self.row_N)

    @property
    def requests(self) -> Requests:
        """As a recommender takes them; each history is everything before the event that came."""
        return Requests(users=self.users, rows=self.row_N)


def asked_of(
    split: Split, part: str = "test", *, most: int = 10_000, seed: int = 0, behaviors: tuple[str, ...] | None = None
) -> Asked:
    """The questions of a part.

    Args:
        split: Says where the part begins.
        part: `test` or `validation`.
        most: At most so many, drawn by the seed.
        seed: Of the draw.
        behaviors: Names of the run's behaviors; None: the log's own.
    """
    frame = split.events.frame
    mine = (split.part == part).to_numpy()
    user_E = frame[USER].rle_id().to_numpy().astype(np.int64)
    row = np.flatnonzero(mine[1:] & (user_E[1:] == user_E[:-1])) + 1
    if len(row) > most:
        row = np.sort(np.random.default_rng(seed).choice(row, most, replace=False))
    time, before = seconds(frame[TIMESTAMP].gather(row)), seconds(frame[TIMESTAMP].gather(row - 1))
    gap = np.where(time >= before, time - before, np.nan)
    asked_at = np.fmax(before, beginning_of(split, part))
    left = np.maximum(end_of(split, part) - asked_at, time - asked_at)
    silent = np.where(np.isnan(gap), np.nan, np.minimum(asked_at - before, gap))
    value = frame[VALUE].gather(row).fill_null(float("nan")).to_numpy()
    _, user = np.unique(user_E[row], return_inverse=True)
    code_of = codes(frame, behaviors)
    behavior = code_of[frame[BEHAVIOR].gather(row).to_physical().to_numpy()]
    return Asked(row, frame[USER].gather(row), user.astype(np.int64), silent, gap, left, behavior, value)


def codes(frame: pl.DataFrame, behaviors: tuple[str, ...] | None) -> npt.NDArray[np.int64]:
    """A run's number, from 1, of each of the frame's behaviors; 0 where it knows none."""
    names = categories(frame[BEHAVIOR])
    known: Mapping[str, int] = {name: number for number, name in enumerate(behaviors or names, start=1)}
    return np.array([known.get(name, 0) for name in names], dtype=np.int64)


def beginning_of(split: Split, part: str) -> float:
    """Unix seconds at which a part begins; NaN where the split is not by time."""
    text = split.boundary if part == "test" else split.validation_boundary
    if split.kind not in ("time", "rolling") or not text:
        return float("nan")
    return to_seconds(datetime.fromisoformat(text))


def end_of(split: Split, part: str) -> float:
    """Unix seconds of a part's last event; NaN where the split is not by time."""
    mine = split.part == part
    if split.kind not in ("time", "rolling") or not mine.any():
        return float("nan")
    return float(np.fmax.reduce(seconds(split.events.frame[TIMESTAMP].filter(mine))))
