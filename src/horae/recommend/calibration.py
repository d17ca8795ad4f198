"""Scores in, probabilities out: what was fitted on validation by `horae.training.calibrate`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

__all__ = ["Calibration"]


@dataclass(frozen=True)
class Calibration:
    """Turns a score into the probability that this item, rather than a random one, comes next.

    Attributes:
        slope: Of a logistic: log-odds that one unit of score is worth; above 0.
        intercept: Its log-odds at a score of 0.
        knots: (score, probability), both rising: straight lines between them stand in place of the logistic. Empty:
            the logistic holds.
    """

    slope: float
    intercept: float
    knots: tuple[tuple[float, float], ...] = ()

    def probability(self, scores: pl.Series) -> pl.Series:
        """Probabilities of scores."""
        if self.knots:
            score_N, chance_N = np.array(self.knots).T
            return pl.Series(scores.name, np.interp(scores.cast(pl.Float64).to_numpy(), score_N, chance_N))
        return 1.0 / (1.0 + (-(scores.cast(pl.Float64) * self.slope + self.intercept)).exp())

    def score_of(self, probability: float) -> float:
        """The least score of at least this probability; infinity where none has it."""
        if self.knots:
            score_N, chance_N = np.array(self.knots).T
            if chance_N[0] >= probability:
                return -np.inf
            place = int(np.searchsorted(chance_N, probability))
            if place == len(chance_N):
                return np.inf
            low, high = place - 1, place
            share = (probability - chance_N[low]) / (chance_N[high] - chance_N[low])
            return float(score_N[low] + share * (score_N[high] - score_N[low]))
        least = min(max(probability, 1e-12), 1 - 1e-12)
        return float((np.log(least / (1 - least)) - self.intercept) / self.slope)
