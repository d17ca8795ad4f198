"""ETS and ARIMA by the library statsmodels (extra `series`), one series after the other, on the largest series only.

In: values before an origin. Out: lower bound, point and upper bound, NaN for series beyond the limit. Orders are chosen
by AIC over a small grid where the method is fitted; at later origins its parameters stay and the newer values go in.
Warnings of the library are silenced here and nowhere else; fits that did not converge are counted. Knows no dates.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from horae.errors import MissingExtraError
from horae.forecasting.series.every import Floats
from horae.forecasting.series.settings import LONGEST_SEASON
from horae.forecasting.series.simple import filled

__all__ = ["ARIMA", "CLASSIC", "ETS", "have_statsmodels"]

ETS_MODULE: Final = "statsmodels.tsa.exponential_smoothing.ets"
SARIMAX_MODULE: Final = "statsmodels.tsa.statespace.sarimax"
LONGEST: Final = 730
"""Newest bins that are looked at: older ones cost time and tell little."""
Orders = tuple[tuple[int, int, int], tuple[int, int, int, int]]


class _Classic(ABC):
    """One fitted model per series, on the largest `most` of them.

    Attributes:
        covers: How many series it forecasts.
        not_converged: Fits whose optimiser gave up before its goal.
    """

    def __init__(self, season: int, levels: tuple[float, float, float], most: int) -> None:
        self.season = season if 1 < season <= LONGEST_SEASON else 1
        self.alpha = levels[0] * 2
        self.covers = most
        self.not_converged = 0
        self._chosen: dict[int, Any] = {}

    def fit(self, value_ST: Floats) -> None:
        """Choose an order and its parameters for each series anew."""
        self._chosen = {}
        with _quiet():
            for row in range(min(self.covers, len(value_ST))):
                values = self._values(value_ST[row])
                if len(values) >= max(10, 2 * self.season + 2) and np.nanmax(values) > np.nanmin(values):
                    self._chosen[row] = min(self._tried(values), key=lambda one: one[0], default=(0.0, None))[1]

    def forecast(self, value_ST: Floats, horizon: int) -> Floats:
        """`said_SHQ`; NaN for a series that is not among the largest, or too short where the method was fitted."""
        said_SHQ = np.full((len(value_ST), horizon, 3), np.nan)
        with _quiet():
            for row, chosen in self._chosen.items():
                if chosen is not None:
                    said_SHQ[row] = self._said(self._values(value_ST[row]), chosen, horizon)
        said_SHQ[~np.isfinite(said_SHQ).all(axis=(1, 2))] = np.nan
        return said_SHQ

    def _tried(self, values: Floats) -> Iterator[tuple[float, Any]]:
        """AIC and model of each order that could be fitted."""
        for order in self._grid(values):
            try:
                fitted = self._fitted(values, order)
            except (np.linalg.LinAlgError, ValueError):  # the library's way to say that an order does not go
                continue
            self.not_converged += int(not fitted.mle_retvals.get("converged", True))
            if np.isfinite(fitted.aic):
                yield float(fitted.aic), (order, fitted.params)

    def _values(self, value_T: Floats) -> Floats:
        """From the first known value, as long as is looked at."""
        known = np.flatnonzero(~np.isnan(value_T))
        return value_T[known[0] :][-LONGEST:] if len(known) else value_T[:0]

    @abstractmethod
    def _grid(self, values: Floats) -> Sequence[Any]:
        """Orders to try."""

    @abstractmethod
    def _fitted(self, values: Floats, order: Any) -> Any:
        """The library's result for one order."""

    @abstractmethod
    def _said(self, values: Floats, chosen: Any, horizon: int) -> Floats:
        """Bounds and point of each bin ahead, from an order and its parameters."""


