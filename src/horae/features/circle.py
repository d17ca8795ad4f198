"""What a user's circle did lately: events of the people to whom the user is related at the moment.

In: lines of users, moments, and a table `user_id, other_id, valid_from, valid_to`. Out: float32 columns. Of the others
only events known to be strictly earlier than the moment count: who came first at one time is not known across users.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final

import numpy as np
import polars as pl

from horae.data.cleaning.order import micros, stable_order
from horae.data.validity import KNOWN_AT, VALID_FROM, VALID_TO, valid_rows
from horae.features.book import LineBlock, LineBook
from horae.features.group import Column, Feature, Float32Array, Wishes
from horae.features.moments import Moments
from horae.features.recency import UNKNOWN
from horae.features.scans import IndexArray
from horae.features.spans import Window
from horae.features.validity import KeyRows
from horae.schema import ITEM, TIMESTAMP, USER

__all__ = ["OTHER", "Circle", "Relations"]

OTHER: Final = "other_id"
PAIRS: Final = 1 << 21
"""Pairs of a moment and one of the circle, or of a moment and an event, that are looked at in one go."""


class Relations:
    """Who belongs to whose circle, and everybody's events by time.

    Args:
        frame: `user_id, other_id, valid_from`, maybe `valid_to` and `known_at`.
        book: All users' lines.
        zone: Of times that name none.

    Raises:
        DataError: See `valid_rows`.
    """

    def __init__(self, frame: pl.DataFrame, book: LineBook, zone: str = "UTC") -> None:
        rows = valid_rows(frame, [USER, OTHER], "relations", zone)
        self.other_R = book.numbers_of(rows[OTHER])
        self.from_R, self.to_R, self.known_R = (rows[c].to_numpy() for c in (VALID_FROM, VALID_TO, KNOWN_AT))
        self._users = KeyRows(rows[USER])
        self._book = book

    def pairs(self, at: Moments, part: slice) -> tuple[IndexArray, IndexArray]:
        """(moment, row of the relation) of every relation that holds and is known at a moment of the part."""
        begin_K, end_K = self._users.spans(at.lines)
        line_B, time_B = at.line_B[part], at.time_B[part]
        begin_B, number_B = begin_K[line_B], (end_K - begin_K)[line_B]
        moment_P = np.repeat(np.arange(len(line_B)), number_B)
        row_P = np.arange(len(moment_P)) + np.repeat(begin_B - (np.cumsum(number_B) - number_B), number_B)
        time_P = time_B[moment_P]
        holds_P = (self.from_R[row_P] <= time_P) & (time_P < self.to_R[row_P]) & (self.known_R[row_P] <= time_P)
        return moment_P[holds_P], row_P[holds_P]

    def number_of(self, at: Moments) -> IndexArray:
        """Relations of each moment's user, at whatever time."""
        begin_K, end_K = self._users.spans(at.lines)
        return (end_K - begin_K)[at.line_B]

    @cached_property
    def _rows_and_axis(self) -> tuple[IndexArray, IndexArray, IndexArray]:
        """Rows of known time by user, then time; the distinct times; and (user, rank of time) of each as one number."""
        book = self._book
        stamps = book.events.frame[TIMESTAMP]
        rows = np.flatnonzero(stamps.is_not_null().to_numpy())
        time = micros(stamps)[rows]
        line = np.repeat(np.arange(len(book.keys)), np.diff(book.offset_K1))[rows]
        distinct = np.unique(time)
        axis = np.searchsorted(distinct, time) + line * (len(distinct) + 1)
        order = stable_order([axis])
        return (rows, distinct, axis) if order is None else (rows[order], distinct, axis[order])

    def events_before(self, row_P: IndexArray, time_P: IndexArray) -> IndexArray:
        """Where, among the rows of known time, the other one's events at or after a time begin."""
        _, distinct, axis = self._rows_and_axis
        return np.searchsorted(axis, self.other_R[row_P] * (len(distinct) + 1) + np.searchsorted(distinct, time_P))

    @cached_property
    def items(self) -> IndexArray:
        """Item codes of the rows of known time."""
        return self._book.codes(ITEM)[self._rows_and_axis[0]].astype(np.int64)


