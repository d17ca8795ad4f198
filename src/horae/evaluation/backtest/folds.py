"""A log in, the folds of a backtest out: what each may learn from, and what it will be asked.

Nothing after a fold's boundary is in what its `past` holds. This module knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from horae.data.boundaries import duration_of, parts_by_time
from horae.data.split import Split, split_rolling
from horae.errors import DataError
from horae.evaluation.cut import EPOCH, Cut, TargetsKind, horizon_of, requests_of
from horae.schema import TIMESTAMP, Events

__all__ = ["Fold", "Plan", "folds_of", "unit_of"]

MICROSECOND: Final = timedelta(microseconds=1)
DAY: Final = timedelta(days=1)
UNITS: Final = {"week": 7 * DAY, "day": DAY, "hour": DAY / 24, "minute": DAY / 1440, "second": DAY / 86_400}

Training = Literal["expanding", "sliding"]


@dataclass(frozen=True)
class Plan:
    """What is asked of a backtest.

    Attributes:
        folds: Test windows; the last ends with the log.
        window: Length of each: a length of time (`7d`), or a share of the events (`0.05`).
        training: `expanding` or `sliding`.
        train_days: Length of the sliding training window, validation included; None for `expanding`.
        targets: What each window asks: `successive`, `last` or `next-7d`.
    """

    folds: int = 4
    window: str | float = "7d"
    training: Training = "expanding"
    train_days: float | None = None
    targets: TargetsKind = "successive"

    @property
    def length(self) -> timedelta | None:
        """The window's length; None where it is a share of the events.

        Raises:
            DataError: Neither a length nor a share.
        """
        try:
            share = float(self.window)
        except ValueError:
            return duration_of(str(self.window), "window")
        if not 0 < share < 1:
            raise DataError(
                f"window = {self.window}: expected a length of time, such as 7d, or a share of the events below 1.",
                hint="Give a unit: 7d for days, 12h for hours, 2w for weeks.",
            )
        return None

    def check(self) -> None:
        """Refuse before the log is looked at.

        Raises:
            DataError: Settings that are impossible, or that have no effect beside each other.
        """
        length, horizon = self.length, horizon_of(self.targets)
        if self.folds < 1:
            raise DataError(f"folds = {self.folds}: expected 1 or more.", hint="Such as --folds 4.")
        if self.training == "sliding" and self.train_days is None:
            raise DataError("A sliding training window needs its length.", hint="Such as --train-days 90.")
        if self.training != "sliding" and self.train_days is not None:
            raise DataError(
                "train_days has no effect with an expanding training window.", hint="Add --training sliding."
            )
        if horizon is not None and (length is None or horizon > length):
            raise DataError(
                f"targets = {self.targets!r} looks beyond the window ({self.window}), where the next fold begins.",
                hint=f"Give windows of that length: --window {self.targets.removeprefix('next-')}",
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; `window_days` is null where the window is a share, which is `1` of the unit `window`."""
        length = self.length
        number, unit = unit_of(length)
        return {
            "folds": self.folds,
            "window": str(self.window),
            "window_days": None if length is None else length / DAY,
            "window_units": number,
            "unit": unit,
            "training": self.training,
            "train_days": self.train_days,
            "targets": self.targets,
        }


@dataclass(frozen=True, eq=False)
class Fold:
    """One origin.

    Attributes:
        number: From 0; numbers of windows that nobody was asked in are left out.
        split: The whole log, with the parts as this fold has them.
        past: What the model may be made of: everything before the boundary, and nothing else.
        boundary: Where its window begins.
        until: The last event of the window.
        cut: Its requests; those of users without a history are left out.
        cold: How many these are.
    """

    number: int
    split: Split
    past: Split
    boundary: datetime
    until: datetime
    cut: Cut
    cold: int

    @property
    def train_from(self) -> datetime:
        """The first event learned from."""
        first = self.split.train.frame[TIMESTAMP].min()
        assert isinstance(first, datetime)
        return first


def folds_of(events: Events, plan: Plan, *, max_users: int | None = None, seed: int = 0) -> list[Fold]:
    """Cut a log into folds, the oldest first. Windows in which nobody can be judged are left out.

    Raises:
        DataError: No times or no items, too short a log, or nobody to judge in any window.
    """
    plan.check()
    if events.times == "none":
        raise DataError(
            "A backtest needs to know when events were; this log has no times.",
            hint="Name the time column when training (--columns timestamp=NAME); an order alone allows only "
            "--split leave-one-out.",
        )
    length = None if plan.train_days is None else timedelta(days=plan.train_days)
    horizon = plan.window if plan.length is None else plan.length
    splits = split_rolling(
        events,
        plan.folds,
        float(horizon) if isinstance(horizon, str) else horizon,
        training=plan.training,
        training_length=length,
        empty="skip",
    )
    numbers = _numbers(splits, plan)
    folds = [_fold(split, plan, number, max_users, seed) for split, number in zip(splits, numbers, strict=True)]
    judged = [fold for fold in folds if len(fold.cut)]
    if not judged:
        raise DataError(
            "Nobody in any of the windows has an event before: there is nobody to judge.",
            hint="Give longer windows; users who come once only cannot be judged.",
        )
    return judged


def unit_of(length: timedelta | None) -> tuple[float, str]:
    """A window's length for people: `(2, "week")`; `(1, "window")` where it is a share of the events."""
    if length is None:
        return 1, "window"
    for name, size in UNITS.items():
        if length % size == timedelta(0):
            return length // size, name
    return length / DAY, "day"


def _numbers(splits: list[Split], plan: Plan) -> list[int]:
    """Where each split's window stands among those that were asked for, by its time where some were left out."""
    if plan.length is None or len(splits) == plan.folds:
        return list(range(plan.folds - len(splits), plan.folds))
    last = splits[0].events.frame[TIMESTAMP].max()
    assert isinstance(last, datetime)
    back = [round((last - datetime.fromisoformat(split.boundary)) / plan.length) for split in splits]
    return [plan.folds - windows for windows in back]


def _fold(split: Split, plan: Plan, number: int, max_users: int | None, seed: int) -> Fold:
    boundary = datetime.fromisoformat(split.boundary)
    before = pl.Series(parts_by_time(split.events.frame, [(boundary - EPOCH) // MICROSECOND]) == 0)
    past = Split(
        events=split.events.filter(before),
        part=split.part.filter(before),
        kind=split.kind,
        boundary=split.boundary,
        validation_boundary=split.validation_boundary,
        ties=split.ties,
    )
    until = split.test.frame[TIMESTAMP].max()
    assert isinstance(until, datetime)
    cut = requests_of(split, plan.targets, max_users=max_users, seed=seed)
    warm = np.flatnonzero(~cut.cold_B)
    return Fold(number, split, past, boundary, until, cut.subset(warm), len(cut) - len(warm))
