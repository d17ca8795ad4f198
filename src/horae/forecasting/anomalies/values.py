"""How odd is a value? In: cases. Out: a signal. Knows no models but the head that foretells values.

Robust baselines, medians of the events that were learned from: of the behavior, then of the item, then of the user,
each drawn towards the wider one. Where the run foretells values and does so with less error, its head is asked instead;
it does not know the item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import torch

from horae.evaluation.metrics.ranks import FloatArray
from horae.forecasting.anomalies.cases import Cases
from horae.forecasting.anomalies.signals import Signal
from horae.forecasting.anomalies.tails import Side
from horae.models.upcoming.scale import ValueScale
from horae.recommend.foretell import foretell, upcoming_of
from horae.schema import BEHAVIOR, ITEM, USER, VALUE

__all__ = ["value_signal"]

STRENGTH: Final = 2.0
"""How many events of the wider group a group's own median is mixed with."""
LEAST_SPREAD: Final = 0.02
"""Of a group, in spreads of all: an item whose price never changed makes a cent no wonder."""
Z: Final = "z"
FAR: Final = "far"


@dataclass(frozen=True, eq=False)
class _Usual:
    """What is usual, and how far off values are, on the scale of `ValueScale`."""

    middle_N: FloatArray
    low_N: FloatArray
    high_N: FloatArray


def value_signal(cases: Cases) -> tuple[Signal | None, tuple[str, ...]]:
    """The signal, None where no value is known."""
    value_E = cases.frame[VALUE].fill_null(float("nan")).to_numpy()
    value_E = np.where(np.isfinite(value_E), value_E, np.nan)
    value_N = value_E[cases.row_N]
    if np.isnan(value_N).all():
        return None, ("No value is known, so values are not judged.",)
    base_E = value_E[cases.base_E]
    scale = ValueScale()
    scale.look_at(base_E if not np.isnan(base_E).all() else value_N[cases.calibration_N])
    z_E = scale.scaled(torch.from_numpy(value_E)).numpy()
    z_N = z_E[cases.row_N]
    usual = _counted(cases, z_E)
    upcoming = upcoming_of(cases.recommender)
    if upcoming is not None and "value" in upcoming.answered:
        told = _told(cases, scale)
        usual = told if _error(cases, z_N, told) < _error(cases, z_N, usual) else usual
    over_N, under_N = z_N - usual.middle_N, usual.middle_N - z_N
    high = Side(np.where(np.isnan(z_N), np.nan, np.maximum(over_N, 0.0) / usual.high_N))
    low = Side(np.where(np.isnan(z_N), np.nan, np.maximum(under_N, 0.0) / usual.low_N))
    usual_N = scale.restored(torch.from_numpy(usual.middle_N)).numpy()

    def words(event: int) -> str:
        return f"value {value_N[event]:,.6g}, usual {usual_N[event]:,.3g}"

    return Signal("value", (high, low), words), ()


def _error(cases: Cases, z_N: FloatArray, usual: _Usual) -> float:
    known_N = cases.calibration_N & ~np.isnan(z_N)
    return float(np.abs(z_N - usual.middle_N)[known_N].mean()) if known_N.any() else np.inf


def _told(cases: Cases, scale: ValueScale) -> _Usual:
    recommender = cases.recommender
    upcoming, told = (
        upcoming_of(recommender),
        foretell(recommender, recommender.histories(cases.requests, whole=True)),
    )
    assert upcoming is not None and told.value_N3 is not None
    low_N, middle_N, high_N = (
        scale.scaled(upcoming.scale.restored(told.value_N3[:, n].double())).numpy() for n in range(3)
    )
    least = LEAST_SPREAD
    return _Usual(middle_N, np.maximum(middle_N - low_N, least), np.maximum(high_N - middle_N, least))


def _counted(cases: Cases, z_E: FloatArray) -> _Usual:
    """Medians of what was learned from: behavior, then item, then user; spreads by item."""
    frame = cases.frame.select(USER, ITEM, BEHAVIOR).with_columns(pl.Series(Z, z_E).fill_nan(None))
    base = frame.filter(pl.Series(cases.base_E) & frame[Z].is_not_null())
    asked = frame[cases.row_N]
    middle_N = np.zeros(asked.height)
    for key in (BEHAVIOR, ITEM, USER):
        base, add_N = _without(base, asked, key)
        middle_N += add_N
    all_spread = base[Z].abs().mean()
    whole = float(all_spread) if isinstance(all_spread, float) else 0.0
    groups = base.group_by(ITEM).agg(pl.len().alias("n"), pl.col(Z).abs().mean().alias(FAR))
    found = asked.join(groups, on=ITEM, how="left", maintain_order="left")
    count_N = found["n"].fill_null(0).to_numpy()
    spread_N = (count_N * found[FAR].fill_null(0.0).to_numpy() + STRENGTH * whole) / (count_N + STRENGTH)
    spread_N = np.maximum(spread_N, max(LEAST_SPREAD * whole, 1e-6))
    return _Usual(middle_N, spread_N, spread_N)


def _without(base: pl.DataFrame, asked: pl.DataFrame, key: str) -> tuple[pl.DataFrame, FloatArray]:
    """The base less its groups' medians, drawn towards 0; and the same medians for what is asked."""
    strength = 0.0 if key == BEHAVIOR else STRENGTH
    median = pl.col(Z).median() * pl.len() / (pl.len() + strength)
    groups = base.group_by(key).agg(median.alias("middle"))
    left = base.join(groups, on=key, how="left", maintain_order="left")
    found = asked.join(groups, on=key, how="left", maintain_order="left")
    add_N: FloatArray = found["middle"].fill_null(0.0).to_numpy()
    return left.with_columns(pl.col(Z) - pl.col("middle")).drop("middle"), add_N