@dataclass(frozen=True)
class Circle:
    """Counts over the circle."""

    relations: Relations
    windows: tuple[Window, ...]
    has_items: bool

    needs: ClassVar[str] = "lines of users (by user) and relations (relations=..., --relations FILE)"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("circle_size", "users", UNKNOWN, "Users to whom the user is related at the moment."),
        Feature("circle_count_{window}", "events", UNKNOWN, "Their events in the window (time windows only)."),
        Feature("circle_distinct_items_{window}", "items", UNKNOWN, "Different items of those events."),
        Feature(
            "circle_active_share_{window}",
            "share",
            f"empty circle; {UNKNOWN}",
            "Share of them with an event there.",
        ),
    )

    @classmethod
    def of(cls, wishes: Wishes) -> Circle | None:
        """For users of logs with times, where relations are given."""
        book = wishes.book
        if book.by != USER or book.has_times == "none" or wishes.relations is None:
            return None
        timed = tuple(window for window in wishes.windows if window.micros is not None)
        return cls(Relations(wishes.relations, book, wishes.timezone), timed, book.events.has_items)

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        parts = list(self._parts(at))
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if at.clear_B is not None:
            for column in columns.values():
                column[~at.clear_B] = np.nan
        return dict(columns)

    def _parts(self, at: Moments) -> Iterator[dict[str, Float32Array]]:
        for part in _cut(self.relations.number_of(at)):
            moment_P, row_P = self.relations.pairs(at, part)
            time_B, size = at.time_B[part], part.stop - part.start
            size_B = np.bincount(moment_P, minlength=size).astype(np.float32)
            columns = {"circle_size": size_B}
            there_P = self.relations.other_R[row_P] >= 0
            moment_P, row_P = moment_P[there_P], row_P[there_P]
            end_P = self.relations.events_before(row_P, time_B[moment_P])
            for window in self.windows:
                assert window.micros is not None
                start_P = self.relations.events_before(row_P, time_B[moment_P] - window.micros)
                number_P = end_P - start_P
                columns[f"circle_count_{window.name}"] = np.bincount(moment_P, number_P, size).astype(np.float32)
                if self.has_items:
                    distinct_B = self._distinct(moment_P, start_P, number_P, size)
                    columns[f"circle_distinct_items_{window.name}"] = distinct_B
                active_B = np.bincount(moment_P[number_P > 0], minlength=size)
                with np.errstate(invalid="ignore"):
                    columns[f"circle_active_share_{window.name}"] = (active_B / size_B).astype(np.float32)
            yield columns

    def _distinct(self, moment_P: IndexArray, start_P: IndexArray, number_P: IndexArray, size: int) -> Float32Array:
        items, out_B = self.relations.items, np.zeros(size, np.int64)
        reach = int(items.max(initial=0)) + 1
        weight_B = np.bincount(moment_P, number_P, size).astype(np.int64)
        for part in _cut(weight_B):
            pair = slice(*np.searchsorted(moment_P, [part.start, part.stop]))
            number = number_P[pair]
            event = np.arange(number.sum()) + np.repeat(start_P[pair] - (np.cumsum(number) - number), number)
            seen = np.unique(np.repeat(moment_P[pair], number) * reach + items[event])
            out_B += np.bincount(seen // reach, minlength=size)
        return out_B.astype(np.float32)


def _cut(weight_B: IndexArray) -> Iterator[slice]:
    """Stretches of moments of about `PAIRS` in weight; at least one, even if it is empty."""
    total_B1 = np.concatenate([[0], np.cumsum(weight_B)])
    first = 0
    while True:
        end = max(int(np.searchsorted(total_B1, total_B1[first] + PAIRS, side="right")) - 1, first + 1)
        yield slice(first, min(end, len(weight_B)))
        first = end
        if first >= len(weight_B):
            return
