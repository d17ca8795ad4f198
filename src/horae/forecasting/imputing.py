"""Filling missing values with a default that was measured (public as `horae.impute`).

In: a table with holes. Out: the same table, filled. Where nobody names a way, series are filled by the autoencoder,
which guesses best on most public sets (`python -m benchmarks imputing`), and events by what was last known, which looks
at nothing later. The ways and what they may look at: `horae.data.impute`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import polars as pl

from horae.data import impute as ways
from horae.data.filling.lines import Floats
from horae.data.filling.tables import Until
from horae.data.impute import FillSettings, Imputer, ImputeSettings
from horae.forecasting.autoencoder import AutoencoderSettings
from horae.schema import BEHAVIOR, USER, Events

__all__ = ["fit_imputer", "impute"]

Table = TypeVar("Table", Events, pl.DataFrame, Floats)


def impute(
    data: Table,
    settings: FillSettings | None = None,
    *,
    until: Until | None = None,
    every: str | None = None,
    by: Sequence[str] = (USER, BEHAVIOR),
) -> Table:
    """Fill missing values; known ones are never changed, and what cannot be guessed stays missing.

    Args:
        data: A matrix (times x series, NaN where missing), a frame of `series_id, timestamp, value` (or `date`), or
            Events.
        settings: The way; None: `AutoencoderSettings()` for series, `ImputeSettings("forward_fill")` for events.
        until: Where the training part ends, itself not in it: a time, or a row number of a matrix. None: for series
            all is training; for events nothing is, so that each value is guessed from what was before it.
        every: For a frame: the step of its grid, such as "1d"; rows that it lacks are added and filled.
        by: For events: what makes a line. The wider group is the key without its first column.

    Returns:
        The same kind of table. A frame has a further column `imputed`; Events have a further step in their report.

    Raises:
        DataError: Not such a table; a method that looks ahead, for events, without `until`.
        MissingExtraError: `nearest` without scikit-learn.
    """
    if settings is None:
        settings = ImputeSettings() if isinstance(data, Events) else AutoencoderSettings()
    return ways.impute(data, settings, until=until, every=every, by=by)


def fit_imputer(data: pl.DataFrame | Floats, settings: FillSettings | None = None) -> Imputer:
    """Learn from a training part, all of it; `Imputer.transform` fills what comes later.

    Args:
        data: A matrix (times x series, NaN where missing) or a frame of `series_id, timestamp, value`.
        settings: The way; None: `AutoencoderSettings()`.

    Raises:
        DataError: As `impute` has it.
        MissingExtraError: `nearest` without scikit-learn.
    """
    return ways.fit_imputer(data, settings or AutoencoderSettings())
