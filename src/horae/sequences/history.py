"""Events in, histories out: all events as flat arrays with one offset per user, and slices of them as of a place.

A history is a slice, never a copy: memory is linear in events however many requests are cut from the log. Events that
arrive later (`append`) live beside the arrays and are merged, by place, into the histories of their users only.
This module does not know padding, models or the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.data.understanding.values import LARGEST_VALUE
from horae.schema import (
    BEHAVIOR,
    ITEM,
    SHOWN,
    TARGET,
    TARGET_WEIGHT,
    TIMESTAMP,
    USER,
    VALUE,
    Events,
    HistoryEvent,
    Id,
    IndexArray,
)
from horae.sequences.clock import seconds, to_seconds
from horae.sequences.context import ContextColumns, Floats
from horae.sequences.vocabulary import Vocabulary

__all__ = ["Flat", "Histories", "Sequences", "categories"]

FloatArray = npt.NDArray[np.float64]
UNKNOWN = float("nan")
NO_CONTEXT: Final = ContextColumns()
BLOCK = 1 << 22
"""Events looked at in one go, where all are: the arrays may be larger than memory."""


@dataclass(frozen=True, eq=False)
class Flat:
    """Events on known items, user after user, each user's in the order of their places.

    Attributes:
        item_N: int32 item index, at least 1.
        behavior_N: uint8 behavior index, from 1; 0 where the model has not seen that behavior.
        time_N: Unix seconds, NaN where unknown.
        value_N: float32, NaN where unknown.
        target_N: May this event be a target?
        feature_NF: Context as numbers (`ContextColumns`), NaN where unknown; no column where no network asks for one.
        weight_N: What each counts as a target, float32 from 0 to 1; None: 1 each.
        shown_NS: int32 item indices that were shown before each and not taken, newest first, 0 after the last; None:
            the log has no impressions.
    """

    item_N: npt.NDArray[np.int32]
    behavior_N: npt.NDArray[np.uint8]
    time_N: FloatArray
    value_N: Floats
    target_N: npt.NDArray[np.bool_]
    feature_NF: Floats
    weight_N: Floats | None = None
    shown_NS: npt.NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.item_N)

    @classmethod
    def joined(cls, parts: Sequence[Flat]) -> Flat:
        """One after the other."""
        columns = [f.name for f in fields(cls) if f.name not in ("weight_N", "shown_NS")]
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
        if any(part.weight_N is not None for part in parts):
            ones = (np.ones(len(part), dtype=np.float32) if part.weight_N is None else part.weight_N for part in parts)
            joined["weight_N"] = np.concatenate(list(ones))
        return cls(**joined)  # what was shown matters to training alone, and that joins nothing

    def take(self, index: slice | IndexArray) -> Flat:
        """The events at `index`; a slice gives views."""
        columns: list[Any] = [getattr(self, f.name) for f in fields(self)]
        taken: list[Any] = [None if column is None else column[index] for column in columns]
        return Flat(*taken)


@dataclass(frozen=True, eq=False)
class Histories:
    """One slice of `flat` per request, oldest event first; when and in which context each asks (NaN = unknown)."""

    flat: Flat
    start_B: IndexArray
    end_B: IndexArray
    request_time_B: FloatArray
    request_feature_BF: Floats = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))

    def __post_init__(self) -> None:
        if not len(self.request_feature_BF):  # nothing was told
            untold = np.full((len(self), self.flat.feature_NF.shape[1]), np.nan, dtype=np.float32)
            object.__setattr__(self, "request_feature_BF", untold)

    def __len__(self) -> int:
        return len(self.start_B)

    @property
    def lengths(self) -> IndexArray:
        """Events in each history."""
        return self.end_B - self.start_B

    def take(self, index: IndexArray | slice) -> Histories:
        """Some of the requests; the events are shared."""
        return Histories(*(self.flat, *(getattr(self, f.name)[index] for f in fields(self)[1:])))

    def pairs(self) -> tuple[IndexArray, npt.NDArray[np.int32]]:
        """(request, item index) of every event in every history, as two flat arrays."""
        lengths = self.lengths
        request_of = np.repeat(np.arange(len(self)), lengths)
        first = np.repeat(self.start_B - (np.cumsum(lengths) - lengths), lengths)
        return request_of, self.flat.item_N[first + np.arange(len(request_of))]


class Sequences:
    """A log as a model sees it: flat arrays by user, from which the history before any place can be cut.

    Attributes:
        users: Ids of the users, in the order of the offsets; grows with `append`.
        items: The item vocabulary that `item_N` refers to.
        behaviors: Names of the behavior indices, from 1.
        context: What the columns of `feature_NF` are.
    """

    def __init__(
        self,
        flat: Flat,
        offset_U1: IndexArray,
        users: Vocabulary,
        items: Vocabulary,
        behaviors: tuple[str, ...],
        context: ContextColumns = NO_CONTEXT,
    ) -> None:
        self._events = flat
        self._offset_U1 = offset_U1
        self._start_U, self._end_U = offset_U1[:-1], offset_U1[1:]
        self.users = users
        self.items = items
        self.behaviors = behaviors
        self.context = context
        self._rows: IndexArray | None = None
        self._row_offset_U1 = offset_U1
        self._row_time_R = flat.time_N
        self._row_feature_RF = flat.feature_NF
        self._late: dict[int, list[Flat]] = {}
        self._late_strange: list[tuple[int, int, Id]] = []
        self._strange = False
        self._newest_late = UNKNOWN

    @classmethod
    def from_events(
        cls,
        events: Events,
        items: Vocabulary,
        behaviors: Sequence[str] | None = None,
        context: ContextColumns = NO_CONTEXT,
        *,
        strange: bool = False,
    ) -> Sequences:
        """Lay out a cleaned log. Events on items outside the vocabulary are left out of histories, not padded.

        With `strange` they stay, as item 0: when and how something happened is known, on what is not.
        """
        frame = events.frame
        names = tuple(behaviors) if behaviors is not None else categories(frame[BEHAVIOR])
        runs = frame[USER].rle().struct.unnest()
        row_offset_U1 = np.concatenate([[0], np.cumsum(runs["len"].to_numpy(), dtype=np.int64)])
        flat = _flat(frame, items, names, context)
        sequences = cls(flat, row_offset_U1, Vocabulary(runs["value"]), items, names, context)
        known = flat.item_N > 0
        sequences._strange = strange
        if not known.all() and not strange:
            sequences._keep(np.flatnonzero(known))
        return sequences

    def _keep(self, rows: IndexArray) -> None:
        """Leave only the events at `rows`, remembering where all rows stood."""
        self._row_time_R, self._row_feature_RF = self._events.time_N, self._events.feature_NF
        self._events = self._events.take(rows)
        self._rows = rows
        self._offset_U1 = np.searchsorted(rows, self._row_offset_U1)
        self._start_U, self._end_U = self._offset_U1[:-1], self._offset_U1[1:]

    @property
    def flat(self) -> Flat:
        """All events on known items."""
        return self._events

    @property
    def offset_U1(self) -> IndexArray:
        """User u's events (u from 1) are `flat[offset_U1[u - 1]:offset_U1[u]]`."""
        return self._offset_U1

    @property
    def row_N(self) -> IndexArray:
        """Row of each event in the `Events.frame` that it came from, ascending."""
        return np.arange(len(self._events), dtype=np.int64) if self._rows is None else self._rows

    @property
    def num_items(self) -> int:
        """I, without the padding row."""
        return len(self.items)

    @property
    def num_users(self) -> int:
        """Users with offsets; users that only `append` knows are not counted."""
        return len(self._end_U)

    @cached_property
    def has_unknown_times(self) -> bool:
        """Is there an event of which nobody knows when it was? Asked of the log, not of what was appended."""
        return any(np.isnan(self._events.time_N[at : at + BLOCK]).any() for at in range(0, len(self._events), BLOCK))

    @property
    def newest(self) -> float:
        """Unix seconds of the latest event of all, appended ones too; NaN where no time is known."""
        return float(np.fmax(self._newest, self._newest_late))

    @cached_property
    def _newest(self) -> float:
        pieces = [self._events.time_N[at : at + BLOCK] for at in range(0, len(self._events), BLOCK)]
        return float(np.fmax.reduce([np.fmax.reduce(piece) for piece in pieces])) if pieces else UNKNOWN

    def user_of_N(self) -> IndexArray:
        """The user index, from 1, of every event."""
        return np.repeat(np.arange(1, self.num_users + 1), np.diff(self.offset_U1))

    def all(self) -> Histories:
        """Everybody's whole line."""
        unknown = np.full(self.num_users, UNKNOWN)
        return Histories(self._events, self._start_U, self._end_U, unknown)

    def before_rows(self, rows: IndexArray) -> Histories:
        """The history of each request cut from the log at a row of `Events.frame`: what its user did before.

        When and in which context it asks is said by that row, whose further content nobody is to look at.
        """
        user = np.searchsorted(self._row_offset_U1, rows, side="right") - 1
        end = np.asarray(rows) if self._rows is None else np.searchsorted(self._rows, rows)
        start, time_B = self._offset_U1[user], self._row_time_R[rows]
        return Histories(self._events, start, end, time_B, self._row_feature_RF[rows])

    def of_users(self, user_B: IndexArray, at_B: FloatArray | None = None) -> Histories:
        """The history of each user (index 0: nobody, an empty one), with the events appended since.

        Args:
            user_B: User indices.
            at_B: Only events strictly before these Unix seconds; None (or NaN) for everything known. Where some of a
                user's times are unknown, order decides: the history ends before the first event known to be later.
        """
        known = np.where((user_B > 0) & (user_B <= self.num_users), user_B, 0)
        there = known > 0
        start, end = np.zeros(len(known), np.int64), np.zeros(len(known), np.int64)
        start[there], end[there] = self._start_U[known[there] - 1], self._end_U[known[there] - 1]
        request_time = np.full(len(user_B), UNKNOWN) if at_B is None else at_B
        histories = Histories(self._events, start, end, request_time)
        if self._late and any(int(user) in self._late for user in user_B):
            histories = self._with_late(histories, user_B)
        return histories if at_B is None else _cut(histories)

    def brought(self, histories: Sequence[Sequence[HistoryEvent]], at_B: FloatArray | None = None) -> Histories:
        """Histories that callers bring along; events on unknown items are left out."""
        events = [event for history in histories for event in history]
        flat = self._encode(events)
        end = np.cumsum([len(history) for history in histories], dtype=np.int64)
        rows = np.arange(len(flat)) if self._strange else np.flatnonzero(flat.item_N > 0)
        offsets = np.searchsorted(rows, np.concatenate([[0], end]))
        request_time = np.full(len(histories), UNKNOWN) if at_B is None else at_B
        cut = Histories(flat.take(rows), offsets[:-1], offsets[1:], request_time)
        return cut if at_B is None else _cut(cut)

    def alike(self, events: Events) -> Sequences:
        """Other events, over the same items, behaviors and columns of context."""
        return Sequences.from_events(events, self.items, self.behaviors, self.context)

    def with_strange(self, events: Events | None) -> Sequences:
        """The same people's lines with the events on items outside the vocabulary, too, as item 0.

        Args:
            events: The log that these lines were laid out from; None where it is gone, and with it such events of its
                own. What was or will be appended is shared.
        """
        if events is None:
            whole = Sequences(self._events, self._offset_U1, self.users, self.items, self.behaviors, self.context)
            whole._strange = True
        else:
            whole = Sequences.from_events(events, self.items, self.behaviors, self.context, strange=True)
        whole.users, whole._late, whole._late_strange = self.users, self._late, self._late_strange
        return whole

    def append(self, user: Id, event: HistoryEvent) -> None:
        """Make an event part of its user's line; it is in the very next history of that user. New users are welcome.

        An event on an unknown item is in the histories of `with_strange` only: when it was and of which behavior is
        known, on what is not.
        """
        self.users.append([user])
        flat, index = self._encode([event]), self.users.index(user)
        mine = self._late.setdefault(index, [])
        mine.append(flat)
        if not flat.item_N[0]:
            self._late_strange.append((index, len(mine) - 1, event.item_id))
        self._newest_late = float(np.fmax(self._newest_late, flat.time_N[0]))

    def arrived(self) -> Flat:
        """Everything on known items that `append` brought, in no order of time."""
        late = [one for mine in self._late.values() for one in mine if one.item_N[0] > 0]
        return Flat.joined([self._events.take(slice(0, 0)), *late])

    def recognise(self, events: Events | None) -> None:
        """Take in the events on items that the vocabulary did not have when they came, and has now.

        Args:
            events: The log that these lines were laid out from, if it may hold such events; None where it does not.
        """
        if events is not None:
            anew = Sequences.from_events(events, self.items, self.behaviors, self.context)
            for name in ("_events", "_offset_U1", "_start_U", "_end_U", "_rows", "_row_offset_U1", "_row_time_R"):
                setattr(self, name, getattr(anew, name))
            self._row_feature_RF = anew._row_feature_RF
            for name in ("has_unknown_times", "_newest"):
                self.__dict__.pop(name, None)
        still = []
        for user, place, item in self._late_strange:
            index = self.items.index(item)
            if index:
                self._late[user][place] = replace(self._late[user][place], item_N=np.array([index], dtype=np.int32))
            else:
                still.append((user, place, item))
        self._late_strange[:] = still

    def _encode(self, events: Sequence[HistoryEvent]) -> Flat:
        behavior_of = {name: index for index, name in enumerate(self.behaviors, start=1)}
        unsaid = 1 if len(self.behaviors) == 1 else 0  # in a log of one behavior it goes without saying
        return Flat(
            self.items.indices([event.item_id for event in events]).astype(np.int32),
            np.array([behavior_of.get(e.behavior, 0) if e.behavior else unsaid for e in events], dtype=np.uint8),
            np.array([to_seconds(event.timestamp) for event in events], dtype=np.float64),
            np.array([_value(event.value) for event in events], dtype=np.float32),
            np.ones(len(events), dtype=np.bool_),
            self.context.of_told([event.context for event in events]),
        )

    def _with_late(self, histories: Histories, user_B: IndexArray) -> Histories:
        parts = []
        for request, user in enumerate(user_B):
            mine = histories.flat.take(slice(histories.start_B[request], histories.end_B[request]))
            late = [one for one in self._late.get(int(user), ()) if self._strange or one.item_N[0] > 0]
            parts.append(_by_place(Flat.joined([mine, *late])))
        end = np.cumsum([len(part) for part in parts], dtype=np.int64)
        start = np.concatenate([[0], end[:-1]])
        return replace(histories, flat=Flat.joined(parts), start_B=start, end_B=end)


