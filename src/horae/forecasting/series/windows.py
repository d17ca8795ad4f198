"""Series to the inputs of a network: windows of scaled values, lags, the calendar, and the bins asked about.

In: `SeriesTable`. Out: `Windows`, batches of them. A window knows nothing of the bin at its end or later, its scale
included. It does not know networks.

    B   windows in a batch          F   features of a bin of the past
    L   bins of the past            G   features of a bin asked about
    H   bins asked about
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from horae.forecasting.series.every import CALENDAR_FEATURES, Floats, Ints
from horae.forecasting.series.simple import filled
from horae.forecasting.series.table import SeriesTable

__all__ = ["ASKED_FEATURES", "PAST_FEATURES", "WindowBatch", "Windows"]

PAST_FEATURES: Final = 3 + CALENDAR_FEATURES
"""Of a bin of the past: its scaled value, whether it is known, the value a season before, the calendar; beside them
what is known ahead, where it was given."""
ASKED_FEATURES: Final = 3 + CALENDAR_FEATURES
"""Of a bin asked about: the value of the last season, the mean of the last four, how far ahead it is, the calendar."""
CYCLES: Final = 4
FLAT: Final = 1e-6
"""A deviation that is less than this share of the mean is rounding."""


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """Windows as a network takes them.

    Shape:
        past_BLF, asked_BHG float32; time_BL, next_time_BL float64, seconds; length_B, series_B int64; target_BH
        float32, scaled, NaN where unknown or not given. Padding is at the right.
    """

    past_BLF: Tensor
    asked_BHG: Tensor
    time_BL: Tensor
    next_time_BL: Tensor
    length_B: Tensor
    series_B: Tensor
    target_BH: Tensor


class Windows:
    """Windows over the series of a table.

    Args:
        table: The series; a window that ends at a column sees the columns before it.
        length: Bins that a window looks back at.
        horizon: Bins that are asked about.
        asinh: Draw large values in.
    """

    def __init__(self, table: SeriesTable, length: int, horizon: int, asinh: bool) -> None:
        self.length, self.horizon, self.asinh = length, horizon, asinh
        self.first_S = table.first_S
        self.num_bins = table.num_bins
        season = min(table.season, table.num_bins)
        self._season = season
        future = np.full((len(table), horizon), np.nan)
        self._value_ST = np.concatenate([table.value_ST, future], axis=1)
        self._known_ST = filled(self._value_ST, season)  # in the columns of the future: the last season's values
        self._newest_ST = filled(table.value_ST, 1)
        self._deviation_ST = _running_deviation(table.value_ST)
        bins = table.bins(0, table.num_bins + horizon + 1)
        self._calendar_TC = table.every.calendar(bins)
        self._seconds_T = table.every.start_seconds(bins)
        self._ahead = table.ahead

    def batch(self, series_B: Ints, end_B: Ints) -> tuple[WindowBatch, Floats]:
        """The windows of series that end before columns, and `scale_B2`: the middle and the spread of each."""
        length_B = np.minimum(end_B - self.first_S[series_B], self.length).clip(min=1)
        column_BL = (end_B - length_B)[:, None] + np.arange(self.length)
        real_BL = np.arange(self.length) < length_B[:, None]
        column_BL = np.where(real_BL, column_BL, np.maximum(end_B - 1, 0)[:, None])
        value_BL = np.where(real_BL, self._value_ST[series_B[:, None], column_BL], np.nan)
        scale_B2 = self._scale(value_BL, series_B, end_B)
        ahead_BH = end_B[:, None] + np.arange(self.horizon)
        lag_BL = self._lagged(series_B, column_BL, 1)
        past = [self._scaled(value_BL, scale_B2), ~np.isnan(value_BL), self._scaled(lag_BL, scale_B2)]
        cycles = self._seasons(series_B, end_B)
        far_BH = np.broadcast_to(np.arange(1, self.horizon + 1) / self.horizon, ahead_BH.shape)
        asked = [self._scaled(cycles[0], scale_B2), self._scaled(_mean(cycles), scale_B2), far_BH]
        batch = WindowBatch(
            past_BLF=_tensor(_beside(past, self._known(series_B, end_B, column_BL))),
            asked_BHG=_tensor(_beside(asked, self._known(series_B, end_B, ahead_BH))),
            time_BL=torch.from_numpy(self._seconds_T[column_BL]),
            next_time_BL=torch.from_numpy(self._seconds_T[column_BL + 1]),
            length_B=torch.from_numpy(length_B),
            series_B=torch.from_numpy(series_B),
            target_BH=_tensor(self._scaled(self._value_ST[series_B[:, None], ahead_BH], scale_B2)),
        )
        return batch, scale_B2

    def unscaled(self, scaled_BHQ: Floats, scale_B2: Floats) -> Floats:
        """What `batch` scaled, in the series' own units again."""
        plain = np.sinh(scaled_BHQ) if self.asinh else scaled_BHQ
        value: Floats = plain * scale_B2[:, 1, None, None] + scale_B2[:, 0, None, None]
        return value

    def _known(self, series_B: Ints, end_B: Ints, column_BL: Ints) -> Floats:
        """The calendar of bins, and what else was known of them ahead when the window ended."""
        calendar = self._calendar_TC[column_BL]
        if self._ahead is None:
            return calendar
        return np.concatenate([calendar, self._ahead.of(series_B, end_B, column_BL)], axis=-1)

    def _scaled(self, value: Floats, scale_B2: Floats) -> Floats:
        scaled: Floats = (value - scale_B2[:, :1]) / scale_B2[:, 1:]
        return np.arcsinh(scaled) if self.asinh else scaled

    def _scale(self, value_BL: Floats, series_B: Ints, end_B: Ints) -> Floats:
        """The mean of each window and its mean absolute deviation; where nothing in it varies, of all before it."""
        there_BL = ~np.isnan(value_BL)
        count_B = np.maximum(there_BL.sum(axis=1), 1)
        mean_B = np.where(there_BL, value_BL, 0.0).sum(axis=1) / count_B
        before_B = np.maximum(end_B - 1, 0)
        newest_B = np.nan_to_num(self._newest_ST[series_B, before_B])
        mean_B = np.where(there_BL.any(axis=1), mean_B, newest_B)
        spread_B = np.where(there_BL, np.abs(value_BL - mean_B[:, None]), 0.0).sum(axis=1) / count_B
        flat_B = spread_B <= FLAT * np.abs(mean_B)
        spread_B = np.where(flat_B, self._deviation_ST[series_B, before_B], spread_B)
        flat_B = ~(spread_B > FLAT * np.abs(mean_B))
        spread_B = np.where(flat_B, np.where(mean_B == 0, 1.0, np.abs(mean_B)), spread_B)
        return np.stack([mean_B, spread_B], axis=1)

    def _lagged(self, series_B: Ints, column_BL: Ints, seasons: int) -> Floats:
        lag_BL = column_BL - seasons * self._season
        found = self._value_ST[series_B[:, None], np.maximum(lag_BL, 0)]
        return np.where(lag_BL >= 0, found, np.nan)

    def _seasons(self, series_B: Ints, end_B: Ints) -> list[Floats]:
        """For each bin asked about, the values of the last seasons that lie before the window's end, newest first."""
        step_H = np.arange(self.horizon) % self._season
        newest_BH = end_B[:, None] - self._season + step_H
        found = []
        for cycle in range(CYCLES):
            column_BH = newest_BH - cycle * self._season
            source = self._known_ST if cycle == 0 else self._value_ST
            value_BH = source[series_B[:, None], np.maximum(column_BH, 0)]
            found.append(np.where(column_BH >= 0, value_BH, np.nan))
        return found


def _running_deviation(value_ST: Floats) -> Floats:
    """At each column, the standard deviation of the known values so far; 0 where there is none."""
    there = ~np.isnan(value_ST)
    shift_S1 = np.where(there.any(axis=1), value_ST[np.arange(len(value_ST)), there.argmax(axis=1)], 0.0)[:, None]
    moved = np.where(there, value_ST - shift_S1, 0.0)
    count = np.maximum(np.cumsum(there, axis=1), 1)
    mean = np.cumsum(moved, axis=1) / count
    spread: Floats = np.sqrt(np.maximum(np.cumsum(moved**2, axis=1) / count - mean**2, 0.0))
    return spread


def _mean(cycles: list[Floats]) -> Floats:
    there = [~np.isnan(cycle) for cycle in cycles]
    total = np.sum([np.nan_to_num(cycle) for cycle in cycles], axis=0)
    count = np.sum(there, axis=0)
    mean: Floats = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _beside(features: list[Floats], calendar: Floats) -> Floats:
    """Features one beside the other; unknown ones become 0, the middle of the window."""
    columns = [np.nan_to_num(np.asarray(feature, dtype=np.float64))[..., None] for feature in features]
    return np.concatenate([*columns, calendar], axis=-1)


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
