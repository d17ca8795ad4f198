"""How good a frozen model is for what comes soon, and for what comes late: accuracy by lead time.

Three tables, each pooled over the models of a backtest, each beside windowed popularity:

    once            one list, made at the boundary: the next event, and all that comes within 1, 7 and 30 days
    since_boundary  asked at each step, with weights that stay as they were: by the time since the model's boundary
    since_event     asked at each step, in the model's own window: by the time since the user's last known event

In: recommenders that answer, and cuts. Out: rows with intervals. It trains nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import numpy as np

from horae.evaluation.backtest.folds import Fold
from horae.evaluation.backtest.pooling import Crowd, Pool
from horae.evaluation.backtest.settings import DAY
from horae.evaluation.cut import EPOCH, TOLERATED, Cut, asked_times, request_times
from horae.evaluation.intervals import Interval
from horae.evaluation.judge import answers
from horae.evaluation.metrics import AT_K, Ranks
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.recommend.recommender import Recommender

__all__ = [
    "DAY_SECONDS",
    "LONGEST",
    "LeadRow",
    "LeadTables",
    "Once",
    "Steps",
    "gaps_of",
    "once_of",
    "once_rows",
    "step_rows",
    "values_at",
]

DAY_SECONDS: Final = 86_400.0
LONGEST: Final = 30 * DAY
NEXT: Final = "next event"
WITHIN: Final = ((1, "within 1 day"), (7, "within 7 days"), (30, "within 30 days"))
SINCE: Final = ((0.0, 1.0, "day 1"), (1.0, 7.0, "days 2 to 7"), (7.0, 30.0, "days 8 to 30"))
GAPS: Final = (
    (0.0, 1 / 24, "under 1 hour"),
    (1 / 24, 1.0, "1 hour to 1 day"),
    (1.0, 7.0, "1 to 7 days"),
    (7.0, 30.0, "7 to 30 days"),
    (30.0, float("inf"), "over 30 days"),
)


@dataclass(frozen=True)
class LeadRow:
    """One lead time.

    Attributes:
        name: In words.
        from_days: Targets come no earlier than this.
        to_days: And before this; None: without end.
        models: How many models were asked.
        users: Who asked.
        requests: How often.
        metrics: Of the model, by name, pooled over models and users.
        against: The model minus each opponent, paired.
        reason: Why nothing was measured; empty where something was.
    """

    name: str
    from_days: float
    to_days: float | None
    models: int = 0
    users: int = 0
    requests: int = 0
    metrics: Mapping[str, Interval] = field(default_factory=dict)
    against: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        against = {
            name: {metric: one.as_dict("difference") for metric, one in metrics.items()}
            for name, metrics in self.against.items()
        }
        return {
            "name": self.name,
            "from_days": self.from_days,
            "to_days": self.to_days,
            "models": self.models,
            "users": self.users,
            "requests": self.requests,
            "metrics": {name: one.as_dict() for name, one in self.metrics.items()},
            "against": against,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class LeadTables:
    """The three tables; one that cannot be made (`since_event` without times) is empty."""

    once: tuple[LeadRow, ...]
    since_boundary: tuple[LeadRow, ...]
    since_event: tuple[LeadRow, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {name: [row.as_dict() for row in rows] for name, rows in vars(self).items()}


@dataclass(frozen=True, eq=False)
class Once:
    """Answers of one model (and its opponents) to requests made at its boundary, and when each target came."""

    cut: Cut
    ranks: Mapping[str, Ranks]
    lead_T: FloatArray
    covered_days: float


@dataclass(frozen=True, eq=False)
class Steps:
    """One model's values in one window, those of the opponents there, and a lead time in days for each request."""

    model: int
    cut: Cut
    lead_B: FloatArray
    value_BM: FloatArray
    beside: Mapping[str, FloatArray]


def values_at(ranks: Ranks, metrics: Sequence[str]) -> FloatArray:
    """Values [B, metrics] of names like `ndcg@10`."""
    pairs = [name.split("@") for name in metrics]
    return np.stack([AT_K[name](ranks, int(k)) for name, k in pairs], axis=1)


def once_of(fold: Fold, cut: Cut, asked: Mapping[str, Recommender]) -> Once:
    """Ask a model and its opponents once, at the boundary, and see when what came came.

    Args:
        fold: Whose boundary it is.
        cut: Everybody's request at the boundary, warm users only, with all that came within `LONGEST`.
        asked: The model under `""`, opponents by name; over the whole log.
    """
    boundary = (fold.boundary - EPOCH) / timedelta(seconds=1)
    last = fold.split.events.frame["timestamp"].max()
    assert isinstance(last, type(fold.boundary))
    return Once(
        cut=cut,
        ranks={name: answers(one, cut, cut.targets(one.items), depth=1)[0] for name, one in asked.items()},
        lead_T=(request_times(fold.split, cut.row_T) - boundary) / DAY_SECONDS,
        covered_days=(last - fold.boundary) / DAY,
    )


