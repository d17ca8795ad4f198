"""A log and a way to fit in, one evaluation per time window out: does the quality hold, and how much does it move?

Each fold trains on what lies before its window and is judged on the window; `fit` is handed the past only, so it
cannot look ahead. This module knows no recipe and no training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from horae.data.split import Split, split_rolling
from horae.evaluation.cut import TargetsKind
from horae.evaluation.protocol import Evaluation, evaluate
from horae.recommend.recommender import Recommender
from horae.schema import Events

__all__ = ["Backtest", "Spread", "backtest"]

FitOpponents = Callable[[Recommender, Split], Mapping[str, Recommender | str]]


@dataclass(frozen=True)
class Spread:
    """A metric over the folds: its mean, its standard deviation from fold to fold (None for one fold), its ends."""

    mean: float
    deviation: float | None
    worst: float
    best: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Of one value per fold."""
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(float(np.mean(values)), deviation, min(values), max(values))


@dataclass(frozen=True, eq=False)
class Backtest:
    """Evaluations of rolling windows, the oldest first."""

    folds: tuple[Evaluation, ...]

    def spreads(self) -> dict[str, Spread]:
        """How each metric moves over the folds in which it has a value."""
        spreads = {}
        for name in self.folds[0].metrics:
            means = [fold.metrics[name].mean for fold in self.folds]
            known = [mean for mean in means if mean is not None]
            if known:
                spreads[name] = Spread.of(known)
        return spreads

    @property
    def passed(self) -> bool:
        """No fold's leak audit found anything."""
        return all(fold.passed for fold in self.folds)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "folds": [fold.as_dict() for fold in self.folds],
            "metrics": {name: vars(spread) for name, spread in self.spreads().items()},
            "passed": self.passed,
        }

    def __str__(self) -> str:
        names = [name for name in self.folds[0].metrics if name.startswith(("ndcg@", "recall@"))]
        lines = [f"{len(self.folds)} windows, each trained on what lies before it"]
        for fold in self.folds:
            shown = "".join(f"  {name} {_text(fold.metrics[name].mean)}" for name in _main(names))
            lines.append(f"  from {fold.split['boundary']}: {fold.users:,} users{shown}")
        for name in _main(names):
            one = self.spreads()[name]
            deviation = "" if one.deviation is None else f" +- {one.deviation:.3f}"
            lines.append(f"  {name}: {one.mean:.3f}{deviation} over the windows ({one.worst:.3f} to {one.best:.3f})")
        return "\n".join(lines)


def backtest(
    events: Events,
    fit: Callable[[Events], Recommender],
    *,
    folds: int = 3,
    horizon: str | timedelta | float = 0.1,
    opponents: FitOpponents | None = None,
    ks: tuple[int, ...] = (1, 5, 10, 20),
    targets: TargetsKind | None = None,
    seed: int = 0,
) -> Backtest:
    """Train and judge on rolling time windows.

    Args:
        events: With known times.
        fit: Trains on the events of a fold's past, and on nothing else.
        folds: How many windows; the last ends with the log.
        horizon: Each window's length: `"7d"`, a timedelta, or a share of the events.
        opponents: Fits the opponents of a fold, such as `horae.evaluation.opponents.opponents_of`; None for none.
        ks: As in `evaluate`.
        targets: As in `evaluate`.
        seed: As in `evaluate`.

    Raises:
        DataError: No times, or too few events for so many windows.
    """
    judged = []
    for split in split_rolling(events, folds, horizon):
        recommender = fit(split.train)
        judged.append(evaluate(recommender, split, opponents=opponents or {}, ks=ks, targets=targets, seed=seed))
    return Backtest(tuple(judged))


def _main(names: list[str]) -> list[str]:
    at_ten = [name for name in names if name.endswith("@10")]
    return at_ten or names[-2:]


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
