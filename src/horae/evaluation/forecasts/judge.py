"""A run's forecasts of the next event, judged: beside simple methods, with intervals over users.

In: a recommender and a split. Out: a document for `horae evaluate --json`, under `forecast`. Everybody is asked the
same questions (`asked_of`), as of the same moments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from horae.data.split import Split
from horae.evaluation.forecasts.asked import Asked, asked_of
from horae.evaluation.forecasts.board import Averages, Board
from horae.evaluation.forecasts.opponents import (
    Lines,
    behaviors_by_counting,
    gaps_by_counting,
    naive_value_error,
    values_by_counting,
)
from horae.evaluation.forecasts.reading import Levels, levels_of, read
from horae.evaluation.forecasts.return_judge import calibrated_returns, judge_returns
from horae.evaluation.intervals import Resamples
from horae.evaluation.metrics.forecasts.accuracy import accuracy
from horae.evaluation.metrics.forecasts.auc import auc
from horae.evaluation.metrics.forecasts.calibration_error import calibration_error
from horae.evaluation.metrics.forecasts.f1 import f1
from horae.evaluation.metrics.forecasts.interval_coverage import interval_coverage
from horae.evaluation.metrics.forecasts.interval_width import interval_width
from horae.evaluation.metrics.forecasts.log_loss import log_loss
from horae.evaluation.metrics.forecasts.mae import mae
from horae.evaluation.metrics.forecasts.mase import mase
from horae.evaluation.metrics.forecasts.mse import mse
from horae.evaluation.metrics.forecasts.precision import precision
from horae.evaluation.metrics.forecasts.recall import recall
from horae.evaluation.metrics.forecasts.rmse import rmse
from horae.evaluation.metrics.ranks import FloatArray, IndexArray
from horae.models.upcoming.gaps import SAME_MOMENT_SECONDS
from horae.recommend.foretell import foretell, upcoming_of
from horae.recommend.recommender import Recommender

__all__ = ["LIKELIHOOD", "calibrated_levels", "judge_forecasts", "likelihood"]

LIKELIHOOD = "log_likelihood"
"""The figure by which a network is chosen that has nothing to rank."""

ASKED_AT_MOST = 10_000
Document = dict[str, Any]


def judge_forecasts(recommender: Recommender, split: Split, bootstrap: int = 1000, seed: int = 0) -> Document | None:
    """Judge what a run tells of the next events of the test part.

    Args:
        recommender: Over the split's own log.
        split: Whose test events are asked for; 10,000 of them at most.
        bootstrap: Resamples of users behind the intervals.
        seed: Of the sample and the resamples.

    Returns:
        None where the run tells items only.
    """
    upcoming = upcoming_of(recommender)
    if upcoming is None:
        return None
    behaviors = recommender.sequences.behaviors
    asked = asked_of(split, most=ASKED_AT_MOST, seed=seed, behaviors=behaviors)
    told = foretell(recommender, recommender.histories(asked.requests, whole=True))
    reading = read(told, upcoming, Levels.from_card(recommender.card), asked.silent_N, asked.left_N)
    lines = Lines.of(split, behaviors)
    board = Board(asked.user_N, Resamples(int(asked.user_N.max(initial=-1)) + 1, bootstrap, seed))
    document: Document = {"events": len(asked), "users": board.resamples.num_users}
    if reading.behavior_NC is not None:
        document["behavior"] = _behaviors(board, asked, reading.behavior_NC, lines)
    if reading.gap_N3 is not None:
        document["time"] = _times(board, asked, reading.gap_N3, lines)
        document["return"] = judge_returns(recommender, upcoming, split, bootstrap, seed)
    if reading.value_N3 is not None:
        document["value"] = _values(board, asked, reading.value_N3, lines)
    return document


def calibrated_levels(recommender: Recommender, split: Split, most: int = ASKED_AT_MOST, seed: int = 0) -> Levels:
    """Where the run's intervals must end, from the events of the validation part."""
    upcoming = upcoming_of(recommender)
    assert upcoming is not None
    asked = asked_of(split, "validation", most=most, seed=seed, behaviors=recommender.sequences.behaviors)
    told = foretell(recommender, recommender.histories(asked.requests, whole=True))
    levels = levels_of(told, upcoming, asked, seed)
    return levels if told.gaps is None else replace(levels, returns=calibrated_returns(recommender, split, most, seed))


