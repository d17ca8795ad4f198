"""Scores in, a calibration out: a logistic or a staircase, fitted on validation events against random items."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import isotonic_regression

from horae.evaluation.cut import Cut
from horae.recommend.calibration import Calibration
from horae.recommend.rank import Targets
from horae.recommend.recommender import Recommender

__all__ = ["calibrate", "fit_isotonic", "fit_logistic"]

ENOUGH = 50


def calibrate(recommender: Recommender, cut: Cut, seed: int) -> Calibration | None:
    """Fit the probability that an item is what came next, rather than one drawn uniformly from the item table.

    Each validation target stands against one random item; pairs whose item was not allowed are left out. None where
    fewer than 50 pairs of each kind are left, or where what came did not score higher: such scores tell no chance.

    The recipe's `[recommend] calibration` says how: `temperature` is a logistic, `isotonic` a staircase that only
    rises, `auto` the one with the smaller log loss on pairs that it was not fitted on (two halves in turn).

    Source: Platt 1999, Probabilistic outputs for support vector machines; Zadrozny and Elkan 2002, Transforming
    classifier scores into accurate multiclass probability estimates. Differs: no smoothing of Platt's labels; straight
    lines between the steps, and no chance nearer to 0 or 1 than `1 / (pairs + 2)`.
    """
    came, random = _pairs(recommender, cut, seed)
    if min(len(came), len(random)) < ENOUGH:
        return None
    scores = np.concatenate([came, random]).astype(np.float64)
    labels = np.concatenate([np.ones(len(came)), np.zeros(len(random))])
    slope, intercept = fit_logistic(scores, labels)
    if slope <= 0:
        return None
    how = recommender.recipe.recommend.get("calibration", "temperature")
    if how == "auto":
        how = _better(scores, labels, seed)
    return Calibration(slope, intercept, fit_isotonic(scores, labels) if how == "isotonic" else ())


def fit_isotonic(scores: npt.NDArray[np.float64], labels: npt.NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """Knots of the rising staircase that is nearest in squared error; its steps' ends, thinned to what bends."""
    value, place = np.unique(scores, return_inverse=True)
    weight = np.bincount(place).astype(np.float64)
    mean = np.bincount(place, weights=labels) / weight
    chance = isotonic_regression(mean, weights=weight).x
    least = 1.0 / (len(scores) + 2)
    chance = np.clip(chance, least, 1 - least)
    ends = np.ones(len(value), dtype=np.bool_)
    ends[1:-1] = (np.diff(chance[:-1]) > 0) | (np.diff(chance[1:]) > 0)
    return tuple(zip(value[ends].tolist(), chance[ends].tolist(), strict=True))


def _better(scores: npt.NDArray[np.float64], labels: npt.NDArray[np.float64], seed: int) -> str:
    """The way that tells the other half's pairs better."""
    half = np.random.default_rng(seed).permutation(len(scores)) % 2 == 0
    loss = {"temperature": 0.0, "isotonic": 0.0}
    for fit in (half, ~half):
        slope, intercept = fit_logistic(scores[fit], labels[fit])
        knots = fit_isotonic(scores[fit], labels[fit])
        for name, one in (("temperature", Calibration(slope, intercept)), ("isotonic", Calibration(1.0, 0.0, knots))):
            chance = np.clip(one.probability(pl.Series(scores[~fit])).to_numpy(), 1e-12, 1 - 1e-12)
            came = labels[~fit]
            loss[name] -= float(np.sum(came * np.log(chance) + (1 - came) * np.log(1 - chance)))
    return "isotonic" if loss["isotonic"] < loss["temperature"] else "temperature"


def fit_logistic(scores: npt.NDArray[np.float64], labels: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept of the most likely logistic, by Newton's method on standardised scores."""
    centre, spread = float(scores.mean()), float(scores.std()) or 1.0
    design = np.stack([(scores - centre) / spread, np.ones_like(scores)], axis=1)
    weights = np.zeros(2)
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-design @ weights))
        slope = design.T @ (labels - chance) - 1e-3 * weights  # a whisper of ridge: separable scores stay finite
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-3 * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    return float(weights[0] / spread), float(weights[1] - weights[0] * centre / spread)


def _pairs(recommender: Recommender, cut: Cut, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Scores of what came, and of one random item for each request's first target."""
    first = cut.targets(recommender.items).item[cut.offset_B1[:-1]]
    drawn = np.random.default_rng(seed).integers(1, len(recommender.items) + 1, len(first))
    both = Targets(np.stack([first, drawn], axis=1).ravel(), np.arange(0, 2 * len(first) + 1, 2))
    parts = list(recommender.answer(cut.requests, both, depth=1, raw=True))
    scores = np.concatenate([answer.target_scores for answer in parts]) if parts else np.empty(0, dtype=np.float32)
    fallback = np.concatenate([answer.fallback_B for answer in parts]) if parts else np.empty(0, dtype=np.bool_)
    pairs = scores.reshape(-1, 2)[~fallback]
    came, random = pairs[:, 0], pairs[:, 1]
    return came[np.isfinite(came)], random[np.isfinite(random)]
