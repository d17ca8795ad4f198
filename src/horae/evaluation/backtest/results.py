"""What a backtest found, and its document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.evaluation.audit import Audit
from horae.evaluation.backtest.answer import how_often
from horae.evaluation.backtest.decay import Decay
from horae.evaluation.backtest.folds import Fold
from horae.evaluation.backtest.lead import LeadTables
from horae.evaluation.backtest.settings import BacktestSettings
from horae.evaluation.backtest.table import backtest_text
from horae.evaluation.intervals import Interval

__all__ = ["Backtest", "FoldResult", "Intervals", "Spread"]

Intervals = Mapping[str, Interval]


@dataclass(frozen=True)
class Spread:
    """A metric over the folds: its mean, its standard deviation from fold to fold (None for one fold), its ends."""

    mean: float
    deviation: float | None
    worst: float
    best: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one value per fold."""
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(float(np.mean(values)), deviation, min(values), max(values))


@dataclass(frozen=True, eq=False)
class FoldResult:
    """One model in its own window.

    Attributes:
        fold: Its boundary, its past and its requests.
        train_events: Events that it was made of.
        fit_seconds: How long that took.
        users: Users judged.
        metrics: With intervals.
        opponents: The same for each opponent; None where there is none.
        reasons: Why an opponent is None.
        against: The model minus each opponent, paired.
        leak_audit: Does the future reach an answer?
    """

    fold: Fold
    train_events: int
    fit_seconds: float
    users: int
    metrics: Intervals
    opponents: Mapping[str, Intervals | None]
    reasons: Mapping[str, str]
    against: Mapping[str, Intervals]
    leak_audit: Audit

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "fold": self.fold.number + 1,
            "boundary": self.fold.boundary.isoformat(),
            "until": self.fold.until.isoformat(),
            "train_from": self.fold.train_from.isoformat(),
            "train_events": self.train_events,
            "users": self.users,
            "requests": len(self.fold.cut),
            "cold_requests": self.fold.cold,
            "fit_seconds": round(self.fit_seconds, 3),
            "metrics": _plain(self.metrics),
            "opponents": {name: None if one is None else _plain(one) for name, one in self.opponents.items()},
            "reasons": dict(self.reasons),
            "against": {name: _plain(one, "difference") for name, one in self.against.items()},
            "leak_audit": self.leak_audit.as_dict(),
        }


@dataclass(frozen=True, eq=False)
class Backtest:
    """What a model is worth over time.

    Attributes:
        settings: What was asked.
        folds: Each model in its own window, the oldest first.
        users: Different users over all folds.
        metrics: Pooled over folds.
        opponents: The same, for each opponent that every fold has.
        against: The model minus each of these, paired, pooled.
        lead_time: Accuracy by lead time.
        decay: What models lose that are not fitted again.
        notes: What the reader must know, in plain sentences.
        seed: Of all samples.
        samples: Resamples behind the intervals.
        seconds: In all, fitting included.
    """

    settings: BacktestSettings
    folds: tuple[FoldResult, ...]
    users: int
    metrics: Intervals
    opponents: Mapping[str, Intervals]
    against: Mapping[str, Intervals]
    lead_time: LeadTables
    decay: Decay
    notes: tuple[str, ...]
    seed: int
    samples: int
    seconds: float

    @property
    def passed(self) -> bool:
        """No fold's leak audit found anything."""
        return all(fold.leak_audit.passed for fold in self.folds)

    @property
    def answer(self) -> str:
        """How often must the model be fitted again? In words."""
        return how_often(self.decay.as_dict(), self.settings.as_dict())

    def spreads(self) -> dict[str, Spread]:
        """How each metric moves over the folds in which it has a value."""
        spreads = {}
        for name in self.metrics:
            known = [mean for fold in self.folds if (mean := fold.metrics[name].mean) is not None]
            if known:
                spreads[name] = Spread.of(known)
        return spreads

    def as_dict(self) -> dict[str, Any]:
        """The document of `horae evaluate RUN --backtest --json`: plain JSON types, stable keys."""
        return {
            "backtest": self.settings.as_dict(),
            "answer": self.answer,
            "folds": [fold.as_dict() for fold in self.folds],
            "pooled": {
                "users": self.users,
                "metrics": _plain(self.metrics),
                "opponents": {name: _plain(one) for name, one in self.opponents.items()},
                "against": {name: _plain(one, "difference") for name, one in self.against.items()},
                "spread": {name: vars(spread) for name, spread in self.spreads().items()},
            },
            "lead_time": self.lead_time.as_dict(),
            "decay": self.decay.as_dict(),
            "passed": self.passed,
            "notes": list(self.notes),
            "seed": self.seed,
            "bootstrap": self.samples,
            "seconds": round(self.seconds, 3),
        }

    def __str__(self) -> str:
        return backtest_text(self.as_dict())


def _plain(intervals: Intervals, name: str = "mean") -> dict[str, Any]:
    return {metric: interval.as_dict(name) for metric, interval in intervals.items()}
