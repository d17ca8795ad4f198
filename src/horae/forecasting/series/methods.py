"""Every way of forecasting series behind one face: lines, ETS, ARIMA, networks.

In: a name. Out: a `Method`, which is fitted on a table and asked for the bins after another. It judges nothing.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import torch

from horae.errors import RecipeError
from horae.forecasting.series.classic import CLASSIC, have_statsmodels
from horae.forecasting.series.every import Floats
from horae.forecasting.series.fitting import Fitted, Trainer
from horae.forecasting.series.network import NETWORKS
from horae.forecasting.series.settings import SeriesSettings
from horae.forecasting.series.simple import SIMPLE
from horae.forecasting.series.table import SeriesTable

__all__ = ["FALLBACK", "METHODS", "Method", "method_of", "names_for", "said_by"]

METHODS: Final = (*NETWORKS, *SIMPLE, *CLASSIC)
FALLBACK: Final = "seasonal-naive"
"""What speaks for a series that a method cannot forecast."""


class Method(Protocol):
    """What every method is.

    Attributes:
        name: As in `METHODS`.
    """

    name: str

    def fit(self, table: SeriesTable) -> None:
        """Learn from what is known."""
        ...

    def forecast(self, table: SeriesTable, horizon: int) -> Floats:
        """`said_SHQ`: lower bound, point and upper bound of the bins after the table's; NaN where it cannot say."""
        ...

    def facts(self) -> dict[str, int]:
        """What is worth telling about how it was fitted."""
        ...


class _Line:
    def __init__(self, name: str, levels: tuple[float, float, float]) -> None:
        self.name, self._levels = name, levels

    def fit(self, table: SeriesTable) -> None:
        """Nothing to learn."""

    def forecast(self, table: SeriesTable, horizon: int) -> Floats:
        return SIMPLE[self.name](table.value_ST, horizon, table.season, self._levels)

    def facts(self) -> dict[str, int]:
        return {}


class _Library:
    def __init__(self, name: str, season: int, levels: tuple[float, float, float], most: int) -> None:
        self.name, self._own = name, CLASSIC[name](season, levels, most)

    def fit(self, table: SeriesTable) -> None:
        self._own.fit(table.value_ST)

    def forecast(self, table: SeriesTable, horizon: int) -> Floats:
        return self._own.forecast(table.value_ST, horizon)

    def facts(self) -> dict[str, int]:
        return {"series_at_most": self._own.covers, "not_converged": self._own.not_converged}


class _Network:
    """The first fit finds out how many rounds are enough; the later ones take as many, on all windows."""

    def __init__(self, trainer: Trainer) -> None:
        self.name, self._trainer = trainer.name, trainer
        self._epochs: int | None = None
        self._fitted: Fitted | None = None

    def fit(self, table: SeriesTable) -> None:
        self._fitted = self._trainer.fit(table, self._epochs)
        self._epochs = max(self._fitted.epochs, 1)

    def forecast(self, table: SeriesTable, horizon: int) -> Floats:
        assert self._fitted is not None and horizon == self._trainer.horizon
        return self._trainer.forecast(self._fitted, table)

    def facts(self) -> dict[str, int]:
        parameters = sum(one.numel() for one in self._fitted.network.parameters()) if self._fitted else 0
        return {"epochs": self._epochs or 0, "parameters": parameters}


def method_of(
    name: str, season: int, horizon: int, settings: SeriesSettings, most: int, seed: int, device: torch.device
) -> Method:
    """Make a method; `most` bounds how many series ETS and ARIMA take."""
    if name in SIMPLE:
        return _Line(name, settings.levels)
    if name in CLASSIC:
        return _Library(name, season, settings.levels, most)
    return _Network(Trainer(name, settings.network, horizon, settings.levels, seed, device))


def names_for(model: str, settings: SeriesSettings) -> tuple[list[str], list[str]]:
    """The methods to be judged, and notes: for `auto` all of them, else the one that is meant beside the opponents.

    Raises:
        RecipeError: No such method.
        MissingExtraError: It needs a library that is not there.
    """
    if model not in (*METHODS, "auto"):
        raise RecipeError(f"There is no method {model!r}.", hint=f"Choose from auto, {', '.join(METHODS)}.")
    networks = list(NETWORKS) if model == "auto" else [model] if model in NETWORKS else []
    wanted = [model] if model in CLASSIC else []
    notes = []
    classic = list(CLASSIC) if settings.classic_series else wanted
    if classic and not have_statsmodels(wanted):
        notes.append("ETS and ARIMA are not beside: statsmodels is not installed (pip install 'horae[series]').")
        classic = []
    return [*networks, *SIMPLE, *classic], notes


def said_by(method: Method, table: SeriesTable, horizon: int) -> Floats:
    """What a method says, with what holds of all: no quantile crosses, and what was never negative stays so."""
    said_SHQ = np.sort(method.forecast(table, horizon), axis=2)
    lowest_S = np.where(np.isnan(table.value_ST), np.inf, table.value_ST).min(axis=1)
    said_SHQ[lowest_S >= 0] = np.maximum(said_SHQ[lowest_S >= 0], 0.0)
    return said_SHQ
