"""A recommender and a split in, an honest `Evaluation` out (public as `horae.evaluate`).

    requests cut from the test part -> the one path -> ranks -> per request -> per user -> means with intervals

Every user counts alike. Cold users stand apart; cold items are misses, counted; opponents answer the same requests and
are compared pair by pair; the leak audit runs each time. This module trains nothing but the opponents it is asked for.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from horae.data.boundaries import in_words
from horae.data.split import Split
from horae.errors import DataError
from horae.evaluation.audit import Audit, audit
from horae.evaluation.cold import Cold, cold_of
from horae.evaluation.cut import Cut, TargetsKind, horizon_of, requests_of
from horae.evaluation.feature_audit import Features
from horae.evaluation.forecasts.judge import judge_forecasts
from horae.evaluation.intervals import Interval, Resamples, user_means
from horae.evaluation.judge import Background, Judged, background_of, judge, main_k
from horae.evaluation.metrics.ranks import FloatArray
from horae.evaluation.opponents import opponents_of
from horae.evaluation.pointwise import Pointwise, pointwise
from horae.evaluation.slices import Slicing, slicings_of
from horae.evaluation.table import as_text
from horae.recommend.recommender import Recommender
from horae.recommend.rerank.reranker import Spent
from horae.sequences.vocabulary import Vocabulary

__all__ = ["Evaluation", "evaluate", "requests_of"]

ENOUGH_USERS = 300
TIES_WORTH_TELLING = 0.05
Intervals = dict[str, Interval]
Opponents = Mapping[str, Recommender | str]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a recommender is worth, on requests that it could not have seen.

    Attributes:
        run: The recipe's name.
        split: `kind`, `boundary`, `targets` (`successive`, `last` or `next-7d`) and `ties`.
        users: Users judged: those with at least one request that had a history.
        items: Items in the recommender's item table.
        requests: Requests judged; those of cold users are not among them.
        targets: Events that these requests ask for.
        cold: Cold users and cold items, apart.
        metrics: By name (`ndcg@10`): the mean over users with its 95% interval.
        opponents: The same for each opponent; None where there is none.
        reasons: Why an opponent is None.
        against: For each opponent, by name: this recommender minus the opponent, paired.
        slices: Where it is good and where it is not.
        pointwise: Scored pairs against random items.
        forecast: What it tells of the next event, judged; None where it tells items only.
        rerank: What a language model that orders the lists was asked, and what it cost; None where there is none.
        leak_audit: Does the future reach an answer?
        notes: What the reader must know to read the numbers, in plain sentences.
        seed: Of all samples.
        samples: Resamples behind the intervals.
        seconds: From the first request to here, without fitting opponents.
        opponent_seconds: Fitting the opponents.
        peak_memory_mb: The process's, so far.
        cold_protocol: New people and new items, by `horae.evaluate_cold`; None where it was not asked.
    """

    run: str
    split: dict[str, str]
    users: int
    items: int
    requests: int
    targets: int
    cold: Cold
    metrics: Intervals
    opponents: dict[str, Intervals | None]
    reasons: dict[str, str]
    against: dict[str, Intervals]
    slices: tuple[Slicing, ...]
    pointwise: Pointwise | None
    leak_audit: Audit
    notes: tuple[str, ...]
    seed: int
    samples: int
    seconds: float
    opponent_seconds: float
    peak_memory_mb: float
    forecast: dict[str, Any] | None = None
    cold_protocol: dict[str, Any] | None = None
    rerank: dict[str, Any] | None = None

    @property
    def passed(self) -> bool:
        """The leak audit found nothing."""
        return self.leak_audit.passed

    def as_dict(self) -> dict[str, Any]:
        """The document of `horae evaluate --json`: plain JSON types, stable keys."""
        return {
            "run": self.run,
            "split": self.split,
            "users": self.users,
            "items": self.items,
            "requests": self.requests,
            "targets": self.targets,
            "cold": self.cold.as_dict(),
            "metrics": _as_dict(self.metrics),
            "opponents": {name: None if one is None else _as_dict(one) for name, one in self.opponents.items()},
            "reasons": self.reasons,
            "against": {name: _as_dict(one, "difference") for name, one in self.against.items()},
            "slices": {slicing.by: slicing.as_dict() for slicing in self.slices},
            "pointwise": None if self.pointwise is None else self.pointwise.as_dict(),
            "forecast": self.forecast,
            "cold_protocol": self.cold_protocol,
            "rerank": self.rerank,
            "leak_audit": self.leak_audit.as_dict(),
            "passed": self.passed,
            "notes": list(self.notes),
            "seed": self.seed,
            "bootstrap": self.samples,
            "seconds": round(self.seconds, 3),
            "opponent_seconds": round(self.opponent_seconds, 3),
            "peak_memory_mb": round(self.peak_memory_mb, 1),
        }

    def __str__(self) -> str:
        return as_text(self.as_dict())