def likelihood(recommender: Recommender, asked: Asked) -> float:
    """Mean log likelihood of what came, over the questions that the heads answer; larger is better.

    Values have no density here: their part is minus the mean absolute error on the scale of the training values.
    """
    upcoming = upcoming_of(recommender)
    assert upcoming is not None
    told = foretell(recommender, recommender.histories(asked.requests, whole=True))
    total = 0.0
    if told.behavior_NC is not None and (known := np.flatnonzero(asked.behavior_N)).size:
        chance_NC = told.behavior_NC[known].softmax(-1).numpy()
        total -= float(log_loss(chance_NC, asked.behavior_N[known] - 1).mean())
    if told.gaps is not None and (known := np.flatnonzero(np.isfinite(asked.gap_N))).size:
        silent, gap, left = (torch.from_numpy(c[known]) for c in (asked.silent_N, asked.gap_N, asked.left_N))
        gaps = told.gaps.take(torch.from_numpy(known))
        open_N = gaps.returns(silent, left.nan_to_num(upcoming.span_seconds).clamp(min=SAME_MOMENT_SECONDS))
        total += float((gaps.log_density(gap) - gaps.log_survival(silent) - open_N.log()).mean())
    if told.value_N3 is not None and (known := np.flatnonzero(np.isfinite(asked.value_N))).size:
        true_N = upcoming.scale.scaled(told.value_N3.new_tensor(asked.value_N[known]))
        total -= float((told.value_N3[known, 1] - true_N).abs().mean())
    return total


def _behaviors(board: Board, asked: Asked, chance_NC: FloatArray, lines: Lines) -> Document:
    known = np.flatnonzero(asked.behavior_N)
    came = asked.behavior_N[known] - 1
    told = {"": chance_NC, **behaviors_by_counting(lines, asked, chance_NC.shape[1])}
    return board.document(known, {name: _of_behaviors(one[known], came) for name, one in told.items()}, "log_loss")


def _times(board: Board, asked: Asked, gap_N3: FloatArray, lines: Lines) -> Document:
    known = np.flatnonzero(np.isfinite(asked.gap_N))
    gap = asked.gap_N[known]
    came = np.where(gap < SAME_MOMENT_SECONDS, 0.0, gap)
    told = {"": gap_N3, **gaps_by_counting(lines, asked)}
    return board.document(known, {name: _of_times(one[known], came) for name, one in told.items()}, "mae_seconds")


def _values(board: Board, asked: Asked, value_N3: FloatArray, lines: Lines) -> Document:
    known = np.flatnonzero(np.isfinite(asked.value_N))
    came, naive = asked.value_N[known], naive_value_error(lines)
    told = values_by_counting(lines, asked)
    others = {name: _of_values(one[known], came, naive) for name, one in told.items()}
    low_N, point_N, high_N = value_N3[known].T
    held = {"coverage": interval_coverage(low_N, high_N, came), "width": interval_width(low_N, high_N)}
    return board.document(known, {"": {**_of_values(point_N, came, naive), **held}, **others}, "mae")


Metric = Callable[[FloatArray, IndexArray], float]
OF_ALL: Mapping[str, Metric] = {
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "auc": auc,
    "calibration_error": calibration_error,
}


def _of_behaviors(chance_NC: FloatArray, came_N: IndexArray) -> Averages:
    each: dict[str, FloatArray | float] = {
        "log_loss": log_loss(chance_NC, came_N),
        "accuracy": accuracy(chance_NC, came_N),
    }
    return each | {name: metric(chance_NC, came_N) for name, metric in OF_ALL.items()}


def _of_times(gap_N3: FloatArray, came_N: FloatArray) -> Averages:
    low_N, middle_N, high_N = gap_N3.T
    figures: dict[str, FloatArray | float] = {"mae_seconds": mae(middle_N, came_N)}
    if not np.isnan(low_N).all():
        figures["coverage"] = interval_coverage(low_N, high_N, came_N)
        figures["width_seconds"] = interval_width(low_N, high_N)
    return figures


def _of_values(told_N: FloatArray, came_N: FloatArray, naive: float) -> Averages:
    each: dict[str, FloatArray | float] = {"mae": mae(told_N, came_N), "mse": mse(told_N, came_N)}
    return {**each, "rmse": rmse(told_N, came_N), "mase": mase(told_N, came_N, naive)}
