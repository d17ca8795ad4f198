"""The chance to return, set right: what a run tells, and what validation says that it should have told.

In: cumulative hazards, as the heads tell them, and who came. Out: chances. Asked for at fixed horizons; in between they
follow the told hazard. This module knows neither users nor networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from horae.evaluation.metrics.ranks import BoolArray, FloatArray

__all__ = ["DAY_SECONDS", "HORIZONS_SECONDS", "ReturnChances", "fit_returns"]

DAY_SECONDS = 86_400.0
HORIZONS_SECONDS = (DAY_SECONDS, 7 * DAY_SECONDS, 28 * DAY_SECONDS)
ENOUGH = 50
"""People who came, and people who did not: with fewer of either, a horizon teaches nothing."""
LEAST, MOST = 1e-9, 50.0
"""Of a cumulative hazard, so that its logarithm is finite."""


@dataclass(frozen=True)
class ReturnChances:
    """`1 - exp(-e^b H^a)` for a told cumulative hazard `H = -log(1 - chance)`, with `a > 0` and `b` for each horizon.

    A larger told chance is never made the smaller one. Between two horizons the set hazard goes from one to the other
    as the told one does, and a longer time is never told a smaller chance; before the first and after the last horizon
    their own `a` and `b` hold. Without any horizon everything stays as it is told.

    Attributes:
        seconds: The horizons, ascending.
        slopes: `a` of each.
        intercepts: `b` of each.
        events: Questions behind each.

    Source: Crowson, Atkinson & Therneau 2016 (doi:10.1177/0962280213497434), section 3: `log H` of a survival model as
        the covariate of a new one. Differs: a horizon at a time, by the likelihood of who came within it.
    """

    seconds: tuple[float, ...] = ()
    slopes: tuple[float, ...] = ()
    intercepts: tuple[float, ...] = ()
    events: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As it stands on the card."""
        return {name: list(numbers) for name, numbers in vars(self).items()}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any] | None) -> ReturnChances:
        """The inverse; of a run without it, what changes nothing."""
        return cls(**{name: tuple(numbers) for name, numbers in (known or {}).items()})

    def chance(self, hazard_of: Callable[[float], FloatArray], within_seconds: float) -> FloatArray:
        """The chance to return within a time.

        Args:
            hazard_of: The told cumulative hazard of each request, within so many seconds.
            within_seconds: The time.
        """
        return -np.expm1(-self._hazard(hazard_of, within_seconds))

    def _hazard(self, hazard_of: Callable[[float], FloatArray], within_seconds: float) -> FloatArray:
        told_N = hazard_of(within_seconds)
        if not self.seconds:
            return told_N
        if within_seconds <= self.seconds[0]:
            return _set_right(told_N, self.slopes[0], self.intercepts[0])
        before_N = set_before_N = np.zeros_like(told_N)
        for seconds, slope, intercept in zip(self.seconds, self.slopes, self.intercepts, strict=True):
            horizon_N = hazard_of(seconds)
            set_N = np.maximum(_set_right(horizon_N, slope, intercept), set_before_N)
            if within_seconds <= seconds:
                gone_N = _share(told_N - before_N, horizon_N - before_N)
                return set_before_N + gone_N * (set_N - set_before_N)
            before_N, set_before_N = horizon_N, set_N
        return np.maximum(_set_right(told_N, self.slopes[-1], self.intercepts[-1]), set_before_N)


def fit_returns(questions: Sequence[tuple[float, FloatArray, BoolArray]]) -> ReturnChances:
    """Learn from what came.

    Args:
        questions: A horizon in seconds, the told hazards within it, and who came within it; ascending. Whoever's time
            was not over when the log ended must not be among them.
    """
    enough = [one for one in questions if min(one[2].sum(), (~one[2]).sum()) >= ENOUGH]
    found = [_fitted(told_N, came_N) for _, told_N, came_N in enough]
    return ReturnChances(
        tuple(seconds for seconds, _, _ in enough),
        tuple(slope for slope, _ in found),
        tuple(intercept for _, intercept in found),
        tuple(len(came_N) for _, _, came_N in enough),
    )


def _fitted(told_N: FloatArray, came_N: BoolArray) -> tuple[float, float]:
    """`a` and `b` of the greatest likelihood, held near 1 and 0 by the weight of one event."""

    def surprise(parameters: FloatArray) -> float:
        hazard_N = _set_right(told_N, float(np.exp(parameters[0])), float(parameters[1]))
        came = np.log(-np.expm1(-hazard_N[came_N])).sum()
        return float(hazard_N[~came_N].sum() - came + 0.5 * np.square(parameters).sum())

    log_slope, intercept = minimize(surprise, np.zeros(2), method="Nelder-Mead").x
    return float(np.exp(log_slope)), float(intercept)


def _set_right(told_N: FloatArray, slope: float, intercept: float) -> FloatArray:
    hazard_N: FloatArray = np.exp(intercept + slope * np.log(np.clip(told_N, LEAST, MOST)))
    return np.clip(hazard_N, LEAST, MOST)


def _share(part_N: FloatArray, whole_N: FloatArray) -> FloatArray:
    share_N: FloatArray = np.divide(part_N, whole_N, out=np.ones_like(part_N), where=whole_N > 0)
    return np.clip(share_N, 0.0, 1.0)
