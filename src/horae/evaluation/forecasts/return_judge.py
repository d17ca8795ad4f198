"""The chance to return: set right on validation, and judged after the boundary beside simple methods.

In: a recommender whose heads tell when, and a split by time. Out: `ReturnChances` for the card; a document for
`horae evaluate --json`, under `forecast.return`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from horae.data.split import Split
from horae.evaluation.forecasts.asked import beginning_of, end_of
from horae.evaluation.forecasts.board import Averages, Board
from horae.evaluation.forecasts.reading import WEEK_SECONDS, Levels, read
from horae.evaluation.forecasts.return_chances import DAY_SECONDS, HORIZONS_SECONDS, ReturnChances, fit_returns
from horae.evaluation.forecasts.returning import Returning, moments_of, returning_of, returns_by_counting
from horae.evaluation.intervals import Resamples
from horae.evaluation.metrics.forecasts.accuracy import accuracy
from horae.evaluation.metrics.forecasts.auc import auc
from horae.evaluation.metrics.forecasts.brier import brier
from horae.evaluation.metrics.forecasts.calibration_error import calibration_error
from horae.evaluation.metrics.forecasts.log_loss import log_loss
from horae.evaluation.metrics.ranks import BoolArray, FloatArray
from horae.models.upcoming.heads import Told
from horae.models.upcoming.mixing import Heads
from horae.recommend.foretell import foretell
from horae.recommend.recommender import Recommender

__all__ = ["calibrated_returns", "judge_returns"]

ASKED_AT_MOST = 10_000
TENTHS = 10
Document = dict[str, Any]


def calibrated_returns(
    recommender: Recommender, split: Split, most: int = ASKED_AT_MOST, seed: int = 0
) -> ReturnChances:
    """What makes chances to return of what the heads tell, from the validation part; without times, nothing does."""
    return fit_returns(list(_questions(recommender, split, most, seed)))


def judge_returns(
    recommender: Recommender, upcoming: Heads, split: Split, bootstrap: int, seed: int
) -> Document | None:
    """Whether people come back after the boundary, judged over all who were here before it.

    Within a week, or what is left of the log where that is less; and within the other horizons that the log holds.
    """
    judging = _Judging(recommender, upcoming, split, bootstrap, seed, Levels.from_card(recommender.card))
    left = end_of(split, "test") - beginning_of(split, "test")
    usual = min(WEEK_SECONDS, left)
    if not usual > 0 or not moments_of(split, "test", usual):
        return None
    others = [horizon for horizon in HORIZONS_SECONDS if horizon != usual and horizon <= left]
    return {
        **judging.within(usual),
        "by_horizon": {f"{horizon / DAY_SECONDS:.0f}d": judging.within(horizon) for horizon in others},
    }


def _questions(
    recommender: Recommender, split: Split, most: int, seed: int
) -> Iterator[tuple[float, FloatArray, BoolArray]]:
    """Told hazards within each horizon, and who came, over some moments of the validation part.

    A moment from which the horizon reaches beyond that part's end is none of them: who had not come by then may come.
    """
    for within in HORIZONS_SECONDS:
        moments = moments_of(split, "validation", within)
        asked = [returning_of(split, at, within, most=most // len(moments), seed=seed) for at in moments]
        if asked:
            told = [_hazards(recommender, one) for one in asked]
            yield within, np.concatenate(told), np.concatenate([one.came_U for one in asked])


def _hazards(recommender: Recommender, asked: Returning) -> FloatArray:
    told = foretell(recommender, recommender.histories(asked.requests, whole=True))
    assert told.gaps is not None
    hazard_U: FloatArray = told.gaps.hazard(torch.from_numpy(asked.silent_U), asked.within_seconds).numpy()
    return hazard_U


@dataclass(frozen=True)
class _Judging:
    recommender: Recommender
    upcoming: Heads
    split: Split
    bootstrap: int
    seed: int
    levels: Levels

    def within(self, within: float) -> Document:
        (beginning,) = moments_of(self.split, "test", within, most=1)
        asked = returning_of(self.split, beginning, within, most=ASKED_AT_MOST, seed=self.seed)
        told = foretell(self.recommender, self.recommender.histories(asked.requests, whole=True))
        chance_U = self._chance(told, asked, self.levels)
        told_U = {"": chance_U}
        if self.levels.returns.seconds:
            told_U["uncalibrated"] = self._chance(told, asked, replace(self.levels, returns=ReturnChances()))
        board = Board(np.arange(len(asked)), Resamples(len(asked), self.bootstrap, self.seed))
        figures = {name: _of_returns(one, asked.came_U) for name, one in (told_U | returns_by_counting(asked)).items()}
        return {
            "within_seconds": within,
            "share": float(asked.came_U.mean()),
            **board.document(np.arange(len(asked)), figures, "log_loss", "brier"),
            "reliability": _reliability(chance_U, asked.came_U),
        }

    def _chance(self, told: Told, asked: Returning, levels: Levels) -> FloatArray:
        reading = read(told, self.upcoming, levels, asked.silent_U, within_seconds=asked.within_seconds)
        assert reading.returns_N is not None
        return reading.returns_N


def _of_returns(chance_U: FloatArray, came_U: BoolArray) -> Averages:
    both_UC, came = np.stack([1 - chance_U, chance_U], axis=1), came_U.astype(np.int64)
    return {
        "log_loss": log_loss(both_UC, came),
        "brier": brier(chance_U, came_U),
        "accuracy": accuracy(both_UC, came),
        "auc": auc(both_UC, came),
        "calibration_error": calibration_error(both_UC, came),
    }


def _reliability(chance_U: FloatArray, came_U: BoolArray) -> list[Document]:
    """Tenths of the people, from the least to the greatest chance: what they were told, and how many came."""
    parts = [part for part in np.array_split(np.argsort(chance_U, kind="stable"), TENTHS) if len(part)]
    return [
        {"users": len(part), "probability": float(chance_U[part].mean()), "came": float(came_U[part].mean())}
        for part in parts
    ]
