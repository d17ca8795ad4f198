"""Figures of the run and of simple methods on the same questions, averaged, with intervals over users.

In: a figure's value for each question. Out: plain documents. Knows neither what is asked nor by whom it is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from horae.evaluation.intervals import Interval, Resamples, interval_of
from horae.evaluation.metrics.ranks import FloatArray, IndexArray

__all__ = ["Averages", "Board"]

Document = dict[str, Any]
Averages = Mapping[str, FloatArray | float]
"""A figure's value per event, or one number where there is none per event."""


class Board:
    """Figures of the run and of each opponent, on the same events."""

    def __init__(self, user_N: IndexArray, resamples: Resamples) -> None:
        self.user_N, self.resamples = user_N, resamples

    def document(self, known: IndexArray, figures: dict[str, Averages], *main: str) -> Document:
        """Figures of the run (its name is empty) and of the others, over some of the questions.

        Args:
            known: Which questions.
            figures: By method.
            main: Figures in which the run is held against each method, user by user.
        """
        own = figures.pop("")
        user = self.user_N[known]
        return {
            "events": len(known),
            "metrics": self._averaged(own, user),
            "opponents": {name: self._averaged(one, user) for name, one in figures.items()},
            "against": {
                name: {
                    metric: self._mean(np.asarray(own[metric]) - np.asarray(one[metric]), user).as_dict("difference")
                    for metric in main
                }
                for name, one in figures.items()
            },
        }

    def _averaged(self, figures: Averages, user: IndexArray) -> Document:
        means = {
            name: Interval(_finite(one)) if isinstance(one, float) else self._mean(one, user)
            for name, one in figures.items()
        }
        return {name: interval.as_dict() for name, interval in means.items()}

    def _mean(self, value_N: FloatArray, user: IndexArray) -> Interval:
        """Over events; users are resampled with all of theirs."""
        if len(value_N) == 0:
            return Interval(None)
        group_N, groups = self.resamples.group_U[user], self.resamples.num_groups
        weight_RG = self.resamples.counts_RG.astype(np.float64)
        events = weight_RG @ np.bincount(group_N, minlength=groups)
        total = weight_RG @ np.bincount(group_N, weights=value_N, minlength=groups)
        drawn = np.divide(total, events, out=np.full(len(events), np.nan), where=events > 0)
        return interval_of(float(value_N.mean()), drawn)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
