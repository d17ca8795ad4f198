"""Filling missing values: of regular series, and of the value column of events.

In: a matrix (times x series), a frame of `series_id, timestamp, value`, or Events; settings that name a method. Out:
the same table with what could be filled. The methods are in `filling/`; the network one is
`forecasting/autoencoder.py`, whose settings are taken here like the others. Users come by `forecasting/imputing.py`.

As of: whatever is learned (a mean, a season, neighbours) is learned from the training part, `until`. A row of the
training part may look at the whole training part; any other only at what stands strictly before it. So nothing at or
after a moment outside the training part changes what is said of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar, cast

import numpy as np
import polars as pl

from horae.data.cleaning.faults import MAX_EXAMPLES, short
from horae.data.filling.lines import Filler, Floats, Lines
from horae.data.filling.methods import Between, CarryForward, MeanSoFar, Middle, Seasonal
from horae.data.filling.tables import SERIES, Until, event_lines, matrix_lines, on_grid, series_frame, series_lines
from horae.errors import DataError
from horae.schema import BEHAVIOR, TIMESTAMP, USER, VALUE, DataReport, Events, Step

__all__ = ["LOOKS_AHEAD", "ImputeSettings", "Imputer", "fit_imputer", "impute"]

Table = TypeVar("Table", Events, pl.DataFrame, Floats)
Method = Literal["forward_fill", "mean", "median", "linear", "time", "seasonal", "nearest"]
LOOKS_AHEAD = ("median", "linear", "time", "seasonal", "nearest")
"""Methods that learn from, or look at, a training part as a whole: events need to be told where it ends."""


class FillSettings(Protocol):
    """Settings of a way to fill: `ImputeSettings`, or those of a network."""

    @property
    def looks_ahead(self) -> bool:
        """Does it need a training part?"""
        ...

    def fit(self, lines: Lines) -> Filler:
        """Learn from the training part."""
        ...


@dataclass(frozen=True)
class ImputeSettings:
    """How missing values are filled by counting.

    Attributes:
        method: `forward_fill`, `mean`, `median`, `linear` (by steps), `time` (by the clock), `seasonal` or `nearest`;
            each says at its class what it does at the edges.
        period: `seasonal`: steps in a season, such as 7 for a week of days.
        step_seconds: `seasonal` for events: how long a step is; a series' step is its own.
        neighbours: `nearest`: how many moments are averaged.
        lags: `nearest`: how many moments before and after are compared.

    Raises:
        DataError: An impossible value, or one that has no effect with the method.
    """

    method: Method = "forward_fill"
    period: int | None = None
    step_seconds: float | None = None
    neighbours: int = 5
    lags: int = 2

    def __post_init__(self) -> None:
        methods = ("forward_fill", "mean", *LOOKS_AHEAD)
        if self.method not in methods:
            raise DataError(f"method = {self.method!r} is not possible.", hint=f"One of {', '.join(methods)}.")
        if (self.method == "seasonal") != (self.period is not None):
            wrong = "needs a period" if self.period is None else f"period = {self.period} has no effect"
            raise DataError(f"method = {self.method!r}: {wrong}.", hint='ImputeSettings("seasonal", period=7).')
        if self.step_seconds is not None and (self.method != "seasonal" or self.step_seconds <= 0):
            raise DataError(
                f"step_seconds = {self.step_seconds:g} is not possible here.", hint="More than 0, for seasonal events."
            )
        if self.period is not None and self.period < 2:
            raise DataError(f"period = {self.period}: expected 2 or more.", hint="7 for weeks of daily values.")
        plain = ImputeSettings.neighbours, ImputeSettings.lags
        if self.method != "nearest" and (self.neighbours, self.lags) != plain:
            raise DataError(f"neighbours and lags have no effect with {self.method!r}.", hint="Remove them.")
        if self.neighbours < 1 or self.lags < 1:
            raise DataError("neighbours and lags: expected 1 or more.", hint="Raise them.")

    @property
    def looks_ahead(self) -> bool:
        """See `FillSettings`."""
        return self.method in LOOKS_AHEAD

    def fit(self, lines: Lines) -> Filler:
        """See `FillSettings`."""
        if self.method == "forward_fill":
            return CarryForward()
        if self.method in ("mean", "median"):
            if not lines.train_N.any():
                return MeanSoFar()
            return Middle.fit(lines, "mean" if self.method == "mean" else "median")
        if self.method in ("linear", "time"):
            return Between("step" if self.method == "linear" else "second")
        if self.method == "seasonal":
            assert self.period is not None
            return Seasonal.fit(lines, self.period, self.step_seconds)
        from horae.data.filling.nearest import Nearest

        return Nearest.fit(lines, self.neighbours, self.lags)


@dataclass(frozen=True, eq=False)
class Imputer:
    """What was learned from a training part, to fill other tables of the same series with."""

    filler: Filler
    method: str

    def transform(self, data: pl.DataFrame | Floats, until: Until | None = None) -> Any:
        """Fill a matrix, or a frame of series; known values are never changed.

        Args:
            data: Series that were fitted are found again by their id (their column, in a matrix). A matrix knows no
                times: its first row is taken for the first phase of a season.
            until: Rows before it may look at later ones before it; None: every row looks only at what is before it.

        Returns:
            As `impute` does.
        """
        train = until is not None
        if isinstance(data, np.ndarray):
            table = matrix_lines(data, until, train=train)
            filled_N, _ = _filled(table.lines, self.filler)
            return table.back(filled_N).reshape(data.shape)
        return _filled_series(series_frame(data), self.filler, until, train=train)


def fit_imputer(data: pl.DataFrame | Floats, settings: FillSettings) -> Imputer:
    """Learn from a training part, all of it; see `horae.fit_imputer`."""
    table = matrix_lines(data, None) if isinstance(data, np.ndarray) else series_lines(series_frame(data), None)
    return Imputer(settings.fit(table.lines), _name(settings))


def impute(
    data: Table,
    settings: FillSettings,
    *,
    until: Until | None = None,
    every: str | None = None,
    by: Sequence[str] = (USER, BEHAVIOR),
) -> Table:
    """Fill missing values; arguments as `horae.impute` has them, of which this is the work.

    Raises:
        DataError: Not such a table; a method that looks ahead, for events, without `until`.
        MissingExtraError: `nearest` without scikit-learn.
    """
    filled: Any  # of the kind that was given
    if isinstance(data, Events):
        filled = _filled_events(data, settings, until, by)
    elif isinstance(data, np.ndarray):
        table = matrix_lines(data, until)
        filled = table.back(_filled(table.lines, settings.fit(table.lines))[0]).reshape(data.shape)
    else:
        frame = series_frame(data)
        frame = frame if every is None else on_grid(frame, every)
        filled = _filled_series(frame, settings.fit(series_lines(frame, until).lines), until)
    return cast(Table, filled)


def fill_events(frame: pl.DataFrame, settings: FillSettings, until: Until | None, by: Sequence[str]) -> pl.Series:
    """The value column of events, filled; the frame is sorted by user, then place.

    Raises:
        DataError: As `impute` has it.
    """
    if settings.looks_ahead and until is None:
        raise DataError(
            f"{_name(settings)!r} looks at later events, so it needs to know where training ends.",
            hint='Give until="2024-05-01"; or use forward_fill or mean, which look at earlier events alone.',
        )
    if isinstance(settings, ImputeSettings) and settings.method == "seasonal" and settings.step_seconds is None:
        raise DataError("Events have no step of their own.", hint="Give step_seconds=86_400 for a season of days.")
    table = event_lines(frame, by, until)
    filled_N = table.back(_filled(table.lines, settings.fit(table.lines))[0])
    return pl.Series(VALUE, filled_N, nan_to_null=True)


def _filled_events(events: Events, settings: FillSettings, until: Until | None, by: Sequence[str]) -> Events:
    values = fill_events(events.frame, settings, until, by)
    fresh = events.frame[VALUE].is_null() & values.is_not_null()
    report = DataReport.from_dict(events.report.as_dict())
    report.add(imputed_step(events.frame.with_columns(values), fresh, _name(settings)))
    return replace(events, frame=events.frame.with_columns(values), report=report)


def imputed_step(frame: pl.DataFrame, fresh: pl.Series, method: str) -> Step:
    """What was filled, and how much could not be."""
    left = frame[VALUE].null_count()
    shown = frame.filter(fresh).head(MAX_EXAMPLES).iter_rows(named=True)
    examples = tuple(
        f"user {short(row[USER])}, {row[BEHAVIOR]}, {row[TIMESTAMP]:%Y-%m-%d %H:%M:%S}: {row[VALUE]:g}"
        if row[TIMESTAMP] is not None
        else f"user {short(row[USER])}, {row[BEHAVIOR]}, time unknown: {row[VALUE]:g}"
        for row in shown
    )
    message = f"missing values were filled by {method}; {left:,} stay missing, as nothing tells of them."
    return Step("missing", "changed", int(fresh.sum()), message, examples)


def _filled_series(frame: pl.DataFrame, filler: Filler, until: Until | None, *, train: bool = True) -> pl.DataFrame:
    table = series_lines(frame, until, train=train)
    filled_N, fresh_N = _filled(table.lines, filler)
    values, fresh = table.back(filled_N), np.empty(frame.height, dtype=np.bool_)
    fresh[table.order_N] = fresh_N
    columns = [pl.Series(VALUE, values, nan_to_null=True), pl.Series("imputed", fresh)]
    return frame.select(SERIES, TIMESTAMP, VALUE).with_columns(columns)


def _filled(lines: Lines, filler: Filler) -> tuple[Floats, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Values with guesses where they were missing; and where that is."""
    if not len(lines.value_N) or lines.known_N.all():
        return lines.value_N.copy(), np.zeros(len(lines.value_N), dtype=np.bool_)
    guess_N = filler.guess(lines)
    fresh_N = ~lines.known_N & np.isfinite(guess_N)
    return np.where(fresh_N, guess_N, lines.value_N), fresh_N


def _name(settings: FillSettings) -> str:
    return str(getattr(settings, "method", "autoencoder"))
