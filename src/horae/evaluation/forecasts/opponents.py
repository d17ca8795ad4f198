"""Simple methods that foretell the next event: what a user did most, did last, or does on average.

In: a split. Out: for each question about a next event, what each method says. Shares, means and how much users are
drawn towards everybody are learned from the events before the test alone; a user's own history goes on up to the
question, as it does for the run's heads. This module knows no network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from horae.data.split import Split
from horae.evaluation.forecasts.asked import Asked, codes
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.schema import BEHAVIOR, TIMESTAMP, USER, VALUE
from horae.sequences.clock import seconds
from horae.sequences.running import STRENGTHS, sums_before

__all__ = ["Lines", "behaviors_by_counting", "gaps_by_counting", "naive_value_error", "values_by_counting"]

LEVELS = (0.1, 0.5, 0.9)
MOST = 200_000


@dataclass(frozen=True, eq=False)
class Lines:
    """A log, row by row of `Events.frame`.

    Attributes:
        user_E: Number of the user.
        known_E: Rows before the test part: all that may be learned from.
        behavior_E: From 0; -1 for one that the run does not know.
        gap_E: Seconds since the same user's event before; NaN for the first and where unknown.
        value_E: NaN where unknown.
    """

    user_E: IndexArray
    known_E: BoolArray
    behavior_E: IndexArray
    gap_E: FloatArray
    value_E: FloatArray

    @classmethod
    def of(cls, split: Split, behaviors: tuple[str, ...] | None = None) -> Lines:
        """Lay a split's log out."""
        frame = split.events.frame
        user = frame[USER].rle_id().to_numpy().astype(np.int64)
        time = seconds(frame[TIMESTAMP])
        gap = np.full(len(time), np.nan)
        gap[1:] = np.where(user[1:] == user[:-1], time[1:] - time[:-1], np.nan)
        known = split.part.is_in(["train", "validation"]).to_numpy()
        behavior = codes(frame, behaviors)[frame[BEHAVIOR].to_physical().to_numpy()] - 1
        value = frame[VALUE].fill_null(float("nan")).to_numpy()
        return cls(user, known, behavior, np.where(gap >= 0, gap, np.nan), value)

    def before(self, value_E: FloatArray, row_N: IndexArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """How many known numbers each row's user has before it, their sum, and the last of them (NaN without)."""
        first_N = np.searchsorted(self.user_E, self.user_E[row_N])
        count_N, sum_N = sums_before(value_E, first_N, row_N)
        last_E = np.maximum.accumulate(np.where(np.isnan(value_E), -1, np.arange(len(value_E))))
        last_N = last_E[np.maximum(row_N - 1, 0)]
        last = np.where((count_N > 0) & (last_N >= 0), value_E[last_N], np.nan)
        return count_N, sum_N, last

    def learned(self, value_E: FloatArray) -> IndexArray:
        """Training rows with a known number; at most 200,000, spread evenly."""
        row = np.flatnonzero(self.known_E & ~np.isnan(value_E))
        return row[np.unique(np.linspace(0, len(row) - 1, min(len(row), MOST)).astype(np.int64))] if len(row) else row


def behaviors_by_counting(lines: Lines, asked: Asked, num_behaviors: int) -> dict[str, FloatArray]:
    """`[N, behaviors]` of chances, by method: everybody's shares, the user's own (drawn towards them), the last again.

    Source: Zhai and Lafferty 2004 (doi:10.1145/984321.984322), section 3.2, Dirichlet smoothing, for the user's own.
    Differs: its strength is the one under which training events were least surprising; `last_again` mixes the newest
        behavior with everybody's shares by how often training events repeat it.
    """
    known = lines.behavior_E[lines.known_E & (lines.behavior_E >= 0)]
    share_C = (np.bincount(known, minlength=num_behaviors) + 1.0) / (len(known) + num_behaviors)
    one_C = [np.where(lines.behavior_E < 0, np.nan, lines.behavior_E == c) for c in range(num_behaviors)]
    row = lines.learned(np.where(lines.behavior_E < 0, np.nan, 0.0))
    trained = _counts(lines, one_C, row)
    came = lines.behavior_E[row]

    def surprise(strength: float) -> float:
        chance_N = _shrunk(*trained, share_C, strength)[np.arange(len(row)), came]
        return float(-np.log(chance_N).mean()) if len(row) else 0.0

    strength = min(STRENGTHS, key=surprise)
    _, _, before = lines.before(np.where(lines.behavior_E < 0, np.nan, lines.behavior_E.astype(float)), row)
    there = ~np.isnan(before)
    again = (np.sum(before[there] == came[there]) + 1.0) / (there.sum() + 2.0)
    _, _, newest = lines.before(np.where(lines.behavior_E < 0, np.nan, lines.behavior_E.astype(float)), asked.row_N)
    last_NC = newest[:, None] == np.arange(num_behaviors)
    everybody_NC = np.broadcast_to(share_C, (len(asked), num_behaviors))
    stay_N1 = np.where(np.isnan(newest), 0.0, max(0.0, (again - _repeat(share_C)) / (1 - _repeat(share_C))))[:, None]
    return {
        "user_frequency": _shrunk(*_counts(lines, one_C, asked.row_N), share_C, strength),
        "last_again": stay_N1 * last_NC + (1 - stay_N1) * everybody_NC,
        "everybody": everybody_NC,
    }


def gaps_by_counting(lines: Lines, asked: Asked) -> dict[str, FloatArray]:
    """`[N, 3]` of gaps in seconds (low, point, high; NaN where a method has no interval), by method.

    Each knows that the gap is longer than the silence so far, and that it ends with the part at the latest.
    `user_frequency` tells the mean gap of the user, drawn towards everybody's; `poisson` has the same mean, exponential
    gaps and their median; `log_normal` a mean of the logs, drawn likewise; `last_again` tells the last gap, `everybody`
    the median of all.

    Source: Lawless 2003, Statistical models and methods for lifetime data, chapters 4 and 5 (both distributions).
    Differs: how much a user is drawn towards everybody is chosen by the training events: `log_normal` by likelihood,
        the mean gap by that of exponential gaps. Gaps under a second count as one in logs.
    """
    known = lines.gap_E[lines.known_E & ~np.isnan(lines.gap_E)]
    if len(known) == 0:
        return {}
    log_E = np.log(np.maximum(lines.gap_E, 1.0))
    row = lines.learned(lines.gap_E)
    mean, log_mean = max(float(known.mean()), 1.0), float(np.log(np.maximum(known, 1.0)).mean())
    n, total, _ = lines.before(lines.gap_E, row)
    _, log_total, _ = lines.before(log_E, row)

    def exponential(strength: float) -> float:
        told = (total + strength * mean) / (n + strength)
        return float((np.log(told) + lines.gap_E[row] / told).mean())

    def spread(strength: float) -> float:
        return float(np.std(log_E[row] - (log_total + strength * log_mean) / (n + strength)))

    strength, log_strength = min(STRENGTHS, key=exponential), min(STRENGTHS, key=spread)
    width = max(spread(log_strength), 1e-3)
    n, total, last = lines.before(lines.gap_E, asked.row_N)
    _, log_total, _ = lines.before(log_E, asked.row_N)
    mean_N = (total + strength * mean) / (n + strength)
    log_mean_N = (log_total + log_strength * log_mean) / (n + log_strength)
    silent, left = asked.silent_N, np.where(np.isnan(asked.left_N), np.inf, asked.left_N)
    median = float(np.median(known))
    came_by = -np.expm1(-left / mean_N)
    waits = [-mean_N * np.log1p(-q * came_by) for q in LEVELS]
    started, over = (ndtr((np.log(np.maximum(end, 1.0)) - log_mean_N) / width) for end in (silent, silent + left))
    started = np.where(silent < 1.0, 0.0, started)
    ends = [np.exp(log_mean_N + width * ndtri(np.clip(started + q * (over - started), 0, 1 - 1e-12))) for q in LEVELS]
    points = {
        "user_frequency": mean_N,
        "last_again": np.where(np.isnan(last), median, last),
        "everybody": np.full(len(asked), median),
    }
    return {
        "poisson": np.stack([silent + wait for wait in waits], axis=1),
        "log_normal": np.clip(np.stack(ends, axis=1), silent[:, None], (silent + left)[:, None]),
        **{name: _point(np.clip(point, silent, silent + left)) for name, point in points.items()},
    }


def values_by_counting(lines: Lines, asked: Asked) -> dict[str, FloatArray]:
    """`[N]` of values, by method: the user's mean (drawn towards everybody's), their last, everybody's median.

    Source: Efron and Morris 1977, Stein's paradox in statistics, for a mean that is drawn towards everybody's.
    Differs: how much is chosen by the squared error on training events.
    """
    known = lines.value_E[lines.known_E & ~np.isnan(lines.value_E)]
    if len(known) == 0:
        return {}
    row, mean, median = lines.learned(lines.value_E), float(known.mean()), float(np.median(known))
    n, total, _ = lines.before(lines.value_E, row)

    def squared(strength: float) -> float:
        return float(np.square((total + strength * mean) / (n + strength) - lines.value_E[row]).mean())

    strength = min(STRENGTHS, key=squared)
    n, total, last = lines.before(lines.value_E, asked.row_N)
    return {
        "user_frequency": (total + strength * mean) / (n + strength),
        "last_again": np.where(np.isnan(last), median, last),
        "everybody": np.full(len(asked), median),
    }


def naive_value_error(lines: Lines) -> float:
    """Mean `|value - the same user's value before it|` over the training events; NaN without any."""
    row = lines.learned(lines.value_E)
    _, _, last = lines.before(lines.value_E, row)
    error = np.abs(lines.value_E[row] - last)
    return float(np.nanmean(error)) if np.isfinite(error).any() else float("nan")


def _counts(lines: Lines, one_C: list[FloatArray], row_N: IndexArray) -> tuple[FloatArray, FloatArray]:
    columns = [lines.before(one_E, row_N) for one_E in one_C]
    return columns[0][0], np.stack([total for _, total, _ in columns], axis=1)


def _shrunk(count_N: FloatArray, count_NC: FloatArray, share_C: FloatArray, strength: float) -> FloatArray:
    shrunk: FloatArray = (count_NC + strength * share_C) / (count_N + strength)[:, None]
    return shrunk


def _repeat(share_C: FloatArray) -> float:
    """How often two events drawn from everybody's shares are alike."""
    return min(float(np.square(share_C).sum()), 1 - 1e-9)


def _point(point_N: FloatArray) -> FloatArray:
    nothing = np.full(len(point_N), np.nan)
    return np.stack([nothing, point_N, nothing], axis=1)
