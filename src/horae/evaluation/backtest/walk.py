"""Every model of a backtest through every window from its own on; values are kept, models are not.

In: folds, and how to fit. Out: each fold's result, the pooled metrics, and what lead times and decay are made of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from horae.data.split import Split
from horae.errors import DataError
from horae.evaluation.audit import Audit, audit
from horae.evaluation.backtest.decay import Pair
from horae.evaluation.backtest.folds import Fold
from horae.evaluation.backtest.lead import (
    DAY_SECONDS,
    LONGEST,
    LeadTables,
    Once,
    Steps,
    gaps_of,
    once_of,
    once_rows,
    step_rows,
    values_at,
)
from horae.evaluation.backtest.pooling import Crowd, Pool
from horae.evaluation.backtest.results import FoldResult, Intervals
from horae.evaluation.backtest.settings import BacktestSettings
from horae.evaluation.cut import EPOCH, Cut, asked_times, requests_within
from horae.evaluation.judge import answers, main_k
from horae.evaluation.metrics.ranks import FloatArray, IndexArray
from horae.evaluation.opponents import LIVE
from horae.recommend.recommender import Recommender

__all__ = ["WINDOWED", "FitOpponents", "Walk"]

WINDOWED: Final = "recent_popularity"
JUDGED: Final = ("ndcg", "recall", "hit_rate", "mrr")
LEAD: Final = ("ndcg", "recall", "hit_rate")

FitOpponents = Callable[[Recommender, Split], Mapping[str, Recommender | str]]


class Walk:
    """Every model through every window from its own on; keeps values, not models."""

    def __init__(self, folds: Sequence[Fold], settings: BacktestSettings, opponents: FitOpponents, seed: int) -> None:
        ks = settings.ks
        self.folds, self.settings, self.opponents, self.seed = folds, settings, opponents, seed
        self.names = [f"{name}@{k}" for k in ks for name in JUDGED]
        self.lead_names = [f"{name}@{main_k(ks)}" for name in LEAD]
        self._lead_columns = [self.names.index(name) for name in self.lead_names]
        self.crowd = Crowd(folds[0].split, [fold.cut for fold in folds], settings.bootstrap, seed)
        self.asked_once = [self._once_cut(fold) for fold in folds]
        self.results: list[FoldResult] = []
        self.once: list[Once] = []
        self._value: dict[tuple[int, int], FloatArray] = {}
        self._beside: dict[int, dict[str, FloatArray]] = {}

    def go(self, fold: Fold, fit: Callable[[Split], Recommender], say: Callable[[str], None]) -> None:
        """Fit one fold's model, judge it in its window beside its opponents, and walk on with it alone."""
        place, at = len(self.results), f"[{len(self.results) + 1}/{len(self.folds)}]"
        learned = len(fold.split.train)
        say(f"{at} Until {fold.boundary:%Y-%m-%d %H:%M}: learning from {learned:,} events ...")
        started = time.perf_counter()
        recommender = fit(fold.past)
        seconds = time.perf_counter() - started
        own = recommender.with_events(fold.split.events)
        beside = self.opponents(own, fold.split)
        others = {name: self._over(one, fold) for name, one in beside.items() if not isinstance(one, str)}
        self._value[place, place] = self._judge(own, place)
        for later in range(place + 1, len(self.folds)):
            self._value[place, later] = self._judge(own, later)[:, self._lead_columns]
        self._beside[place] = {name: self._judge(one, place) for name, one in others.items()}
        if (cut := self.asked_once[place]) is not None:
            windowed = {WINDOWED: others[WINDOWED]} if WINDOWED in others else {}
            self.once.append(once_of(fold, cut, {"": own} | windowed))
        verdict = audit(recommender, fold.split, fold.cut, seed=self.seed)
        self.results.append(self._result(fold, place, learned, seconds, beside, verdict))
        say(f"{at} Fitted in {seconds:,.1f} s; {self._told(self.results[-1])}")

    @property
    def everywhere(self) -> list[str]:
        """Opponents that every fold has."""
        return [name for name in self._beside[0] if all(name in beside for beside in self._beside.values())]

    @property
    def pairs(self) -> list[Pair]:
        """Older models beside fresh ones."""
        main = self._lead_columns[0]
        pairs = []
        for (model, window), value_BM in self._value.items():
            if model == window:
                continue
            beside = {name: self._beside[window][name][:, main] for name in self.everywhere}
            age = self.folds[window].number - self.folds[model].number
            user_B = self.crowd.users_of(self.folds[window].cut)
            pairs.append(Pair(age, user_B, value_BM[:, 0], self._value[window, window][:, main], beside))
        return pairs

    def pooled(self, opponent: str, *, against: bool = False) -> Intervals:
        """Of the model (under `""`) or an opponent over all folds; or the model minus the opponent."""
        pool = Pool(self.crowd, self.names)
        for place, fold in enumerate(self.folds):
            value = self._beside[place][opponent] if opponent else self._value[place, place]
            pool.add(self.crowd.users_of(fold.cut), self._value[place, place] - value if against else value)
        return pool.intervals()

    def lead_tables(self) -> LeadTables:
        """Accuracy by lead time; steps can be told apart where requests are asked step by step only."""
        once = once_rows(self.crowd, self.once, self.lead_names) if self.once else iter(())
        since, gaps = ([], []) if self.settings.targets.startswith("next-") else (self._since(), self._gaps())
        return LeadTables(
            tuple(once),
            tuple(step_rows(self.crowd, since, self.lead_names)),
            tuple(step_rows(self.crowd, gaps, self.lead_names, gaps=True)),
        )

    def _since(self) -> list[Steps]:
        """All models in all windows, by the time since their own boundary."""
        steps = []
        for model, window in self._value:
            since = (self.folds[model].boundary - EPOCH).total_seconds()
            lead_B = (asked_times(self.folds[window].split, self.folds[window].cut) - since) / DAY_SECONDS
            steps.append(self._steps(model, window, lead_B))
        return steps

    def _gaps(self) -> list[Steps]:
        """Fresh models in their own windows, by the time since the user's last known event."""
        own = [(place, gaps_of(fold)) for place, fold in enumerate(self.folds)]
        return [self._steps(place, place, gap_B) for place, gap_B in own]

    def _steps(self, model: int, window: int, lead_B: FloatArray) -> Steps:
        value_BM = self._value[model, window]
        value_BM = value_BM[:, self._lead_columns] if model == window else value_BM
        windowed = [name for name in self.everywhere if name in (WINDOWED, LIVE)]
        beside = {name: self._beside[window][name][:, self._lead_columns] for name in windowed}
        return Steps(model, self.folds[window].cut, lead_B, value_BM, beside)

    def _judge(self, recommender: Recommender, window: int) -> FloatArray:
        cut = self.folds[window].cut
        ranks, _, _ = answers(recommender, cut, cut.targets(recommender.items), depth=1)
        return values_at(ranks, self.names)

    def _once_cut(self, fold: Fold) -> Cut | None:
        """Everybody of the crowd at the boundary, as far as they have a past and a future."""
        try:
            cut = requests_within(fold.split, fold.boundary, LONGEST)
        except DataError:  # windows longer than that may hold nothing so soon
            return None
        warm = np.flatnonzero(~cut.cold_B & self.crowd.holds(cut))
        return cut.subset(warm) if len(warm) else None

    def _over(self, recommender: Recommender, fold: Fold) -> Recommender:
        own = recommender.events is fold.split.events
        return recommender if own else recommender.with_events(fold.split.events)

    def _result(
        self,
        fold: Fold,
        place: int,
        learned: int,
        seconds: float,
        beside: Mapping[str, Recommender | str],
        verdict: Audit,
    ) -> FoldResult:
        user_B, own = self.crowd.users_of(fold.cut), self._value[place, place]
        pool = Pool(self.crowd, self.names).add(user_B, own)
        values = self._beside[place]
        return FoldResult(
            fold=fold,
            train_events=learned,
            fit_seconds=seconds,
            users=pool.users,
            metrics=pool.intervals(),
            opponents={name: self._intervals(user_B, values[name]) if name in values else None for name in beside},
            reasons={name: one for name, one in beside.items() if isinstance(one, str)},
            against={name: self._intervals(user_B, own - value) for name, value in values.items()},
            leak_audit=verdict,
        )

    def _intervals(self, user_B: IndexArray, value_BM: FloatArray) -> Intervals:
        return Pool(self.crowd, self.names).add(user_B, value_BM).intervals()

    def _told(self, result: FoldResult) -> str:
        metric = self.lead_names[0]
        mean = result.metrics[metric].mean
        value = "-" if mean is None else f"{mean:.4f}"
        windowed = result.opponents.get(WINDOWED)
        theirs = None if windowed is None else windowed[metric].mean
        beside = "" if theirs is None else f", windowed popularity {theirs:.4f}"
        return f"{result.users:,} users: {metric} {value}{beside}"
