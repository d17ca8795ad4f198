"""Numbers in, surprises out: how rare each number is beside those of calibration events.

A surprise is `-log p` in nats, where `p` is the share of calibration events that are as odd or odder: 0 is nothing,
4.6 is one event in a hundred, and over ordinary events the mean is 1. This module knows no events and no models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray

__all__ = ["Side", "Tail", "combined", "excess_of_mean", "surprise_of"]

TAIL_SHARE = 0.1
CONFIDENT = 3.0
"""`-log(0.05)`: nobody of n above a number says, with 95% confidence, that under `3 / n` of all are."""
FARTHEST = 30.0
"""Nats beyond the calibration events: from there on, all are equally far."""


@dataclass(frozen=True, eq=False)
class Side:
    """One way to be odd.

    Attributes:
        raw_N: The larger, the odder; NaN where it cannot be told. Only the order counts.
        counts_N: Events of which it may be said; others only help to say how rare it is. None: all.
    """

    raw_N: FloatArray
    counts_N: BoolArray | None = None


@dataclass(frozen=True, eq=False)
class Tail:
    """The numbers of calibration events, and how rare others are beside them.

        p(x) = (1 + #{c: c >= x}) / (n + 1)

    Whoever comes from where they came has `P(p <= a) <= a`, whatever the distribution.

    Attributes:
        known_C: Ascending.
        excess: Mean excess of the uppermost tenth over its least; 0 where these are all equal.

    Source: Vovk, Gammerman & Shafer 2005; for outliers Bates, Candès, Lei, Romano & Sesia 2023 (arXiv:2104.08279). The
        exponential beyond the largest: Pickands 1975 (doi:10.1214/aos/1176343003), shape 0.
    Differs: `p` itself ends at `1 / (n + 1)`; only surprises go on, so that what is far off is told from what is
        farther off.
    """

    known_C: FloatArray
    excess: float

    @classmethod
    def of(cls, raw_C: FloatArray) -> Tail:
        """Of calibration events; NaN ones are left out."""
        known = np.sort(raw_C[~np.isnan(raw_C)])
        top = known[int((1 - TAIL_SHARE) * len(known)) :]
        return cls(known, float((top - top[0]).mean()) if len(top) else 0.0)

    def __len__(self) -> int:
        return len(self.known_C)

    def vouches(self, rate: float) -> bool:
        """Are there so many that, with 95% confidence, no more than this rate of others lies above the largest?"""
        return len(self) * rate >= CONFIDENT

    def above(self, rate: float) -> float:
        """The number above which no more than this rate of others is to lie.

        Where the calibration events vouch for the rate, the one that they have it above. Where they are too few, the
        largest of them lies, with 95% confidence, below at most `3 / n` of others; the exponential beyond it thins
        these to the rate, `log(3 / (n rate))` mean excesses further on.

        Args:
            rate: Above 0 and below 1.
        """
        if self.vouches(rate):
            return float(self.known_C[len(self) - math.floor(rate * (len(self) + 1) + 1e-9)])
        top = len(self) - int((1 - TAIL_SHARE) * len(self))
        excess = self.excess * top / max(top - 1, 1)  # the least of them is where their excesses begin
        return float(self.known_C[-1]) + excess * math.log(CONFIDENT / (len(self) * rate))

    def p(self, raw_N: FloatArray, own: bool = False) -> FloatArray:
        """Shares as odd or odder; NaN where the number is.

        Args:
            raw_N: The numbers.
            own: They are the calibration events themselves: each is held against the others.
        """
        raw_N = np.asarray(raw_N, dtype=np.float64)
        above_N = len(self) - np.searchsorted(self.known_C, np.nan_to_num(raw_N, nan=-np.inf), side="left")
        p_N = above_N / max(len(self), 1) if own else (above_N + 1) / (len(self) + 1)
        return np.where(np.isnan(raw_N), np.nan, p_N)

    def surprise(self, raw_N: FloatArray, own: bool = False) -> FloatArray:
        """`-log p`, and beyond the largest calibration event so many mean excesses more.

        A calibration event itself is held against the others, so the largest goes beyond them as any other event would.
        Else none of them ever went beyond, each signal's largest would have no equal among them, and of K signals up
        to `K / n` of ordinary events would be flagged.
        """
        surprise_N: FloatArray = -np.log(np.maximum(self.p(raw_N, own), 1 / (len(self) + 1)))
        beside = Tail.of(self.known_C[:-1]) if own and len(self) else self
        if len(beside) and beside.excess > 0:
            beyond_N = np.maximum(raw_N - beside.known_C[-1], 0.0) / beside.excess
            surprise_N = surprise_N + np.minimum(beyond_N, FARTHEST)
        return surprise_N


def surprise_of(sides: Sequence[Side], calibration_N: BoolArray) -> FloatArray:
    """Of several ways to be odd the oddest, corrected for their number (Bonferroni); NaN where none can be told.

    Args:
        sides: Over the same events.
        calibration_N: Which of these calibrate.
    """
    told = []
    for side in sides:
        tail = Tail.of(side.raw_N[calibration_N])
        if not len(tail):
            told.append(np.full(len(calibration_N), np.nan))
            continue
        surprise_N = np.where(calibration_N, tail.surprise(side.raw_N, own=True), tail.surprise(side.raw_N))
        told.append(surprise_N if side.counts_N is None else np.where(side.counts_N, surprise_N, np.nan))
    side_SN = np.stack(told)
    ways_N = (~np.isnan(side_SN)).sum(0)
    most_N = np.fmax.reduce(side_SN, axis=0)
    return np.where(ways_N > 0, np.maximum(most_N - np.log(np.maximum(ways_N, 1)), 0.0), np.nan)


def combined(surprise_KN: FloatArray) -> FloatArray:
    """One number from several surprises: minus the log of the harmonic mean of their p; NaN where none is known.

        log( sum_k exp(s_k) / K )

    One that is very odd is enough, and several that are a little odd add up, dependent as they may be.

    Source: Wilson 2019, The harmonic mean p-value for combining dependent tests (doi:10.1073/pnas.1814092116).
    Differs: its own distribution is not taken from theory but, again, from calibration events.
    """
    known_KN = ~np.isnan(surprise_KN)
    count_N = known_KN.sum(0)
    shown_KN = np.where(known_KN, surprise_KN, -np.inf)
    most_N = np.where(count_N > 0, shown_KN.max(0, initial=-np.inf), 0.0)
    total_N = np.exp(shown_KN - most_N).sum(0)
    with np.errstate(divide="ignore"):
        return np.where(count_N > 0, most_N + np.log(total_N) - np.log(np.maximum(count_N, 1)), np.nan)


def excess_of_mean(total_U: FloatArray, count_U: IndexArray) -> FloatArray:
    """How far a sum of so many surprises lies above its mean: standard normal, if they were independent.

    Source: Wilson & Hilferty 1931 (doi:10.1073/pnas.17.12.684): the cube root of a gamma variable is nearly normal.
    """
    ninth_U = 1 / (9 * np.maximum(count_U, 1))
    mean_U = total_U / np.maximum(count_U, 1)
    return np.where(count_U > 0, (np.cbrt(mean_U) - (1 - ninth_U)) / np.sqrt(ninth_U), np.nan)