def _flat(frame: pl.DataFrame, items: Vocabulary, behaviors: tuple[str, ...], context: ContextColumns) -> Flat:
    """Columns of `Events.frame` as arrays, row for row (item 0 where unknown)."""
    index_of = {name: index for index, name in enumerate(behaviors, start=1)}
    code_of = np.array([index_of.get(name, 0) for name in categories(frame[BEHAVIOR])], dtype=np.uint8)
    value = frame[VALUE]
    return Flat(
        items.indices(frame[ITEM]).astype(np.int32),
        code_of[frame[BEHAVIOR].to_physical().to_numpy()],
        seconds(frame[TIMESTAMP]),
        value.cast(pl.Float32).fill_null(UNKNOWN).to_numpy(),
        frame[TARGET].to_numpy(),
        context.of_frame(frame),
        frame[TARGET_WEIGHT].cast(pl.Float32).to_numpy() if TARGET_WEIGHT in frame.columns else None,
        _shown(frame[SHOWN], items) if SHOWN in frame.columns else None,
    )


def _shown(column: pl.Series, items: Vocabulary) -> npt.NDArray[np.int32]:
    """Each event's list as item indices, known ones first."""
    lists = pl.DataFrame({"event": np.arange(len(column)), "item": column.str.json_decode(pl.List(pl.String))})
    each = lists.drop_nulls().explode("item").drop_nulls()
    each = each.with_columns(pl.Series("index", items.indices(each["item"]))).filter(pl.col("index") > 0)
    each = each.with_columns(pl.int_range(pl.len()).over("event").alias("place"))
    longest = 0 if each.is_empty() else int(each["place"].to_numpy().max()) + 1
    shown_NS = np.zeros((len(column), longest), dtype=np.int32)
    shown_NS[each["event"].to_numpy(), each["place"].to_numpy()] = each["index"].to_numpy()
    return shown_NS


