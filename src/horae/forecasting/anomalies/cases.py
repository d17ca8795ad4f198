"""A run and perhaps a new log in; which events are judged, which say what is usual, and one log that holds both, out.

Calibration events are such as the network did not learn from, as it did not from those that are judged: what it has
learned by heart surprises it less. In a split by time they lie before all judged events. This module scores nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl

from horae.data.cleaning.places import mark_targets
from horae.errors import DataError
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.models.network import Network
from horae.recommend.recommender import Recommender
from horae.schema import (
    BEHAVIOR,
    EVENT_ORDER,
    ITEM,
    NOT_TARGETS,
    TARGET,
    TIMESTAMP,
    USER,
    VALUE,
    DataReport,
    Events,
    Requests,
)
from horae.sequences.clock import seconds
from horae.training.loop import LoopSettings

__all__ = ["Cases", "cases_of", "learned_parts"]

MOST_CALIBRATION: Final = 20_000
"""Calibration events beyond this are left out, whole users at a time."""
NEW: Final = "new"
EVERY_PART: Final = frozenset(("train", "validation", "test", "unused"))


@dataclass(frozen=True, eq=False)
class Cases:
    """The events asked about, as rows of one log.

    Attributes:
        recommender: Over that log.
        base_E: Rows that baselines are learned from: none of them calibrates or is judged.
        row_N: The events asked about, ascending: those that calibrate and those that are judged.
        calibration_N: Which of them calibrate.
        shown: The judged events as the caller has them, in the caller's order.
        order_J: For each row of `shown`, its number among the judged of `row_N`.
        notes: Sentences about what was left out.
    """

    recommender: Recommender
    base_E: BoolArray
    row_N: IndexArray
    calibration_N: BoolArray
    shown: pl.DataFrame
    order_J: IndexArray
    notes: tuple[str, ...]

    @property
    def frame(self) -> pl.DataFrame:
        """The log."""
        assert self.recommender.events is not None
        return self.recommender.events.frame

    @property
    def time_E(self) -> FloatArray:
        """Unix seconds of every row; NaN where unknown."""
        return seconds(self.frame[TIMESTAMP])

    @property
    def user_E(self) -> IndexArray:
        """The number of every row's user, from 0, ascending."""
        return self.frame[USER].rle_id().to_numpy().astype(np.int64)

    @property
    def requests(self) -> Requests:
        """Each event's own place as a request: its history is everything of its user before it."""
        return Requests(users=self.frame[USER].gather(self.row_N), rows=self.row_N)


def cases_of(recommender: Recommender, events: Events | None, since: datetime | None, seed: int = 0) -> Cases:
    """Choose what is judged and what calibrates.

    Raises:
        DataError: Nothing to judge, or `since` in a log without times.
    """
    if events is None:
        own = _own(recommender)
        if own is None or recommender.split is None:
            raise DataError(
                "This run does not know which events it learned from.", hint="Give a log: horae anomalies RUN EVENTS"
            )
        bound, part, place_E, twice = recommender, recommender.split.part.cast(pl.String), None, 0
        shown = own.frame
    else:
        if not len(events):
            raise DataError("The log holds no events to judge.", hint="Give a log with at least one event.")
        bound, part, place_E, twice = _joined(recommender, events)
        shown = events.frame
    assert bound.events is not None
    frame = bound.events.frame
    fresh_E = ~part.is_in([*learned_parts(recommender), "unused", NEW]).to_numpy()
    judged_E, notes = (part == NEW).to_numpy(), []
    later_E = _since(frame, since)
    if events is None:
        judged_E, calibration_E, halved = _of_own(frame, part, fresh_E, later_E, seed)
    else:
        calibration_E = fresh_E & _before(frame, judged_E)
        halved = not calibration_E.any()
        if halved:
            calibration_E, judged_E = _halves(frame, judged_E, seed)
        judged_E = judged_E if later_E is None else judged_E & later_E
    if not judged_E.any():
        raise DataError("No event is left to judge.", hint="Give newer events, or an earlier `since`.")
    if halved:
        notes.append(
            "The run has no events that it did not learn from and that are not asked about: the first half of those "
            "asked about says what is usual, and only the others are judged."
        )
    if twice:
        notes.append(f"{twice:,} events of the new log are in the run's own, too, and count once.")
    calibration_E = _fewer(frame, calibration_E & ~judged_E, seed)
    base_E = ~(judged_E | calibration_E | fresh_E | part.is_in(["unused", NEW]).to_numpy())
    row_N = np.flatnonzero(judged_E | calibration_E)
    place = np.flatnonzero(judged_E) if place_E is None else place_E[judged_E]
    return Cases(
        bound,
        base_E if base_E.any() else calibration_E,
        row_N,
        calibration_E[row_N],
        shown[np.sort(place)],
        np.argsort(place),
        tuple(notes),
    )


def learned_parts(recommender: Recommender) -> frozenset[str]:
    """Parts of the run's split that its model was fitted on; all of them where nobody knows."""
    card, split = recommender.card, recommender.split
    if split is None or card.get("refit"):
        return EVERY_PART
    if not isinstance(recommender.model, Network):
        return frozenset(("train", "validation"))  # counted once more, on all before the test
    took = card.get("training", {})
    wanted = LoopSettings.from_table(recommender.recipe.train).relearns(split.kind)
    again = wanted and bool(took.get("validation")) and not took.get("interrupted")
    return frozenset(("train", "validation")) if again else frozenset(("train",))


def _own(recommender: Recommender) -> Events | None:
    return recommender.events if recommender.events is not None and len(recommender.events) else None


