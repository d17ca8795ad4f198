"""A log in, the folds of a backtest out: what each may learn from, and what it will be asked.

Nothing after a fold's boundary is in what its `past` holds. This module knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from horae.data.boundaries import parts_by_time
from horae.data.split import Split, split_rolling
from horae.errors import DataError
from horae.evaluation.backtest.settings import BacktestSettings
from horae.evaluation.cut import EPOCH, Cut, requests_of
from horae.schema import TIMESTAMP, Events

__all__ = ["Fold", "folds_of"]

MICROSECOND: Final = timedelta(microseconds=1)


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


def folds_of(events: Events, settings: BacktestSettings, seed: int = 0) -> list[Fold]:
    """Cut a log into folds, the oldest first. Windows in which nobody can be judged are left out.

    Raises:
        DataError: No times or no items, too short a log, or nobody to judge in any window.
    """
    settings.check()
    if events.times == "none":
        raise DataError(
            "A backtest needs to know when events were; this log has no times.",
            hint="Name the time column when training (--columns timestamp=NAME); an order alone allows only "
            "--split leave-one-out.",
        )
    length = None if settings.train_days is None else timedelta(days=settings.train_days)
    horizon = settings.window if settings.length is None else settings.length
    splits = split_rolling(
        events,
        settings.folds,
        float(horizon) if isinstance(horizon, str) else horizon,
        training=settings.training,
        training_length=length,
        empty="skip",
    )
    numbers = _numbers(splits, settings)
    folds = [_fold(split, settings, number, seed) for split, number in zip(splits, numbers, strict=True)]
    judged = [fold for fold in folds if len(fold.cut)]
    if not judged:
        raise DataError(
            "Nobody in any of the windows has an event before: there is nobody to judge.",
            hint="Give longer windows; users who come once only cannot be judged.",
        )
    return judged


def _numbers(splits: list[Split], settings: BacktestSettings) -> list[int]:
    """Where each split's window stands among those that were asked for, by its time where some were left out."""
    if settings.length is None or len(splits) == settings.folds:
        return list(range(settings.folds - len(splits), settings.folds))
    last = splits[0].events.frame[TIMESTAMP].max()
    assert isinstance(last, datetime)
    back = [round((last - datetime.fromisoformat(split.boundary)) / settings.length) for split in splits]
    return [settings.folds - windows for windows in back]


def _fold(split: Split, settings: BacktestSettings, number: int, seed: int) -> Fold:
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
    cut = requests_of(split, settings.targets, max_users=settings.max_users, seed=seed)
    warm = np.flatnonzero(~cut.cold_B)
    return Fold(number, split, past, boundary, until, cut.subset(warm), len(cut) - len(warm))
