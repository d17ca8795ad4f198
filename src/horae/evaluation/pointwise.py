"""Scored pairs: what came, each beside one random item. In: a recommender and a cut. Out: AUC, accuracy, log loss.

Pointwise numbers answer "can this score be read as a chance?", not "is the list good?": against one uniformly drawn
item even popularity looks strong. They are kept apart from the ranking metrics for that reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.evaluation.cut import Cut
from horae.evaluation.intervals import Interval, Resamples, interval_of
from horae.evaluation.metrics.accuracy import accuracy
from horae.evaluation.metrics.log_loss import log_loss
from horae.evaluation.metrics.pointwise_auc import pointwise_auc
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.recommend.recommender import Recommender

__all__ = ["Pointwise", "pointwise"]

MOST_REQUESTS = 5_000
NEGATIVES = "one item per target, drawn uniformly from the item table"
BINS = np.linspace(0, 1, 11)


@dataclass(frozen=True)
class Pointwise:
    """Metrics of scored pairs, half of which came true.

    Attributes:
        pairs: Scored pairs.
        auc: Of the scores (of the probabilities, where the recommender is calibrated).
        accuracy: At one half; None where there are no probabilities.
        log_loss: In nats; None where there are no probabilities.
        calibration: Tenths of the probability that hold any pair: `(pairs, mean probability, share that came true)`.
        seed: Of the drawn items.
    """

    pairs: int
    auc: Interval
    accuracy: Interval | None
    log_loss: Interval | None
    calibration: tuple[tuple[int, float, float], ...]
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "pairs": self.pairs,
            "negatives": NEGATIVES,
            "seed": self.seed,
            "auc": self.auc.as_dict(),
            "accuracy": self.accuracy.as_dict() if self.accuracy else None,
            "log_loss": self.log_loss.as_dict() if self.log_loss else None,
            "calibration": [dict(zip(("pairs", "probability", "came"), row, strict=True)) for row in self.calibration],
        }


def pointwise(recommender: Recommender, cut: Cut, resamples: Resamples, seed: int = 0) -> Pointwise | None:
    """Score the first target of at most 5,000 requests, and as many random items.

    Returns:
        None where no target is in the recommender's item table.
    """
    rng = np.random.default_rng(seed)
    first = recommender.items.indices(cut.item_T)[cut.offset_B1[:-1]]
    asked = np.flatnonzero((first > 0) & ~cut.cold_B)
    if len(asked) > MOST_REQUESTS:
        asked = np.sort(rng.choice(asked, size=MOST_REQUESTS, replace=False))
    if len(asked) == 0 or len(recommender.items) < 2:
        return None
    other = _others(first[asked], len(recommender.items), rng)
    pairs = np.stack([first[asked], other], axis=1)
    ids = recommender.items.ids(pairs.ravel()).to_list()
    frame = recommender.score(cut.subset(asked).requests, [ids[i : i + 2] for i in range(0, len(ids), 2)])
    came = np.tile([True, False], len(asked))
    user_P = np.repeat(cut.user_B[asked], 2)
    if frame["probability"].null_count():
        score = frame["score"].to_numpy().astype(np.float64)
        return Pointwise(len(came), _auc(score, came, user_P, resamples), None, None, (), seed)
    chance = frame["probability"].to_numpy()
    return Pointwise(
        pairs=len(came),
        auc=_auc(chance, came, user_P, resamples),
        accuracy=_mean(accuracy(chance, came), user_P, resamples),
        log_loss=_mean(log_loss(chance, came), user_P, resamples),
        calibration=_calibration(chance, came),
        seed=seed,
    )


def _others(item: IndexArray, num_items: int, rng: np.random.Generator) -> IndexArray:
    """For each item another one, uniformly."""
    drawn = rng.integers(1, num_items, size=len(item))
    return drawn + (drawn >= item)


def _auc(score: FloatArray, came: BoolArray, user_P: IndexArray, resamples: Resamples) -> Interval:
    """Users are resampled with all of their pairs."""
    group_P = resamples.group_U[user_P]
    drawn = [pointwise_auc(score, came, counts[group_P].astype(np.float64)) for counts in resamples.counts_RG]
    return interval_of(pointwise_auc(score, came), np.array(drawn))


def _mean(value: FloatArray, user_P: IndexArray, resamples: Resamples) -> Interval:
    """Mean over pairs; users are resampled with all of their pairs."""
    group_P = resamples.group_U[user_P]
    weight_RG = resamples.counts_RG.astype(np.float64)
    pairs = weight_RG @ np.bincount(group_P, minlength=resamples.num_groups)
    total = weight_RG @ np.bincount(group_P, weights=value, minlength=resamples.num_groups)
    drawn = np.divide(total, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return interval_of(float(value.mean()), drawn)


def _calibration(chance: FloatArray, came: BoolArray) -> tuple[tuple[int, float, float], ...]:
    place = np.clip(np.digitize(chance, BINS) - 1, 0, len(BINS) - 2)
    rows = []
    for tenth in range(len(BINS) - 1):
        mine = place == tenth
        if mine.any():
            rows.append((int(mine.sum()), float(chance[mine].mean()), float(came[mine].mean())))
    return tuple(rows)
