"""Values of several folds in, one mean with its interval out; users are clusters, since one may be in many folds.

A user counts once in each fold that asks them, by the mean of their requests there: a pooled mean is the folds' means
weighted by their users. For its interval users are drawn whole, with all that they did in every fold, and the sum over
their fold means is divided by how many fold means were drawn. This module does not know what the values mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from horae.data.split import Split
from horae.evaluation.cut import Cut
from horae.evaluation.intervals import Interval, Resamples, interval_of, user_means
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.schema import USER

__all__ = ["Crowd", "Pool"]


class Crowd:
    """Everybody whom some fold asks, numbered once for all folds.

    Args:
        split: Any fold's; all share the log.
        cuts: Everything that is asked.
        samples: Resamples of the users; 0 for none.
        seed: Of the resamples.

    Attributes:
        resamples: The same draws for everything that is said of these users, so that all of it is paired.
    """

    def __init__(self, split: Split, cuts: Sequence[Cut], samples: int, seed: int) -> None:
        self._line_of_row = split.events.frame[USER].rle_id().to_numpy().astype(np.int64)
        self._asked = np.unique(np.concatenate([self._line_of_row[cut.row_B] for cut in cuts]))
        self.resamples = Resamples(len(self._asked), samples, seed)

    def __len__(self) -> int:
        return len(self._asked)

    def holds(self, cut: Cut) -> BoolArray:
        """Which requests are of somebody in the crowd."""
        return np.isin(self._line_of_row[cut.row_B], self._asked)

    def users_of(self, cut: Cut) -> IndexArray:
        """The number of each request's user."""
        return np.searchsorted(self._asked, self._line_of_row[cut.row_B]).astype(np.int64)


class Pool:
    """Sums and counts of fold means, user by user and column by column.

    Args:
        crowd: Whose values.
        columns: Their names.

    Source: Field and Welsh 2007, Bootstrapping clustered data, section 2 (whole clusters drawn with replacement).
    Differs: A ratio of sums, since clusters differ in size; percentile intervals.
    """

    def __init__(self, crowd: Crowd, columns: Sequence[str]) -> None:
        self.crowd, self.columns = crowd, tuple(columns)
        self.total_UM: FloatArray = np.zeros((len(crowd), len(columns)))
        self.count_UM: FloatArray = np.zeros((len(crowd), len(columns)))

    def add(self, user_B: IndexArray, value_BM: FloatArray) -> Pool:
        """One fold's requests (or a part of them); NaN values are left out."""
        mean_UM = user_means(value_BM, user_B, len(self.crowd))
        there = ~np.isnan(mean_UM)
        self.total_UM += np.where(there, mean_UM, 0.0)
        self.count_UM += there
        return self

    @property
    def users(self) -> int:
        """Users with a value in the first column."""
        return int((self.count_UM[:, 0] > 0).sum())

    @property
    def means(self) -> FloatArray:
        """The pooled mean of each column; NaN without a value."""
        count = self.count_UM.sum(axis=0)
        means: FloatArray = np.full(len(count), np.nan)
        np.divide(self.total_UM.sum(axis=0), count, out=means, where=count > 0)
        return means

    @property
    def replicates(self) -> FloatArray:
        """The same over each resample of the users: `[samples, columns]`."""
        return self.crowd.resamples.ratios(self.total_UM, self.count_UM)

    def intervals(self) -> dict[str, Interval]:
        """The pooled means with their 95% intervals, by column; fewer than two users give no interval."""
        drawn_RM = self.replicates if self.users > 1 else self.replicates[:0]
        return {name: interval_of(self.means[at], drawn_RM[:, at]) for at, name in enumerate(self.columns)}
