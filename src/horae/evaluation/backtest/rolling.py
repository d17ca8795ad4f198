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
from horae.errors import DataError
from horae.evaluation.backtest.decay import decay_of
from horae.evaluation.backtest.folds import Plan, Training, folds_of
from horae.evaluation.backtest.results import Backtest
from horae.evaluation.backtest.walk import WINDOWED, FitOpponents, Walk
from horae.evaluation.cut import TargetsKind
from horae.evaluation.judge import main_k
from horae.evaluation.opponents import LIVE, opponents_of
from horae.recommend.recommender import Recommender
from horae.schema import Events

__all__ = ["Backtest", "backtest"]

ENOUGH_USERS: Final = 300


def backtest(
    events: Events,
    fit: Callable[[Split], Recommender],
    *,
    folds: int = 4,
    window: str | float = "7d",
    training: Training = "expanding",
    train_days: float | None = None,
    targets: TargetsKind | None = None,
    opponents: FitOpponents | None = None,
    tolerated: float = 0.05,
    ks: tuple[int, ...] = (10,),
    max_users: int | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Backtest:
    """Fit and judge in window after window: how good, for how far ahead, and how soon is it stale?

    Args:
        events: With known times.
        fit: Makes a recommender of a fold's past: a split with a train and a validation part, and without anything
            after the boundary. `lambda past: horae.train(past, "sasrec")` does.
        folds: How many windows; the last ends with the log.
        window: Each window's length: `"7d"`, or a share of the events.
        training: `expanding`: from all that is known. `sliding`: from the last `train_days` only.
        train_days: For `sliding`; the validation window, as long as a test window, is a part of it.
        targets: `successive` (the default), `last` or `next-7d`, as in `horae.evaluate`.
        opponents: Fits a fold's opponents; None: windowed popularity, frozen and live.
        tolerated: The share of NDCG that may be lost before a model counts as stale.
        ks: List lengths.
        max_users: Judge a sample of so many users in each window.
        bootstrap: Resamples for the intervals; 0 for none.
        seed: Of every sample.
        progress: Told a sentence when a fold begins, and when it ends.

    Raises:
        DataError: No times or items, too short a log for so many windows, or nobody to judge in any window.

    Source: Tashman 2000, Out-of-sample tests of forecasting accuracy, section 3 (rolling origin, recalibrated).
    Differs: Origins are one test window apart, and each model also answers the later windows, as it was.

    Example:
        ```python
        tested = horae.backtest(events, lambda past: horae.train(past, "markov"), folds=3, window="14d")
        print(tested.answer)
        ```
    """
    if not 0 < tolerated < 1:
        raise DataError(f"tolerated = {tolerated:g}: expected a share between 0 and 1.", hint="0.05 is a twentieth.")
    if not ks or min(ks) < 1:
        raise DataError(f"ks = {ks}: expected list lengths of at least 1.", hint="For example ks=(10,).")
    started = time.perf_counter()
    plan = Plan(folds, window, training, train_days, targets or "successive")
    judged = folds_of(events, plan, max_users=max_users, seed=seed)
    walk = Walk(judged, plan, ks, opponents or _windowed, bootstrap, seed)
    for fold in judged:
        walk.go(fold, fit, progress or _silent)
    metric = f"ndcg@{main_k(ks)}"
    return Backtest(
        plan=plan,
        folds=tuple(walk.results),
        users=len(walk.crowd),
        metrics=walk.pooled(""),
        opponents={name: walk.pooled(name) for name in walk.everywhere},
        against={name: walk.pooled(name, against=True) for name in walk.everywhere},
        lead_time=walk.lead_tables(),
        decay=decay_of(walk.crowd, walk.pairs, metric, tolerated),
        notes=tuple(_notes(plan, walk, max_users)),
        seed=seed,
        samples=walk.crowd.resamples.samples,
        seconds=time.perf_counter() - started,
    )


def _windowed(recommender: Recommender, split: Split) -> Mapping[str, Recommender | str]:
    return opponents_of(recommender, split, (WINDOWED, LIVE))


def _silent(sentence: str) -> None:
    """Nobody listens."""


def _notes(plan: Plan, walk: Walk, max_users: int | None) -> Iterator[str]:
    fewest = min(result.users for result in walk.results)
    if fewest < ENOUGH_USERS:
        yield f"Only {fewest:,} users could be judged in some window: read the intervals, not the means."
    if len(walk.folds) < plan.folds:
        missing = plan.folds - len(walk.folds)
        yield f"{missing} of {plan.folds} windows hold nobody who could be judged; they are left out."
    if plan.train_days is not None:
        first = walk.folds[0].past.events.frame["timestamp"].min()
        if first is not None and walk.folds[-1].train_from == first:
            yield f"The log is shorter than {plan.train_days:g} days before every boundary: sliding is expanding here."
    if max_users is not None:
        yield f"A sample of at most {max_users:,} users was judged in each window."
    if any(name for result in walk.results for name in result.reasons):
        yield "Some opponent is missing in some window; see reasons."
    yield "Intervals are over users, drawn whole over all windows; the luck of a training or a week is not in them."
