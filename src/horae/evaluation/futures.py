"""What may come after a moment, made otherwise: the changes by which the audits look for leaks.

In: a log and what of it is future. Out: the log with that future replaced, shuffled, removed or shifted. Who asks, and
what must not move, is the audits' business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.schema import EVENT_ORDER, TIMESTAMP, USER, Events, Requests

__all__ = ["EVENTS_IN_COPY", "Change", "Copy", "changes_of", "copy_of"]

EVENTS_IN_COPY = 200_000
"""Of a larger log a part is audited: a leak shows in a part, too."""


@dataclass(frozen=True, eq=False)
class Copy:
    """A part of the log with requests at one moment: `future` marks what they must not see, `asked` their own rows.

    The event at a request's place is future, but its time is the question's and stays; so do the columns of context
    that the question tells (`told`).
    """

    events: Events
    future: BoolArray
    asked: BoolArray
    told: tuple[str, ...] = ()

    def requests(self) -> Requests:
        """One at each of the rows asked at."""
        rows = np.flatnonzero(self.asked)
        return Requests(users=self.events.frame[USER].gather(rows), rows=rows)


Change = Callable[[Copy, np.random.Generator], Copy]


def changes_of(events: Events) -> dict[str, Change]:
    """The changes that a log allows, by what they do to the future."""
    changes: dict[str, Change] = {"replaced": _replaced, "shuffled": _shuffled, "removed": _removed}
    if events.times == "all":
        changes["shifted"] = _shifted
    return changes


def copy_of(
    events: Events,
    rows: IndexArray,
    user_of: IndexArray,
    time: FloatArray,
    rng: np.random.Generator,
    told: tuple[str, ...] = (),
) -> Copy:
    """A part of the log around some requests at one moment, that of the last of them.

    Args:
        events: The log.
        rows: Requests of different users, by row.
        user_of: The user of each row, from 0.
        time: Of each row; NaN where unknown.
        rng: Draws the crowd around them, where the log is larger than a copy may be.
        told: Columns of context that are known when asking.
    """
    num_users = int(user_of[-1]) + 1
    place = np.full(num_users, -1)
    place[user_of[rows]] = rows
    own = place[user_of]
    future = np.where(own >= 0, np.arange(len(user_of)) >= own, time >= np.max(time[rows]))  # NaN is never later
    keep = place >= 0
    crowd = rng.permutation(np.flatnonzero(~keep))
    sizes = np.bincount(user_of, minlength=num_users)
    room = EVENTS_IN_COPY - int(sizes[keep].sum())
    keep[crowd[np.cumsum(sizes[crowd]) <= room]] = True
    mask = keep[user_of]
    asked = np.zeros(len(user_of), dtype=np.bool_)
    asked[rows] = True
    told = tuple(name for name in told if name in events.context)
    return Copy(events.filter(pl.Series(mask)), future[mask], asked[mask], told)


def _replaced(copy: Copy, rng: np.random.Generator) -> Copy:
    """Other items, behaviors, values and contexts, drawn from the whole log."""
    return _rewritten(copy, rng.integers(0, len(copy.events), int(copy.future.sum())))


def _shuffled(copy: Copy, rng: np.random.Generator) -> Copy:
    """The future's own items, behaviors, values and contexts, dealt out anew."""
    return _rewritten(copy, rng.permutation(np.flatnonzero(copy.future)))


def _rewritten(copy: Copy, source: IndexArray) -> Copy:
    """Future rows take everything but their place, and what their question tells, from other rows."""
    index = np.arange(len(copy.events))
    index[copy.future] = source
    frame = copy.events.frame
    taken = frame.select(pl.exclude(USER, TIMESTAMP, EVENT_ORDER).gather(index))
    asked = pl.Series(copy.asked)
    told = [pl.when(asked).then(frame[name]).otherwise(taken[name]).alias(name) for name in copy.told]
    return replace(copy, events=replace(copy.events, frame=frame.with_columns(taken).with_columns(told)))


def _removed(copy: Copy, rng: np.random.Generator) -> Copy:
    """Nothing comes after, but for the empty shell that holds a request's place."""
    kept = ~copy.future | copy.asked
    shell = _replaced(copy, rng)
    return replace(copy, events=shell.events.filter(pl.Series(kept)), future=copy.future[kept], asked=copy.asked[kept])


def _shifted(copy: Copy, rng: np.random.Generator) -> Copy:
    """The future comes an hour to thirty days later, in another order."""
    later = np.where(copy.future & ~copy.asked, rng.integers(3_600, 30 * 86_400, len(copy.events)), 0)
    frame = copy.events.frame.with_columns(
        pl.col(TIMESTAMP) + pl.Series(later * 1_000_000).cast(pl.Duration("us")),
        pl.Series("_future", copy.future),
        pl.Series("_asked", copy.asked),
    ).sort(USER, TIMESTAMP, EVENT_ORDER)
    future, asked = frame["_future"].to_numpy(), frame["_asked"].to_numpy()
    events = replace(copy.events, frame=frame.drop("_future", "_asked"))
    return replace(copy, events=events, future=future, asked=asked)