class ETS(_Classic):
    """Exponential smoothing with additive errors: a level, with or without a damped slope and an additive season.

    Source: Hyndman & Athanasopoulos 2021, Forecasting: principles and practice (3rd edition), chapter 8, as
        `statsmodels.tsa.exponential_smoothing.ets.ETSModel` has it.
    Differs: unknown values are taken from one season before; of the thirty models, four are tried.
    """

    GRID: Final = ((None, None), ("add", None), (None, "add"), ("add", "add"))

    def _values(self, value_T: Floats) -> Floats:
        values = super()._values(value_T)
        if not np.isnan(values).any():
            return values
        seasonal = filled(values[None], self.season)[0]
        return np.asarray(np.where(np.isnan(seasonal), filled(values[None], 1)[0], seasonal))

    def _grid(self, values: Floats) -> Sequence[Any]:
        return [pair for pair in self.GRID if pair[1] is None or self.season > 1]

    def _fitted(self, values: Floats, order: Any) -> Any:
        return self._model(values, *order).fit(disp=False, maxiter=200)

    def _said(self, values: Floats, chosen: Any, horizon: int) -> Floats:
        order, parameters = chosen
        smoothed = self._model(values, *order).smooth(parameters)
        return _bounds(smoothed.get_prediction(start=len(values), end=len(values) + horizon - 1), self.alpha, "pi")

    def _model(self, values: Floats, trend: str | None, seasonal: str | None) -> Any:
        ets = importlib.import_module(ETS_MODULE)
        pandas = importlib.import_module("pandas")
        periods = self.season if seasonal else None
        return ets.ETSModel(
            pandas.Series(values), trend=trend, damped_trend=trend is not None, seasonal=seasonal,
            seasonal_periods=periods,
        )  # fmt: skip


class ARIMA(_Classic):
    """Seasonal ARIMA: differenced so that the least is left to vary, then of six orders the one with the least AIC.

    Source: Hyndman & Athanasopoulos 2021, chapter 9, as `statsmodels.tsa.statespace.sarimax.SARIMAX` has it.
    Differs: the differences are chosen by the standard deviation that they leave, not by unit-root tests; the grid is
        small, and seasons of more than 24 bins have no terms.
    """

    ORDERS: Final = ((0, 1, 0, 0), (1, 0, 0, 0), (1, 1, 0, 0), (1, 1, 0, 1), (0, 1, 0, 1), (1, 0, 1, 0))
    """p, q, P, Q; those with P or Q only where there is a season."""

    def _grid(self, values: Floats) -> Sequence[Any]:
        once, seasonally = self._differences(values)
        return [
            ((p, once, q), (seasonal_p, seasonally, seasonal_q, self.season if self.season > 1 else 0))
            for p, q, seasonal_p, seasonal_q in self.ORDERS
            if self.season > 1 or not (seasonal_p or seasonal_q)
        ]

    def _fitted(self, values: Floats, order: Any) -> Any:
        return self._model(values, order).fit(disp=False, maxiter=50, cov_type="none")

    def _said(self, values: Floats, chosen: Any, horizon: int) -> Floats:
        orders, parameters = chosen
        smoothed = self._model(values, orders).filter(parameters, cov_type="none")
        return _bounds(smoothed.get_forecast(horizon), self.alpha, "mean_ci")

    def _differences(self, values: Floats) -> tuple[int, int]:
        """How often to take differences to the value before, and to that of one season before."""
        left: dict[tuple[int, int], float] = {}
        for seasonally in (0, 1) if self.season > 1 else (0,):
            seasoned = values[self.season :] - values[: -self.season] if seasonally else values
            for once in (0, 1):
                left[once, seasonally] = float(np.nanstd(np.diff(seasoned) if once else seasoned))
        return min(left, key=lambda pair: (left[pair], pair))

    def _model(self, values: Floats, orders: Orders) -> Any:
        sarimax = importlib.import_module(SARIMAX_MODULE)
        order, seasonal = orders
        trend = "c" if order[1] == seasonal[1] == 0 else None
        return sarimax.SARIMAX(values, order=order, seasonal_order=seasonal, trend=trend)


CLASSIC: Final[dict[str, type[ETS] | type[ARIMA]]] = {"ets": ETS, "arima": ARIMA}


def have_statsmodels(needed: Sequence[str] = ()) -> bool:
    """Is the library there?

    Raises:
        MissingExtraError: It is not, and `needed` names methods that need it.
    """
    found = importlib.util.find_spec("statsmodels") is not None
    if needed and not found:
        raise MissingExtraError(
            f"{', '.join(needed)}: statsmodels is not installed.", hint="Install it with: pip install 'horae[series]'"
        )
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        for module in (ETS_MODULE, SARIMAX_MODULE):
            importlib.import_module(module)  # which asks for its warnings to be shown: silenced after it
        warnings.simplefilter("ignore")
        yield


def _bounds(prediction: Any, alpha: float, name: str) -> Floats:
    """`[horizon, 3]`; `name` is what the library calls its bounds."""
    frame = prediction.summary_frame(alpha=alpha)
    columns = (f"{name}_lower", "mean", f"{name}_upper")
    bounds: Floats = np.stack([np.asarray(frame[column], dtype=np.float64) for column in columns], axis=1)
    return bounds
