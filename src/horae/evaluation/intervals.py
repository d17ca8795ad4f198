"""Values per user in, means with 95% intervals out: the percentile bootstrap over users, vectorised and seeded.

Users are resampled whole, because one user's requests resemble each other. All columns of a table see the same
resamples, and so do two tables of the same users and seed: differences between columns are paired. This module does
not know what the values mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["Interval", "Resamples", "interval_of", "user_means"]

LEVELS = (2.5, 97.5)
CELLS_AT_ONCE = 4_000_000
CELLS_KEPT = 100_000_000
"""Draws that are kept in memory (200 MB); more are drawn again, from the same seed, each time."""

CountArray = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Interval:
    """A mean with the bounds of its 95% interval; None where there is nothing to average, or no interval to give."""

    mean: float | None
    low: float | None = None
    high: float | None = None

    def as_dict(self, name: str = "mean") -> dict[str, float | None]:
        """`{"mean", "low", "high"}`, or `{"difference", ...}` for a paired difference."""
        return {name: self.mean, "low": self.low, "high": self.high}

    @property
    def above_zero(self) -> bool:
        """The whole interval lies above zero."""
        return self.low is not None and self.low > 0

    @property
    def below_zero(self) -> bool:
        """The whole interval lies below zero."""
        return self.high is not None and self.high < 0


def user_means(value_BM: FloatArray, user_B: IndexArray, num_users: int) -> FloatArray:
    """Mean of each user's requests, column by column; NaN values are left out, and a user without any is NaN.

    Args:
        value_BM: One row per request.
        user_B: The user of each request, from 0.
        num_users: Rows of the answer.
    """
    means = np.full((num_users, value_BM.shape[1]), np.nan)
    for column in range(value_BM.shape[1]):
        value_B = value_BM[:, column]
        there = ~np.isnan(value_B)
        count = np.bincount(user_B[there], minlength=num_users)
        total = np.bincount(user_B[there], weights=value_B[there], minlength=num_users)
        np.divide(total, count, out=means[:, column], where=count > 0)
    return means


class Resamples:
    """Users drawn with replacement, the same draws for everything that is asked of them.

    Args:
        num_users: How many there are, and how many each resample draws.
        samples: How many resamples; 0 for none (and so no intervals).
        seed: Of the draws.
    """

    def __init__(self, num_users: int, samples: int = 1000, seed: int = 0) -> None:
        self.num_users = num_users
        self.samples = samples if num_users > 1 else 0
        self.seed = seed
        self._kept: list[CountArray] | None = None

    def counts(self) -> Iterator[CountArray]:
        """Blocks of rows that say how often each user was drawn; `samples` rows in all."""
        if self._kept is not None:
            yield from self._kept
            return
        blocks: list[CountArray] = []
        for block in self._draw():
            if self.samples * self.num_users <= CELLS_KEPT:
                blocks.append(block)
            yield block
        self._kept = blocks or None

    def _draw(self) -> Iterator[CountArray]:
        rng = np.random.default_rng(self.seed)
        users = self.num_users
        rows = max(1, CELLS_AT_ONCE // max(users, 1))
        for start in range(0, self.samples, rows):
            block = min(rows, self.samples - start)
            drawn = rng.integers(0, users, size=(block, users))
            flat = (drawn + np.arange(block)[:, None] * users).ravel()
            yield np.bincount(flat, minlength=block * users).reshape(block, users).astype(np.uint16)

    def means(self, value_US: FloatArray) -> FloatArray:
        """The mean of each column over each resample; users with NaN in a column are not in that column.

        Returns:
            `[samples, columns]`; NaN where a resample drew no user of a column.
        """
        there = ~np.isnan(value_US)
        value, present = np.where(there, value_US, 0.0), there.astype(np.float64)
        everywhere = bool(there.all())
        blocks = [np.empty((0, value_US.shape[1]))]
        for counts in self.counts():
            weight_RU = counts.astype(np.float64)
            total = weight_RU @ value
            count = np.full(total.shape, float(len(value))) if everywhere else weight_RU @ present
            blocks.append(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))
        return np.concatenate(blocks)

    def intervals(self, value_US: FloatArray) -> list[Interval]:
        """The mean of each column over users with its 95% interval. Fewer than two users give no interval."""
        there = ~np.isnan(value_US)
        count = there.sum(axis=0)
        total = np.where(there, value_US, 0.0).sum(axis=0)
        mean_S = np.divide(total, count, out=np.full(value_US.shape[1], np.nan), where=count > 0)
        drawn_RS = self.means(value_US)
        return [interval_of(mean, drawn_RS[:, column]) for column, mean in enumerate(mean_S)]


def interval_of(mean: float, replicate_R: FloatArray) -> Interval:
    """A mean with the 2.5% and 97.5% percentiles of its replicates.

    Source: Efron and Tibshirani 1993, An introduction to the bootstrap, section 13.3 (percentile interval).
    Differs: Resamples that drew nobody who counts are left out.
    """
    if np.isnan(mean):
        return Interval(None)
    left = replicate_R[~np.isnan(replicate_R)]
    if len(left) == 0:
        return Interval(float(mean))
    low, high = np.percentile(left, LEVELS)
    return Interval(float(mean), float(low), float(high))
