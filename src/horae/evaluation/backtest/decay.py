"""What a model loses when it is not fitted again: older models against fresh ones, on the same windows.

A model fitted k windows ago and one fitted anew answer the same requests; the loss is `1 - old / fresh`, of means
pooled over the windows where both exist. From it follows how often to fit again, by one rule:

    kept     the upper bound of the loss's 95% interval lies below the share that may be lost: not that much is lost
    lost     the lower bound lies above it
    unclear  neither

A model may serve until the first age that is not kept. The interval is over users, drawn whole; neither the weeks nor
the luck of a training are in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from horae.evaluation.backtest.pooling import Crowd, Pool
from horae.evaluation.intervals import Interval, interval_of
from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["Decay", "DecayRow", "Pair", "ages_of", "decay_of"]

MOST_AGES: Final = 8
MANY: Final = 1 << 30
Verdict = Literal["kept", "lost", "unclear"]


@dataclass(frozen=True, eq=False)
class Pair:
    """The answers of an older model and of the fresh one to the requests of one window.

    Attributes:
        age: Windows between the older model's boundary and this window's.
        user_B: Numbers of the crowd's users.
        old_B: The metric by the older model.
        fresh_B: By the model fitted at the window's boundary.
        beside: By opponents fitted at the window's boundary.
    """

    age: int
    user_B: IndexArray
    old_B: FloatArray
    fresh_B: FloatArray
    beside: Mapping[str, FloatArray]


@dataclass(frozen=True)
class DecayRow:
    """Models of one age.

    Attributes:
        age: In windows.
        windows: In how many windows the comparison was made.
        users: By how many users.
        fresh: The metric of the fresh models there.
        old: Of the older ones.
        difference: Old minus fresh, paired.
        loss: The share of the metric that is lost.
        against: Old minus each opponent that was fitted anew.
        verdict: By the rule of this module.
    """

    age: int
    windows: int
    users: int
    fresh: Interval
    old: Interval
    difference: Interval
    loss: Interval
    against: Mapping[str, Interval]
    verdict: Verdict

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "age": self.age,
            "windows": self.windows,
            "users": self.users,
            "fresh": self.fresh.as_dict(),
            "old": self.old.as_dict(),
            "difference": self.difference.as_dict("difference"),
            "loss": self.loss.as_dict(),
            "against": {name: one.as_dict("difference") for name, one in self.against.items()},
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class Decay:
    """The decay of models that are not fitted again.

    Attributes:
        metric: Such as `ndcg@10`.
        tolerated: The share that may be lost.
        rows: By age, the youngest first; without any where there is one window only.
        loss_per_window: Slope of the loss over the age, up to the first age that is lost (beyond, nothing may be left
            to lose): a line through zero, ages weighted by their users.
        retrain_every: So many windows a model may serve; None where the data cannot tell.
        longer_untested: Every age that was tested is kept.
    """

    metric: str
    tolerated: float
    rows: tuple[DecayRow, ...]
    loss_per_window: Interval
    retrain_every: int | None
    longer_untested: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "metric": self.metric,
            "tolerated": self.tolerated,
            "rows": [row.as_dict() for row in self.rows],
            "loss_per_window": self.loss_per_window.as_dict(),
            "retrain_every": self.retrain_every,
            "longer_untested": self.longer_untested,
        }


def ages_of(available: Sequence[int]) -> list[int]:
    """The ages worth a row: all of them where there are few, else 1, 2, 4, 8, ... and the oldest."""
    ages = sorted(set(available))
    if len(ages) <= MOST_AGES:
        return ages
    return [age for age in ages if age & (age - 1) == 0 or age == ages[-1]]


def decay_of(crowd: Crowd, pairs: Sequence[Pair], metric: str, tolerated: float = 0.05) -> Decay:
    """Compare age by age.

    Args:
        crowd: Whose requests these are.
        pairs: One for each older model and window.
        metric: What was measured.
        tolerated: The share that may be lost, above 0 and below 1.
    """
    rows, losses = [], []
    for age in ages_of([pair.age for pair in pairs]):
        row, loss_R = _row(crowd, [pair for pair in pairs if pair.age == age], tolerated)
        rows.append(row)
        losses.append(loss_R)
    every, untested = _rule(rows)
    return Decay(metric, tolerated, tuple(rows), _slope(rows, losses), every, untested)


def _row(crowd: Crowd, pairs: Sequence[Pair], tolerated: float) -> tuple[DecayRow, FloatArray]:
    """One age, and its loss over each resample."""
    names = list(pairs[0].beside)
    pool = Pool(crowd, ["old", "fresh", "difference", *names])
    for pair in pairs:
        columns = [pair.old_B, pair.fresh_B, pair.old_B - pair.fresh_B]
        columns += [pair.old_B - pair.beside[name] for name in names]
        pool.add(pair.user_B, np.stack(columns, axis=1))
    intervals, means, drawn_RM = pool.intervals(), pool.means, pool.replicates
    loss_R = _loss(drawn_RM[:, 0], drawn_RM[:, 1])
    loss = interval_of(float(_loss(means[:1], means[1:2])[0]), loss_R if pool.users > 1 else loss_R[:0])
    row = DecayRow(
        age=pairs[0].age,
        windows=len(pairs),
        users=pool.users,
        fresh=intervals["fresh"],
        old=intervals["old"],
        difference=intervals["difference"],
        loss=loss,
        against={name: intervals[name] for name in names},
        verdict=_verdict(loss, tolerated),
    )
    return row, loss_R


def _loss(old: FloatArray, fresh: FloatArray) -> FloatArray:
    """NaN where the fresh model hits nothing: there is nothing to lose."""
    ratio: FloatArray = np.full(len(old), np.nan)
    return 1.0 - np.divide(old, fresh, out=ratio, where=fresh > 0)


def _verdict(loss: Interval, tolerated: float) -> Verdict:
    if loss.low is None or loss.high is None:
        return "unclear"
    if loss.high < tolerated:
        return "kept"
    return "lost" if loss.low > tolerated else "unclear"


def _rule(rows: Sequence[DecayRow]) -> tuple[int | None, bool]:
    """How many windows a model may serve, and whether longer was never tested.

    A model of age k serves the window that begins k windows after its fit: kept up to age k, it serves k + 1 windows.
    """
    kept = 0
    for row in rows:
        if row.verdict != "kept":
            break
        kept = row.age
    if rows and kept == rows[-1].age:
        return kept + 1, True
    known = kept > 0 or any(row.verdict == "lost" for row in rows)
    return (kept + 1 if known else None), False


def _slope(rows: Sequence[DecayRow], losses: Sequence[FloatArray]) -> Interval:
    """Loss per window by least squares through zero (a fresh model has lost nothing)."""
    lost = next((row.age for row in rows if row.verdict == "lost"), MANY)
    told = [(row, loss_R) for row, loss_R in zip(rows, losses, strict=True) if row.loss.mean is not None]
    told = [(row, loss_R) for row, loss_R in told if row.age <= lost]
    if not told:
        return Interval(None)
    age = np.array([row.age for row, _ in told], dtype=np.float64)
    weight = np.array([row.users for row, _ in told], dtype=np.float64) * age
    mean = np.array([row.loss.mean for row, _ in told], dtype=np.float64)
    drawn_R = np.stack([loss_R for _, loss_R in told], axis=1) @ weight / (weight @ age)
    return interval_of(float(mean @ weight / (weight @ age)), drawn_R)
