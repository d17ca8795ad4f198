"""Values per user in, means with 95% intervals out: the percentile bootstrap over users, vectorised and seeded.

Users are resampled whole, because one user's requests resemble each other. All columns of a table see the same
resamples, and so do two tables of the same users and seed: differences between columns are paired. This module does
not know what the values mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["Interval", "Intervals", "Resamples", "interval_of", "plain", "user_means"]

LEVELS = (2.5, 97.5)
CELLS_AT_ONCE = 4_000_000
GROUPS = 10_000

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

    Above 10,000 users, random groups of users are drawn instead of single ones: a mean over many varies alike either
    way, and the cost no longer grows with the number of users.

    Args:
        num_users: How many there are.
        samples: How many resamples; 0 for none (and so no intervals).
        seed: Of the groups and the draws.

    Attributes:
        group_U: The group of each user; for 10,000 users or fewer, each is a group.
    """

    def __init__(self, num_users: int, samples: int = 1000, seed: int = 0) -> None:
        self.num_users = num_users
        self.samples = samples if num_users > 1 else 0
        self.num_groups = min(num_users, GROUPS)
        self._rng = np.random.default_rng(seed)
        self.group_U: IndexArray = np.arange(num_users)
        if num_users > GROUPS:
            self.group_U = self._rng.permutation(num_users) % GROUPS

    @cached_property
    def counts_RG(self) -> CountArray:
        """How often each resample drew each group; every row sums to the number of groups."""
        groups = self.num_groups
        rows = max(1, CELLS_AT_ONCE // max(groups, 1))
        blocks = [np.empty((0, groups), dtype=np.uint16)]
        for start in range(0, self.samples, rows):
            block = min(rows, self.samples - start)
            drawn = self._rng.integers(0, groups, size=(block, groups))
            flat = (drawn + np.arange(block)[:, None] * groups).ravel()
            blocks.append(np.bincount(flat, minlength=block * groups).reshape(block, groups).astype(np.uint16))
        return np.concatenate(blocks)

    def means(self, value_US: FloatArray) -> FloatArray:
        """The mean of each column over each resample; users with NaN in a column are not in that column.

        Returns:
            `[samples, columns]`; NaN where a resample drew no user of a column.
        """
        there = ~np.isnan(value_US)
        return self.ratios(np.where(there, value_US, 0.0), there.astype(np.float64))

    def ratios(self, total_US: FloatArray, count_US: FloatArray) -> FloatArray:
        """Sum over sum, column by column, over each resample: a drawn user brings all of its totals and its counts.

        Returns:
            `[samples, columns]`; NaN where a resample drew nobody who counts.
        """
        total_GS, count_GS = self._of_groups(total_US), self._of_groups(count_US)
        drawn = np.full((self.samples, total_US.shape[1]), np.nan)
        rows = max(1, CELLS_AT_ONCE // max(self.num_groups, 1))
        for start in range(0, self.samples, rows):
            weight_RG = self.counts_RG[start : start + rows].astype(np.float64)
            count = weight_RG @ count_GS
            np.divide(weight_RG @ total_GS, count, out=drawn[start : start + rows], where=count > 0)
        return drawn

    def _of_groups(self, value_US: FloatArray) -> FloatArray:
        """Sums over the users of each group."""
        if self.num_groups == self.num_users:
            return value_US
        columns = [np.bincount(self.group_U, value, minlength=self.num_groups) for value in value_US.T]
        return np.stack(columns, axis=1)

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


Intervals = dict[str, Interval]
"""By metric."""


def plain(intervals: Intervals, name: str = "mean") -> dict[str, Any]:
    """Plain JSON types."""
    return {metric: interval.as_dict(name) for metric, interval in intervals.items()}
