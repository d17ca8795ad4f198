"""A log and a way to fit in, what the model is worth over time out (public as `horae.backtest`).

    folds -> fit on each fold's past -> each model walks all windows from its own on -> pooled, by lead time, by age

`fit` is handed the past only, so it cannot look ahead; the leak audit runs in every fold. Windowed popularity stands
beside each fold, frozen at the boundary and live. This module knows no recipe and no training.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from horae.data.split import Split
from horae.evaluation.backtest.decay import decay_of
from horae.evaluation.backtest.folds import folds_of
from horae.evaluation.backtest.results import Backtest
from horae.evaluation.backtest.settings import BacktestSettings
from horae.evaluation.backtest.walk import WINDOWED, FitOpponents, Walk
from horae.evaluation.judge import main_k
from horae.evaluation.opponents import LIVE, opponents_of
from horae.recommend.recommender import Recommender
from horae.schema import Events

__all__ = ["Backtest", "backtest"]

ENOUGH_USERS: Final = 300


def backtest(
    events: Events,
    fit: Callable[[Split], Recommender],
    settings: BacktestSettings | None = None,
    *,
    opponents: FitOpponents | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Backtest:
    """Fit and judge in window after window: how good, for how far ahead, and how soon is it stale?

    Args:
        events: With known times.
        fit: Makes a recommender of a fold's past: a split with a train and a validation part, and without anything
            after the boundary. `lambda past: horae.train(past, "sasrec")` does.
        settings: How many windows, how long, what is learned from, how they are judged; None: four of seven days.
        opponents: Fits a fold's opponents; None: windowed popularity, frozen and live.
        seed: Of every sample.
        progress: Told a sentence when a fold begins, and when it ends.

    Raises:
        DataError: Impossible settings, no times or items, too short a log for so many windows, or nobody to judge in
            any of them.

    Source: Tashman 2000, Out-of-sample tests of forecasting accuracy, section 3 (rolling origin, recalibrated).
    Differs: Origins are one test window apart, and each model also answers the later windows, as it was.

    Example:
        ```python
        settings = horae.BacktestSettings(folds=3, window="14d")
        tested = horae.backtest(events, lambda past: horae.train(past, "markov"), settings)
        print(tested.answer)
        ```
    """
    started = time.perf_counter()
    settings = settings or BacktestSettings()
    judged = folds_of(events, settings, seed)
    walk = Walk(judged, settings, opponents or _windowed, seed)
    for fold in judged:
        walk.go(fold, fit, progress or _silent)
    metric = f"ndcg@{main_k(settings.ks)}"
    return Backtest(
        settings=settings,
        folds=tuple(walk.results),
        users=len(walk.crowd),
        metrics=walk.pooled(""),
        opponents={name: walk.pooled(name) for name in walk.everywhere},
        against={name: walk.pooled(name, against=True) for name in walk.everywhere},
        lead_time=walk.lead_tables(),
        decay=decay_of(walk.crowd, walk.pairs, metric, settings.tolerated),
        notes=tuple(_notes(settings, walk)),
        seed=seed,
        samples=walk.crowd.resamples.samples,
        seconds=time.perf_counter() - started,
    )


def _windowed(recommender: Recommender, split: Split) -> Mapping[str, Recommender | str]:
    return opponents_of(recommender, split, (WINDOWED, LIVE))


def _silent(sentence: str) -> None:
    """Nobody listens."""


def _notes(settings: BacktestSettings, walk: Walk) -> Iterator[str]:
    fewest = min(result.users for result in walk.results)
    if fewest < ENOUGH_USERS:
        yield f"Only {fewest:,} users could be judged in some window: read the intervals, not the means."
    if len(walk.folds) < settings.folds:
        missing = settings.folds - len(walk.folds)
        yield f"{missing} of {settings.folds} windows hold nobody who could be judged; they are left out."
    if settings.train_days is not None:
        first = walk.folds[0].past.events.frame["timestamp"].min()
        if first is not None and walk.folds[-1].train_from == first:
            days = f"{settings.train_days:g} days"
            yield f"The log is shorter than {days} before every boundary: sliding is expanding here."
    if settings.max_users is not None:
        yield f"A sample of at most {settings.max_users:,} users was judged in each window."
    if any(name for result in walk.results for name in result.reasons):
        yield "Some opponent is missing in some window; see reasons."
    yield "Intervals are over users, drawn whole over all windows; the luck of a training or a week is not in them."
