"""The training part of a log in; what strategies take from it out: counts, first times, what goes with the hour.

Everything is frozen with the training part: a request inside it or after it sees the same tables, and nothing that
comes later moves them. Nothing is computed before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.errors import DataError
from horae.schema import ITEM, TIMESTAMP, USER, Events, IndexArray
from horae.sequences.clock import seconds
from horae.sequences.vocabulary import Vocabulary

__all__ = ["Learned", "hour_of", "weekday_of"]

FloatArray = npt.NDArray[np.float64]
PRIOR_EVENTS = 10.0
"""Events with a lift of 1 that every item is given: few events tell little."""


def hour_of(time: FloatArray) -> FloatArray:
    """Hour of the day of Unix seconds, UTC."""
    return np.floor(time / 3_600) % 24


def weekday_of(time: FloatArray) -> FloatArray:
    """Day of the week of Unix seconds, UTC; Monday is 0."""
    return (np.floor(time / 86_400) + 3) % 7


class Learned:
    """What a log's training part says of its items.

    Args:
        items: The item table.
        events: Gives the training part, once, when it is needed; None where the run holds no events.
    """

    def __init__(self, items: Vocabulary, events: Callable[[], Events] | None) -> None:
        self._items, self._read = items, events
        self._lifts: dict[tuple[str, object], FloatArray | None] = {}

    @property
    def has_events(self) -> bool:
        """Is there a training part to ask?"""
        return self._read is not None

    @cached_property
    def _frame(self) -> pl.DataFrame:
        if self._read is None:
            raise DataError(
                "This run holds no events, so nobody knows what is usual in its log.",
                hint="Use a run that was saved with its events; or strategy model, confidence.",
            )
        return self._read().frame

    @cached_property
    def item_N(self) -> IndexArray:
        """The item index of each event; 0 for strange items."""
        return self._items.indices(self._frame[ITEM])

    @cached_property
    def user_N(self) -> IndexArray:
        """The user of each event, numbered from 0."""
        return self._frame[USER].rle_id().to_numpy().astype(np.int64)

    @cached_property
    def count_I(self) -> FloatArray:
        """Events on each item."""
        count_I = np.bincount(self.item_N, minlength=len(self._items) + 1).astype(np.float64)
        count_I[0] = 0.0
        return count_I

    @cached_property
    def first_I(self) -> FloatArray:
        """Unix seconds of each item's first event; infinity where none is known."""
        first_I = np.full(len(self._items) + 1, np.inf)
        time_N = seconds(self._frame[TIMESTAMP])
        known = ~np.isnan(time_N)
        np.minimum.at(first_I, self.item_N[known], time_N[known])
        return first_I

    def grow(self, num: int) -> None:
        """Make room for `num` more items, of which the training part says nothing."""
        known = self.__dict__
        if "count_I" in known:
            known["count_I"] = np.append(known["count_I"], np.zeros(num))
        if "first_I" in known:
            known["first_I"] = np.append(known["first_I"], np.full(num, np.inf))
        self._lifts = {
            key: None if lift is None else np.append(lift, np.zeros(num)) for key, lift in self._lifts.items()
        }

    def has(self, name: str) -> bool:
        """Can requests be told apart by this?"""
        return name in ("hour", "weekday") or name in self._frame.columns

    def log_lift(self, name: str, value: object) -> FloatArray | None:
        """`log P(item | name = value) / P(item)`, smoothed, [I + 1]; None where the value never was.

        With n events of an item, m of them here, and q the share of all events that are here:
        `log (m + a) / (n q + a)`, a = 10.
        """
        key = (name, value)
        if key not in self._lifts:
            self._lifts[key] = self._log_lift(name, value)
        return self._lifts[key]

    def _log_lift(self, name: str, value: object) -> FloatArray | None:
        here_N = self._values(name) == value
        if not here_N.any():
            return None
        here_I = np.bincount(self.item_N[here_N], minlength=len(self.count_I)).astype(np.float64)
        expected_I = self.count_I * (here_N.sum() / len(here_N))
        lift_I: FloatArray = np.log((here_I + PRIOR_EVENTS) / (expected_I + PRIOR_EVENTS))
        lift_I[0] = 0.0
        return lift_I

    def _values(self, name: str) -> npt.NDArray[np.object_] | FloatArray:
        if name in ("hour", "weekday"):
            return (hour_of if name == "hour" else weekday_of)(seconds(self._frame[TIMESTAMP]))
        values: npt.NDArray[np.object_] = self._frame[name].cast(pl.String).to_numpy().astype(object)
        return values