def _value(value: float | None) -> float:
    return UNKNOWN if value is None or not abs(value) <= LARGEST_VALUE else value


def categories(behavior: pl.Series) -> tuple[str, ...]:
    """Names of the behaviors, in the order of their numbers."""
    assert isinstance(behavior.dtype, pl.Enum)
    return tuple(behavior.dtype.categories.to_list())


def _by_place(flat: Flat) -> Flat:
    """Order one user's events by time, earlier arrival first among equals; by arrival where a time is unknown."""
    if np.isnan(flat.time_N).any() or (np.diff(flat.time_N) >= 0).all():
        return flat
    return flat.take(np.argsort(flat.time_N, kind="stable"))


def _cut(histories: Histories) -> Histories:
    """End each history before its first event at or after the request's time; NaN asks for no cut."""
    flat, start, at = histories.flat, histories.start_B, histories.request_time_B
    lengths = histories.lengths
    request_of = np.repeat(np.arange(len(histories)), lengths)
    index = np.repeat(start - (np.cumsum(lengths) - lengths), lengths) + np.arange(len(request_of))
    late = flat.time_N[index] >= at[request_of]  # False where either is NaN
    end = histories.end_B.copy()
    np.minimum.at(end, request_of[late], index[late])
    return replace(histories, end_B=end)
