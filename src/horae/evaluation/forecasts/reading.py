"""What a run's heads say, as people read it: chances, moments with 80% intervals, values in their own unit.

In: a head's numbers, how long each user has been silent, and what validation taught about the intervals. Out: arrays.
Here, too, the intervals are set right on validation events, so that four of five hold what comes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from horae.evaluation.forecasts.asked import Asked
from horae.evaluation.forecasts.return_chances import ReturnChances
from horae.evaluation.metrics.ranks import FloatArray
from horae.models.upcoming.gaps import SAME_MOMENT_SECONDS, Gaps
from horae.models.upcoming.heads import Told
from horae.models.upcoming.mixing import Heads

__all__ = ["COVERAGE", "ENOUGH", "WEEK_SECONDS", "Levels", "Reading", "levels_of", "read"]

COVERAGE = 0.8
ENOUGH = 50
WEEK_SECONDS = 7 * 86_400.0
TEMPERATURES = np.exp(np.linspace(-1.0, 1.0, 41))


@dataclass(frozen=True)
class Levels:
    """Where intervals end, so that 80% of them hold what comes; as they are before any validation.

    Attributes:
        time: Levels of the gap's distribution at which the interval begins, its middle lies, and it ends.
        value: What the widths below and above the point are multiplied by.
        temperature: What the logits of the behaviors are divided by.
        events: Validation events of each that this was learned from; 0: none.
        returns: Makes chances to return of what the heads tell.
    """

    time: tuple[float, float, float] = (0.1, 0.5, 0.9)
    value: float = 1.0
    temperature: float = 1.0
    events: Mapping[str, int] | None = None
    returns: ReturnChances = field(default_factory=ReturnChances)

    def as_dict(self) -> dict[str, Any]:
        """As it stands on the card, under `forecast`."""
        return {
            "time": list(self.time),
            "value": self.value,
            "temperature": self.temperature,
            "events": dict(self.events or {}),
            "returns": self.returns.as_dict(),
        }

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Levels:
        """Of a run; the usual levels where it has none."""
        known = card.get("forecast")
        if not known:
            return cls()
        low, middle, high = known["time"]
        returns = ReturnChances.from_dict(known.get("returns"))  # an older run has none
        return cls((low, middle, high), known["value"], known["temperature"], known["events"], returns)


@dataclass(frozen=True, eq=False)
class Reading:
    """One row per request; None where the run does not tell.

    Attributes:
        behavior_NC: Chances of the behaviors.
        gap_N3: Low, middle and high of the gap, in seconds from the last event.
        returns_N: The chance of an event within the time asked.
        value_N3: Low, point and high.
    """

    behavior_NC: FloatArray | None
    gap_N3: FloatArray | None
    returns_N: FloatArray | None
    value_N3: FloatArray | None


def read(
    told: Told,
    upcoming: Heads,
    levels: Levels,
    silent_N: FloatArray,
    left_N: FloatArray | None = None,
    within_seconds: float = WEEK_SECONDS,
) -> Reading:
    """Make readable what is told.

    Args:
        told: Of N requests.
        upcoming: The heads; what they were not taught is left out.
        levels: Where intervals end.
        silent_N: Seconds from each user's last event until the question; NaN counts as 0.
        left_N: Moments are told of a return within so many seconds from the question; None or NaN: within as many as
            the training log spans.
        within_seconds: From the question on, for the chance to return.
    """
    answered = upcoming.answered
    behavior = gap = returns = value = None
    if told.behavior_NC is not None and "behavior" in answered:
        behavior = (told.behavior_NC / levels.temperature).softmax(-1).numpy()
    if told.gaps is not None and "time" in answered:
        silent = torch.from_numpy(np.nan_to_num(silent_N))
        left = _left(silent_N if left_N is None else left_N, left_N is None, upcoming)
        ends = [told.gaps.at_level(silent, torch.full_like(silent, level), left) for level in levels.time]
        gap = torch.stack(ends, dim=-1).numpy()
        returns = levels.returns.chance(partial(_hazard, told.gaps, silent), within_seconds)
    if told.value_N3 is not None and "value" in answered:
        value = _values(told.value_N3, upcoming, levels.value).numpy()
    return Reading(behavior, gap, returns, value)


def levels_of(told: Told, upcoming: Heads, asked: Asked, seed: int = 0) -> Levels:
    """Learn from validation events where intervals must end; what has fewer than 50 of them stays as it is.

    The intervals grow from the middle until they would have held four of five events (one in n more, so that the next
    one is promised it, too); the middle of when is where half of them came.

    Source: Vovk, Gammerman & Shafer 2005, split conformal prediction; Chernozhukov, Wüthrich & Zhu 2021
        (arXiv:1909.07889), which grows intervals by levels of the told distribution; Romano, Patterson & Candès 2019
        (arXiv:1905.03222) for quantiles of values; Guo et al. 2017 (arXiv:1706.04599), section 4.2, for chances.
    Differs: the middle is moved to the median level first; a mass at the same moment is in or out as a whole; widths of
        values are multiplied, not added to, so that ends never cross the point.
    """
    levels, events = Levels(), {}
    answered = upcoming.answered
    if told.gaps is not None and "time" in answered:
        known = np.flatnonzero(np.isfinite(asked.gap_N))
        events["time"] = len(known)
        if len(known) >= ENOUGH:
            gaps = told.gaps.take(torch.from_numpy(known))
            left = _left(asked.left_N[known], False, upcoming)
            ends = _time_levels(gaps, asked.silent_N[known], asked.gap_N[known], left, seed)
            levels = replace(levels, time=ends)
    if told.value_N3 is not None and "value" in answered:
        known = np.flatnonzero(np.isfinite(asked.value_N))
        events["value"] = len(known)
        if len(known) >= ENOUGH:
            true_N = upcoming.scale.scaled(torch.from_numpy(asked.value_N[known]))
            factor = _value_factor(told.value_N3[torch.from_numpy(known)], true_N)
            levels = replace(levels, value=factor)
    if told.behavior_NC is not None and "behavior" in answered:
        known = np.flatnonzero(asked.behavior_N)
        events["behavior"] = len(known)
        if len(known) >= ENOUGH:
            came_N = torch.from_numpy(asked.behavior_N[known] - 1)
            temperature = _temperature(told.behavior_NC[torch.from_numpy(known)], came_N)
            levels = replace(levels, temperature=temperature)
    return replace(levels, events=events)


def _hazard(gaps: Gaps, silent_N: Tensor, within_seconds: float) -> FloatArray:
    hazard_N: FloatArray = gaps.hazard(silent_N, within_seconds).numpy()
    return hazard_N


def _time_levels(
    gaps: Gaps, silent: FloatArray, gap: FloatArray, left_N: Tensor, seed: int
) -> tuple[float, float, float]:
    silent_N, gap_N = torch.from_numpy(silent), torch.from_numpy(gap)
    same_N = gaps.same_moment(silent_N, left_N).numpy()
    tie_N = (gap < SAME_MOMENT_SECONDS) & (silent < SAME_MOMENT_SECONDS)
    level_N = gaps.level(silent_N, gap_N, left_N).numpy()
    spread_N = np.random.default_rng(seed).random(len(gap)) * same_N  # of a mass, nobody can say where in it
    middle = float(np.clip(np.median(np.where(tie_N, spread_N, level_N)), 0.05, 0.95))
    beyond_N = np.where(level_N < middle, (middle - level_N) / middle, (level_N - middle) / (1 - middle))
    beyond_N = np.where(tie_N, np.maximum(0.0, 1 - same_N / middle), beyond_N)
    reach = min(_conformal(beyond_N), 1 - 1e-6)
    return middle * (1 - reach), middle, middle + reach * (1 - middle)


def _left(left_N: FloatArray, unknown: bool, upcoming: Heads) -> Tensor:
    """How long after the question a return counts, at least a second."""
    span = upcoming.span_seconds
    known_N = np.full(len(left_N), span) if unknown else np.where(np.isnan(left_N), span, left_N)
    return torch.from_numpy(np.maximum(known_N, SAME_MOMENT_SECONDS))


def _value_factor(value_N3: Tensor, true_N: Tensor) -> float:
    low_N, point_N, high_N = value_N3.unbind(-1)
    width_N = torch.where(true_N < point_N, point_N - low_N, high_N - point_N).clamp(min=1e-9)
    return _conformal(((true_N - point_N).abs() / width_N).numpy())


def _conformal(score_N: FloatArray) -> float:
    """The score that `COVERAGE` of the events do not exceed, with the event to come counted among them."""
    rank = min(math.ceil((len(score_N) + 1) * COVERAGE), len(score_N))
    return float(np.sort(score_N)[rank - 1])


def _temperature(logit_NC: Tensor, came_N: Tensor) -> float:
    losses = [float(torch.nn.functional.cross_entropy(logit_NC / t, came_N)) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def _values(value_N3: Tensor, upcoming: Heads, factor: float) -> Tensor:
    """In the values' own unit, widths stretched; not below 0 where the scale is logarithmic."""
    low_N, point_N, high_N = value_N3.unbind(-1)
    ends = [point_N - factor * (point_N - low_N), point_N, point_N + factor * (high_N - point_N)]
    restored_N3 = upcoming.scale.restored(torch.stack(ends, dim=-1))
    return restored_N3.clamp(min=0) if upcoming.scale.logged else restored_N3