def evaluate(
    recommender: Recommender,
    split: Split,
    *,
    opponents: Opponents | Callable[[Recommender, Split], Opponents] | None = None,
    ks: tuple[int, ...] = (1, 5, 10, 20),
    targets: TargetsKind | None = None,
    seed: int = 0,
    max_users: int | None = None,
    bootstrap: int = 1000,
    profiles: pl.DataFrame | None = None,
    features: Mapping[str, Features] | None = None,
) -> Evaluation:
    """Judge a recommender on the test part of a split. Nothing is raised when the audit fails: look at `passed`.

    Args:
        recommender: Trained on nothing of the test part; the audit checks.
        split: Any split of a log with items.
        opponents: Fitted elsewhere, by name; a text instead says why one is missing. Or a function that fits them.
            None: all of them are fitted here, on the split's training part. `{}`: none.
        ks: List lengths.
        targets: `successive`, `last`, `next-7d` (all that a user does within seven days of the boundary, asked once,
            at the boundary) or None for the split's own way; see `requests_of`.
        seed: Of every sample.
        max_users: Judge a sample of this many users.
        bootstrap: Resamples for the intervals; 0 for none.
        profiles: One row per `user_id`; each further column becomes a way to slice.
        features: Functions that make the features which the model reads, by name; the leak audit covers them too.

    Raises:
        DataError: No items, no test targets, or a k below 1.
    """
    if not ks or min(ks) < 1:
        raise DataError(f"ks = {ks}: expected list lengths of at least 1.", hint="For example ks=(1, 5, 10).")
    cut = requests_of(split, targets, max_users=max_users, seed=seed)
    bound = _over(recommender, split)
    started = time.perf_counter()
    fit = opponents_of if opponents is None else opponents
    beside = fit(bound, split) if callable(fit) else fit
    opponent_seconds = time.perf_counter() - started
    board = _Board(split, cut, ks, Resamples(len(cut.users), bootstrap, seed), seed)
    spent = Spent()
    judged, metrics = board.judge(bound, spent)
    table, against = board.compare(judged, beside)
    cold = cold_of(cut, judged, ks, board.resamples)
    return Evaluation(
        run=recommender.recipe.name,
        split={"kind": split.kind, "boundary": split.boundary, "targets": cut.kind, "ties": split.ties},
        users=board.num_warm_users,
        items=len(bound.items),
        requests=int(board.warm_B.sum()),
        targets=int(np.diff(cut.offset_B1)[board.warm_B].sum()),
        cold=cold,
        metrics=metrics,
        opponents=table,
        reasons={name: one for name, one in beside.items() if isinstance(one, str)},
        against=against,
        slices=tuple(slicings_of(split, cut, judged, f"ndcg@{main_k(ks)}", board.resamples, profiles)),
        pointwise=pointwise(bound, cut, board.resamples, seed),
        forecast=judge_forecasts(bound, split, bootstrap, seed),
        leak_audit=audit(recommender, split, cut, features=features, seed=seed),
        notes=(*_notes(split, cut, cold, board.num_warm_users, max_users), *spent.told("The language model")),
        seed=seed,
        samples=board.resamples.samples,
        seconds=time.perf_counter() - started - opponent_seconds,
        opponent_seconds=opponent_seconds,
        peak_memory_mb=_peak_memory_mb(),
        rerank=spent.as_dict() if spent.lists else None,
    )