def once_rows(crowd: Crowd, once: Sequence[Once], metrics: Sequence[str]) -> Iterator[LeadRow]:
    """The next event, then all that came within each horizon that the log covers."""
    yield _once_row(crowd, once, metrics, NEXT, 0.0, LONGEST / DAY, only_first=True)
    for days, name in WITHIN:
        covered = [one for one in once if one.covered_days >= days * (1 - TOLERATED)]
        if covered:
            yield _once_row(crowd, covered, metrics, name, 0.0, float(days))
        else:
            longest = max((one.covered_days for one in once), default=0.0)
            reason = f"the log ends {longest:.3g} days after the oldest boundary: ask for more folds, or longer windows"
            yield LeadRow(name, 0.0, float(days), reason=reason)


def gaps_of(fold: Fold) -> FloatArray:
    """Days from the user's last known event to each request of a fold's own window; NaN where unknown."""
    before = request_times(fold.split, fold.cut.row_B - 1)  # warm requests: the row before is the same user's
    return (asked_times(fold.split, fold.cut) - before) / DAY_SECONDS


def step_rows(crowd: Crowd, steps: Sequence[Steps], metrics: Sequence[str], *, gaps: bool = False) -> Iterator[LeadRow]:
    """Requests asked step by step, in bands of their lead times; bands without a request are left out."""
    for low, high, name in GAPS if gaps else SINCE:
        row = _step_row(crowd, steps, metrics, name, low, high)
        if row.requests:
            yield row


def _once_row(
    crowd: Crowd,
    once: Sequence[Once],
    metrics: Sequence[str],
    name: str,
    low: float,
    high: float,
    only_first: bool = False,
) -> LeadRow:
    names = [name for name in once[0].ranks if name and all(name in one.ranks for one in once)]
    own, others = Pool(crowd, metrics), {other: Pool(crowd, metrics) for other in names}
    requests = 0
    for one in once:
        mask_T = (one.lead_T >= low) & (one.lead_T < high)
        if only_first:
            mask_T &= _is_first(one)
        ranks, left = one.ranks[""].only(mask_T)
        if not len(left):
            continue
        user_B, value_BM = crowd.users_of(one.cut)[left], values_at(ranks, metrics)
        own.add(user_B, value_BM)
        requests += len(left)
        for other, pool in others.items():
            pool.add(user_B, value_BM - values_at(one.ranks[other].only(mask_T)[0], metrics))
    return _row(name, low, high, len(once), requests, own, others)


def _is_first(one: Once) -> BoolArray:
    """Targets that came at the time of their request's first one."""
    first_B = np.minimum.reduceat(one.lead_T, one.cut.offset_B1[:-1])
    first: BoolArray = one.lead_T == np.repeat(first_B, np.diff(one.cut.offset_B1))
    return first


def _step_row(
    crowd: Crowd, steps: Sequence[Steps], metrics: Sequence[str], name: str, low: float, high: float
) -> LeadRow:
    names = steps[0].beside if steps else {}
    own, others = Pool(crowd, metrics), {other: Pool(crowd, metrics) for other in names}
    models, requests = set(), 0
    for model in dict.fromkeys(one.model for one in steps):
        mine = [(one, (one.lead_B >= low) & (one.lead_B < high)) for one in steps if one.model == model]
        user_B: IndexArray = np.concatenate([crowd.users_of(one.cut)[mask] for one, mask in mine])
        if not len(user_B):
            continue
        models.add(model)
        requests += len(user_B)
        value_BM = np.concatenate([one.value_BM[mask] for one, mask in mine])
        own.add(user_B, value_BM)
        for other, pool in others.items():
            pool.add(user_B, value_BM - np.concatenate([one.beside[other][mask] for one, mask in mine]))
    return _row(name, low, high, len(models), requests, own, others)


def _row(
    name: str, low: float, high: float, models: int, requests: int, own: Pool, others: Mapping[str, Pool]
) -> LeadRow:
    return LeadRow(
        name=name,
        from_days=low,
        to_days=None if high == float("inf") else high,
        models=models,
        users=own.users,
        requests=requests,
        metrics=own.intervals(),
        against={other: pool.intervals() for other, pool in others.items()},
    )
