"""What may be chosen about a backtest; impossible choices are refused before the log is looked at.

In: plain values. Out: `BacktestSettings`. Knows no log and no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from horae.data.boundaries import duration_of
from horae.errors import DataError
from horae.evaluation.cut import TargetsKind, horizon_of

__all__ = ["DAY", "BacktestSettings", "Training", "unit_of"]

DAY: Final = timedelta(days=1)
UNITS: Final = {"week": 7 * DAY, "day": DAY, "hour": DAY / 24, "minute": DAY / 1440, "second": DAY / 86_400}

Training = Literal["expanding", "sliding"]


@dataclass(frozen=True)
class BacktestSettings:
    """What is asked of a backtest, and how it is judged.

    Attributes:
        folds: Test windows; the last ends with the log.
        window: Length of each: a length of time (`7d`), or a share of the events (`0.05`).
        training: `expanding` or `sliding`.
        train_days: Length of the sliding training window, validation included; None for `expanding`.
        targets: What each window asks: `successive`, `last` or `next-7d`, as in `horae.evaluate`.
        tolerated: The share of NDCG that may be lost before a model counts as stale.
        ks: List lengths.
        max_users: Judge a sample of so many users in each window; None: everybody.
        bootstrap: Resamples for the intervals; 0 for none.
    """

    folds: int = 4
    window: str | float = "7d"
    training: Training = "expanding"
    train_days: float | None = None
    targets: TargetsKind = "successive"
    tolerated: float = 0.05
    ks: tuple[int, ...] = (10,)
    max_users: int | None = None
    bootstrap: int = 1000

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
        if not 0 < self.tolerated < 1:
            raise DataError(
                f"tolerated = {self.tolerated:g}: expected a share between 0 and 1.", hint="0.05 is a twentieth."
            )
        if not self.ks or min(self.ks) < 1:
            raise DataError(f"ks = {self.ks}: expected list lengths of at least 1.", hint="For example ks=(10,).")
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
        """Windows, training and targets as plain JSON types.

        `window_days` is null where the window is a share, which is `1` of the unit `window`.
        """
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


def unit_of(length: timedelta | None) -> tuple[float, str]:
    """A window's length for people: `(2, "week")`; `(1, "window")` where it is a share of the events."""
    if length is None:
        return 1, "window"
    for name, size in UNITS.items():
        if length % size == timedelta(0):
            return length // size, name
    return length / DAY, "day"
