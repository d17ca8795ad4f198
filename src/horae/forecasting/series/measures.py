"""How wrong forecasts are: errors, the truth within bounds, and what a quantile costs.

In: true values and forecasts, NaN where unknown. Out: arrays of the same shape, to be averaged by whoever judges.
Knows no models.
"""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np

from horae.forecasting.series.every import Floats

__all__ = ["MEASURES", "measured", "scale_of"]

MEASURES: Final = ("mae", "mse", "mase", "coverage", "width", "pinball")
"""What `measured` gives; RMSE is the root of the mean of `mse`."""


def scale_of(value_ST: Floats, season: int, true_SH: Floats) -> Floats:
    """`scale_S`: the mean absolute difference to the value one season before, what MASE counts errors in.

    Where that is zero or cannot be had (a constant series, a short one): the difference to the value before; else the
    mean absolute value; of a history of zeros, the mean absolute value of what came; else 1. So it is never zero.

    Args:
        value_ST: The history.
        season: Bins of a season.
        true_SH: What came after it.

    Source: Hyndman & Koehler 2006 (doi:10.1016/j.ijforecast.2006.03.001), section 3, with the seasonal naive forecast.
    Differs: the fallbacks; the paper leaves such series undefined.
    """
    scale_S = np.full(len(value_ST), np.nan)
    candidates = [np.abs(value_ST[:, lag:] - value_ST[:, :-lag]) for lag in (season, 1) if lag < value_ST.shape[1]]
    for candidate in [*candidates, np.abs(value_ST), np.abs(true_SH)]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a row without any known difference
            mean_S = np.nanmean(candidate, axis=1)
        missing = ~(scale_S > 0)
        scale_S[missing] = mean_S[missing]
    return np.where(scale_S > 0, scale_S, 1.0)


def measured(true: Floats, said_Q: Floats, scale: Floats, levels: tuple[float, float, float]) -> dict[str, Floats]:
    """Each measure of each single forecast; NaN where the truth or the forecast is unknown.

    With `y` true, `l, f, u` the lower bound, the point and the upper bound, `q` a level:

        mae       |y - f|
        mse       (y - f)^2
        mase      |y - f| / scale
        coverage  1 where l <= y <= u, else 0
        width     (u - l) / scale
        pinball   mean over the levels of max(q (y - f_q), (q - 1) (y - f_q)) / scale

    Args:
        true: The true values, of any shape.
        said_Q: The same with one more axis: lower bound, point, upper bound.
        scale: From `scale_of`, of a shape that goes with `true`.
        levels: Of the three.

    Source: MASE as in `scale_of`; pinball: Koenker & Bassett 1978 (doi:10.2307/1913643), equation 2.1.
    Differs: pinball and width are in units of the scale too, so that series can be averaged.
    """
    error = np.abs(true - said_Q[..., 1])
    unknown = np.isnan(error)
    inside = (said_Q[..., 0] <= true) & (true <= said_Q[..., 2])
    over_Q = true[..., None] - said_Q
    level_Q = np.array(levels)
    pinball = np.maximum(level_Q * over_Q, (level_Q - 1) * over_Q).mean(axis=-1)
    return {
        "mae": error,
        "mse": error**2,
        "mase": error / scale,
        "coverage": np.where(unknown, np.nan, inside.astype(np.float64)),
        "width": np.where(unknown, np.nan, (said_Q[..., 2] - said_Q[..., 0]) / scale),
        "pinball": pinball / scale,
    }
