"""Opponents that cost a line each: seasonal naive, moving average, drift, last value; all series at once.

In: values before an origin, NaN where unknown. Out: lower bound, point and upper bound of each of the next bins. The
bounds are quantiles of what the same rule missed by on the history, as far ahead. Knows no dates.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Final

import numpy as np

from horae.forecasting.series.every import Floats

__all__ = ["SIMPLE", "drift", "filled", "last_value", "moving_average", "seasonal_naive"]

Levels = tuple[float, float, float]
SEASONS_AVERAGED: Final = 4
MOST_ERRORS: Final = 400
"""Bins of history whose errors make the bounds."""
LEADS: Final = 12
"""Bounds are taken at so many distances ahead, and drawn straight between."""


def seasonal_naive(value_ST: Floats, horizon: int, season: int, levels: Levels) -> Floats:
    """`said_SHQ`: the value of one season before; of the last season that is known, where that is further ahead.

    Source: Hyndman & Athanasopoulos 2021, Forecasting: principles and practice (3rd edition), section 5.2.
    Differs: an unknown value is replaced by the one another season before; bounds are empirical.
    """
    season = min(season, value_ST.shape[1])
    known_ST = filled(value_ST, season)
    ahead_H = np.arange(horizon)
    cycles_H = ahead_H // season + 1
    point_SH = known_ST[:, value_ST.shape[1] - season + ahead_H % season]
    point_SH = np.where(np.isnan(point_SH), _latest(value_ST)[:, None], point_SH)

    def missed(steps: int) -> Floats:
        return value_ST[:, steps * season :] - known_ST[:, : -steps * season]

    bounds = {int(steps): _quantiles(missed(int(steps)), levels) for steps in np.unique(cycles_H)}
    return _bounded(point_SH, np.stack([bounds[int(steps)] for steps in cycles_H], axis=1))


def moving_average(value_ST: Floats, horizon: int, season: int, levels: Levels) -> Floats:
    """`said_SHQ`: the mean of the last four seasons (of the last eight values, where there is no season).

    Source: Hyndman & Athanasopoulos 2021, section 5.2 (the mean, over a window).
    Differs: bounds are empirical.
    """
    width = SEASONS_AVERAGED * season if season > 1 else 8
    mean_ST = _running_mean(value_ST, width)
    point_S = np.where(np.isnan(mean_ST[:, -1]), _latest(value_ST), mean_ST[:, -1])
    return _at_leads(np.repeat(point_S[:, None], horizon, axis=1), mean_ST, value_ST, levels)


def last_value(value_ST: Floats, horizon: int, season: int, levels: Levels) -> Floats:
    """`said_SHQ`: the last known value.

    Source: Hyndman & Athanasopoulos 2021, section 5.2 (naive).
    Differs: bounds are empirical.
    """
    known_ST = filled(value_ST, 1)
    return _at_leads(np.repeat(known_ST[:, -1:], horizon, axis=1), known_ST, value_ST, levels)


def drift(value_ST: Floats, horizon: int, season: int, levels: Levels) -> Floats:
    """`said_SHQ`: the line through the first and the last known value, drawn on.

    Source: Hyndman & Athanasopoulos 2021, section 5.2 (drift).
    Differs: bounds are those of the last value's errors, without the part of the slope.
    """
    known_ST = filled(value_ST, 1)
    there = ~np.isnan(value_ST)
    first_S = there.argmax(axis=1)
    last_S = value_ST.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    row_S = np.arange(len(value_ST))
    rise_S = value_ST[row_S, last_S] - value_ST[row_S, first_S]
    slope_S = rise_S / np.maximum(last_S - first_S, 1)
    ahead_SH = value_ST.shape[1] - last_S[:, None] + np.arange(horizon)
    point_SH = value_ST[row_S, last_S][:, None] + slope_S[:, None] * ahead_SH
    return _at_leads(point_SH, known_ST, value_ST, levels)


SIMPLE: Final[dict[str, Callable[[Floats, int, int, Levels], Floats]]] = {
    "seasonal-naive": seasonal_naive,
    "moving-average": moving_average,
    "drift": drift,
    "last-value": last_value,
}


def filled(value_ST: Floats, season: int) -> Floats:
    """Unknown values replaced by the newest known one that lies whole seasons before; NaN where there is none."""
    rows, width = value_ST.shape
    pad = -width % season
    padded = np.concatenate([np.full((rows, pad), np.nan), value_ST], axis=1).reshape(rows, -1, season)
    cycle = np.arange(padded.shape[1])[:, None]
    source = np.maximum.accumulate(np.where(np.isnan(padded), -1, cycle), axis=1)
    taken = np.take_along_axis(padded, np.maximum(source, 0), axis=1)
    known: Floats = np.where(source < 0, np.nan, taken).reshape(rows, -1)[:, pad:]
    return known


def _latest(value_ST: Floats) -> Floats:
    newest: Floats = filled(value_ST, 1)[:, -1]
    return newest


def _running_mean(value_ST: Floats, width: int) -> Floats:
    """At each column, the mean of the known values among the last `width`, itself included."""
    there = ~np.isnan(value_ST)
    sums = _windowed_sum(np.where(there, value_ST, 0.0), width)
    counts = _windowed_sum(there.astype(np.float64), width)
    mean: Floats = np.divide(sums, counts, out=np.full(value_ST.shape, np.nan), where=counts > 0)
    return mean


def _windowed_sum(value_ST: Floats, width: int) -> Floats:
    """Sums of the last `width` columns, by doubling: unlike differences of running sums, nothing outside is in them."""
    total_ST, block_ST = np.zeros_like(value_ST), value_ST.copy()
    taken, size = 0, 1
    while size <= width:
        if width & size:
            total_ST[:, taken:] += block_ST[:, : max(value_ST.shape[1] - taken, 0)]
            taken += size
        block_ST[:, size:] += block_ST[:, :-size].copy()
        size *= 2
    return total_ST


def _at_leads(point_SH: Floats, rule_ST: Floats, value_ST: Floats, levels: Levels) -> Floats:
    """Points with bounds, from the errors of a rule that says at column t what comes at t + 1, t + 2, ..."""
    horizon = point_SH.shape[1]
    leads = np.unique(np.geomspace(1, horizon, min(LEADS, horizon)).round().astype(int))
    known = [lead for lead in leads.tolist() if lead < value_ST.shape[1]]
    if not known:
        return np.repeat(point_SH[:, :, None], 3, axis=2)
    found = np.stack([_quantiles(value_ST[:, lead:] - rule_ST[:, :-lead], levels) for lead in known], axis=1)
    step_H = np.arange(1, horizon + 1)
    place_H = np.interp(step_H, known, np.arange(len(known)))
    low_H = np.floor(place_H).astype(int)
    high_H = np.minimum(low_H + 1, len(known) - 1)
    share_H = (place_H - low_H)[None, :, None]
    return _bounded(point_SH, found[:, low_H] * (1 - share_H) + found[:, high_H] * share_H)


def _quantiles(error_ST: Floats, levels: Levels) -> Floats:
    """`[series, 2]`: the lower and the upper quantile of each row's known errors; 0 where there is none."""
    recent = error_ST[:, -MOST_ERRORS:]
    if recent.shape[1] == 0:
        return np.zeros((len(error_ST), 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row without any known error
        found = np.nanquantile(recent, [levels[0], levels[2]], axis=1).T
    return np.nan_to_num(found)


def _bounded(point_SH: Floats, error_SH2: Floats) -> Floats:
    """Lower bound, point, upper bound; the point never outside them."""
    low_SH = np.minimum(point_SH + error_SH2[..., 0], point_SH)
    high_SH = np.maximum(point_SH + error_SH2[..., 1], point_SH)
    return np.stack([low_SH, point_SH, high_SH], axis=2)
