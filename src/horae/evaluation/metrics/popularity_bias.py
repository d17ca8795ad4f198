"""Popularity bias at k: how much more popular the lists are than what their users chose themselves."""

from __future__ import annotations

import numpy as np

from horae.evaluation.metrics.novelty import mean_over_list
from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["popularity_bias", "popularity_percentiles"]


def popularity_bias(item_BK: IndexArray, percentile_I1: FloatArray, history_B: FloatArray) -> FloatArray:
    """Mean popularity percentile of the list minus that of the user's history.

    0: as popular as the user's own choices; 0.3: thirty percentiles more popular; below 0: further into the tail.

    Args:
        item_BK: Item indices from 1; 0 where a list is shorter (not counted). An empty list gives NaN.
        percentile_I1: From `popularity_percentiles`.
        history_B: The mean percentile of each request's history (NaN where it has none).

    Source: Abdollahpouri et al. 2019, The unfairness of popularity bias in recommendation (arXiv:1907.13286),
        section 3 (group average popularity, its lift from profile to list).
    Differs: A difference of percentiles instead of a ratio of mean counts, which one blockbuster decides; per request
        instead of per user group.
    """
    return mean_over_list(item_BK, percentile_I1) - history_B


def popularity_percentiles(count_I1: IndexArray) -> FloatArray:
    """Each item's place, 0 to 1, on the line of all training events ordered by their item's popularity.

    The share of events on less popular items, plus half of those on items just as popular; so the events themselves
    average one half. Entry 0 is not used.
    """
    count_I = count_I1[1:]
    levels, level_of = np.unique(count_I, return_inverse=True)
    events_of_level = np.bincount(level_of, weights=count_I, minlength=len(levels))
    below = np.cumsum(events_of_level) - events_of_level
    percentile = (below + events_of_level / 2) / max(float(count_I.sum()), 1.0)
    return np.concatenate([[0.0], percentile[level_of]])
