"""How odd is it that the event came so soon, or so late? In: cases. Out: a signal. Knows no items.

Where the run tells when the next event comes, its own distribution of the gap is asked; else the gap is held against
what is usual for the user so far, drawn towards everybody's.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F

from horae.evaluation.metrics.ranks import FloatArray
from horae.forecasting.anomalies.cases import Cases
from horae.forecasting.anomalies.signals import Signal, span
from horae.forecasting.anomalies.tails import Side
from horae.models.upcoming.gaps import SAME_MOMENT_SECONDS
from horae.recommend.foretell import foretell, upcoming_of
from horae.sequences.running import STRENGTHS, sums_before

__all__ = ["gaps_before", "time_signal"]

WIDEST: Final = 3.0
"""Spreads from the middle beyond which a gap moves what is usual for its user no further."""


def time_signal(cases: Cases) -> tuple[Signal | None, tuple[str, ...]]:
    """The signal, None where no gap is known."""
    gap_E = gaps_before(cases)
    gap_N = gap_E[cases.row_N]
    if np.isnan(gap_N).all():
        return None, ("No time between two events is known, so times are not judged.",)
    upcoming = upcoming_of(cases.recommender)
    told = upcoming is not None and "time" in upcoming.answered
    early_N, late_N, usual_N = _told(cases, gap_N) if told else _counted(cases, gap_E)

    def words(event: int) -> str:
        gap, usual = float(gap_N[event]), float(usual_N[event])
        return f"{span(gap)} after the event before, usual {span(usual)}"

    return Signal("time", (Side(early_N), Side(late_N)), words), ()


def gaps_before(cases: Cases) -> FloatArray:
    """Seconds from the user's event before each row; NaN for the first, where unknown, where time runs backwards."""
    time_E, user_E = cases.time_E, cases.user_E
    gap_E = np.full(len(time_E), np.nan)
    gap_E[1:] = np.where(user_E[1:] == user_E[:-1], np.diff(time_E), np.nan)
    return np.where(gap_E >= 0, gap_E, np.nan)


def _told(cases: Cases, gap_N: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """By the run's distribution: minus the logs of `P(G <= gap)` and `P(G >= gap)`, and its median."""
    recommender = cases.recommender
    upcoming = upcoming_of(recommender)
    gaps = foretell(recommender, recommender.histories(cases.requests, whole=True)).gaps
    assert upcoming is not None and gaps is not None
    seconds_N, now_N = torch.from_numpy(np.nan_to_num(gap_N)), torch.zeros(len(gap_N), dtype=torch.float64)
    same_N = seconds_N < SAME_MOMENT_SECONDS
    early_N = torch.where(same_N, -F.logsigmoid(gaps.same_N), -gaps.returns(now_N, seconds_N).clamp(min=1e-300).log())
    late_N = -gaps.log_survival(seconds_N)
    left_N = torch.full_like(now_N, float(upcoming.span_seconds))
    usual_N = gaps.at_level(now_N, torch.full_like(now_N, 0.5), left_N)
    unknown_N = torch.from_numpy(np.isnan(gap_N))
    early_N, late_N = (side.masked_fill(unknown_N, torch.nan) for side in (early_N, late_N))
    return early_N.numpy(), late_N.numpy(), usual_N.numpy()


def _counted(cases: Cases, gap_E: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """By the user's mean log gap so far, far ones cut, with so many of everybody's as foretells best."""
    log_E = np.log(np.maximum(gap_E, SAME_MOMENT_SECONDS))
    base_E = cases.base_E & ~np.isnan(log_E)
    known = log_E[base_E] if base_E.any() else log_E[~np.isnan(log_E)][:1]
    middle = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - middle))) or 1.0
    z_E = np.clip((log_E - middle) / spread, -WIDEST, WIDEST)
    row_E = np.arange(len(z_E))
    user_E = cases.user_E
    first_E = np.flatnonzero(np.diff(user_E, prepend=-1))[user_E]
    count_E, total_E = sums_before(z_E, first_E, row_E)

    def missed(strength: float) -> float:
        return float(np.abs(z_E[base_E] - total_E[base_E] / (count_E[base_E] + strength)).sum())

    strength = min(STRENGTHS, key=missed)
    usual_N = (total_E / (count_E + strength))[cases.row_N] * spread + middle
    late_N = log_E[cases.row_N] - usual_N
    return np.maximum(-late_N, 0.0), np.maximum(late_N, 0.0), np.exp(usual_N)  # what is early is not late at all