class _Board:
    """Judges recommenders on the same requests, with the same resamples of users."""

    def __init__(self, split: Split, cut: Cut, ks: tuple[int, ...], resamples: Resamples, seed: int) -> None:
        self.split, self.cut, self.ks, self.resamples, self.seed = split, cut, ks, resamples, seed
        self.warm_B = ~cut.cold_B
        self.num_warm_users = len(np.unique(cut.user_B[self.warm_B]))
        self._backgrounds: dict[int, Background] = {}

    def judge(self, recommender: Recommender, spent: Spent | None = None) -> tuple[Judged, Intervals]:
        """Answers, and the main metrics over warm requests."""
        judged = judge(recommender, self.cut, self.ks, self._background(recommender.items), self.seed, spent)
        intervals = dict(zip(judged.values, self.resamples.intervals(self._of_users(judged)), strict=True))
        return judged, intervals | {name: Interval(share) for name, share in judged.coverage.items()}

    def compare(self, own: Judged, beside: Opponents) -> tuple[dict[str, Intervals | None], dict[str, Intervals]]:
        """Each opponent's metrics, and own minus theirs, user by user."""
        table: dict[str, Intervals | None] = {}
        against: dict[str, Intervals] = {}
        for name, opponent in beside.items():
            if isinstance(opponent, str):
                table[name] = None
                continue
            theirs, table[name] = self.judge(_over(opponent, self.split))
            difference = self._of_users(own) - self._of_users(theirs)
            against[name] = dict(zip(own.values, self.resamples.intervals(difference), strict=True))
        return table, against

    def _of_users(self, judged: Judged) -> FloatArray:
        value_BM = np.stack([value[self.warm_B] for value in judged.values.values()], axis=1)
        return user_means(value_BM, self.cut.user_B[self.warm_B], len(self.cut.users))

    def _background(self, items: Vocabulary) -> Background:
        if id(items) not in self._backgrounds:
            self._backgrounds[id(items)] = background_of(items, self.split, self.seed)
        return self._backgrounds[id(items)]


def _over(recommender: Recommender, split: Split) -> Recommender:
    """The recommender over the split's own log, test events included: a request's place decides what it sees."""
    return recommender if recommender.events is split.events else recommender.with_events(split.events)


def _notes(split: Split, cut: Cut, cold: Cold, users: int, max_users: int | None) -> Iterator[str]:
    if users < ENOUGH_USERS:
        yield f"Only {users:,} users could be judged: too few for a claim; read the intervals, not the means."
    if max_users is not None and len(cut.users) == max_users:
        yield f"A sample of {max_users:,} users was judged."
    if cut.at is not None:
        length = in_words(horizon_of(cut.kind) or timedelta(0))
        yield (
            f"Each user was asked once, at the boundary; every item that came within {length} of it is relevant. "
            "Whoever did not come in that time was not asked."
        )
    if split.kind == "leave-one-out":
        yield (
            "Leave-one-out is for comparison with papers: one user's training part stands after another's test, so "
            f"time leaks between users. Events of equal time are ordered by: {split.ties}."
        )
        tied = split.facts.get("ties_share", 0.0)
        if tied > TIES_WORTH_TELLING:
            yield f"{tied:.0%} of the targets share their time with the event before: their order is the file's."
    if cold.share > 0:
        yield (
            f"{cold.share:.1%} of the targets are items that were not there in training: misses for whoever knows "
            "ids only."
        )
    if cold.barred > 0:
        yield (
            f"{cold.barred_share:.1%} of the targets are items of the user's own history, which this recommender "
            "does not list (seen): misses."
        )


def _as_dict(intervals: Intervals, name: str = "mean") -> dict[str, Any]:
    return {metric: interval.as_dict(name) for metric, interval in intervals.items()}


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