def _of_own(
    frame: pl.DataFrame, part: pl.Series, fresh_E: BoolArray, later_E: BoolArray | None, seed: int
) -> tuple[BoolArray, BoolArray, bool]:
    """Judged, calibrating, and whether one part had to serve for both."""
    if not fresh_E.any():
        raise DataError(
            "The run's network learned from all of its log, so no event of it can be judged.",
            hint="Give a newer log, or train on a split: horae train keeps a test part.",
        )
    if later_E is not None:
        return fresh_E & later_E, fresh_E & ~later_E, False
    test_E, validation_E = (fresh_E & (part == name).to_numpy() for name in ("test", "validation"))
    if test_E.any() and validation_E.any():
        return test_E, validation_E, False
    calibration_E, judged_E = _halves(frame, fresh_E, seed)
    return judged_E, calibration_E, True


def _halves(frame: pl.DataFrame, rows_E: BoolArray, seed: int) -> tuple[BoolArray, BoolArray]:
    """The earlier and the later half; without times, half of the users and the others."""
    time_E = seconds(frame[TIMESTAMP])
    if not np.isnan(time_E[rows_E]).any():
        first_E = rows_E & (time_E < np.median(time_E[rows_E]))
    else:
        user_E = frame[USER].rle_id().to_numpy()
        drawn_U = np.random.default_rng(seed).random(int(user_E.max()) + 1) < 0.5
        first_E = rows_E & drawn_U[user_E]
    return first_E, rows_E & ~first_E


def _before(frame: pl.DataFrame, judged_E: BoolArray) -> BoolArray:
    """Rows before all that are judged: what is usual is not learned from what comes later. Without times, all."""
    first = frame[TIMESTAMP].filter(pl.Series(judged_E)).min()
    if first is None:
        return np.ones(frame.height, dtype=np.bool_)
    return (frame[TIMESTAMP] < first).fill_null(False).to_numpy()


def _since(frame: pl.DataFrame, since: datetime | None) -> BoolArray | None:
    if since is None:
        return None
    if frame[TIMESTAMP].null_count() == frame.height:
        raise DataError("`since` asks for times, and this log has none.", hint="Leave it out.")
    moment = since if since.tzinfo else since.replace(tzinfo=UTC)
    return (frame[TIMESTAMP] >= moment).fill_null(False).to_numpy()


def _fewer(frame: pl.DataFrame, rows_E: BoolArray, seed: int) -> BoolArray:
    """At most so many events, by whole users, as a user's own score needs all of theirs."""
    if int(rows_E.sum()) <= MOST_CALIBRATION:
        return rows_E
    user_E = frame[USER].rle_id().to_numpy()
    count_U = np.bincount(user_E[rows_E], minlength=int(user_E.max()) + 1)
    drawn_U = np.random.default_rng(seed).permutation(len(count_U))
    kept_U = drawn_U[np.cumsum(count_U[drawn_U]) <= MOST_CALIBRATION]
    return rows_E & np.isin(user_E, kept_U)


def _joined(recommender: Recommender, events: Events) -> tuple[Recommender, pl.Series, IndexArray, int]:
    """The run's log and the new one as one: the run over it, each row's part, its row in the new log, and repeats."""
    new = _columns(events).with_columns(pl.lit(NEW).alias("part"), pl.int_range(pl.len()).alias("place"))
    own, behaviors, twice = _own(recommender), list(recommender.sequences.behaviors), 0
    whole = new
    if own is not None:
        parts = recommender.split.part if recommender.split else pl.repeat("train", len(own), eager=True)
        old = _columns(own).with_columns(parts.cast(pl.String).alias("part"), pl.lit(-1, pl.Int64).alias("place"))
        if old.schema[USER] != new.schema[USER]:
            old, new = (one.with_columns(pl.col(USER).cast(pl.String)) for one in (old, new))
        kept = old.join(new, on=[USER, ITEM, BEHAVIOR, TIMESTAMP], how="anti", maintain_order="left")
        twice, whole = old.height - kept.height, pl.concat([kept, new])
        behaviors = [str(name) for name in own.frame[BEHAVIOR].dtype.categories]  # type: ignore[attr-defined]
    names = list(dict.fromkeys([*behaviors, *events.behaviors]))
    timeless = whole.filter(pl.col(TIMESTAMP).is_null())[USER].unique()
    known = pl.when(~pl.col(USER).is_in(timeless.implode())).then(pl.col(TIMESTAMP))
    whole = whole.sort(USER, known, "place", maintain_order=True).with_columns(
        pl.col(BEHAVIOR).cast(pl.Enum(names)),
        pl.int_range(pl.len()).alias(EVENT_ORDER),
    )
    data = recommender.recipe.data
    wanted = [name for name in data.get("target_behaviors") or names if name in names]
    if not data.get("target_behaviors"):
        wanted = [name for name in wanted if name not in NOT_TARGETS]
    whole = mark_targets(whole, wanted, bool(data.get("repeat_targets", False)))
    frame = whole.select(USER, ITEM, BEHAVIOR, TIMESTAMP, VALUE, EVENT_ORDER, TARGET)
    bound = recommender.with_events(Events(frame, DataReport()))
    return bound, whole["part"], whole["place"].to_numpy(), twice


def _columns(events: Events) -> pl.DataFrame:
    """What is needed of a log; items as text, which finds numbers, too; without items, all on one."""
    frame = events.frame
    item = frame[ITEM] if events.has_items else pl.repeat("event", frame.height, eager=True)
    return frame.select(
        pl.col(USER), item.cast(pl.String).alias(ITEM), pl.col(BEHAVIOR).cast(pl.String), TIMESTAMP, VALUE
    )
