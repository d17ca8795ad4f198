"""Series made by a known rule."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from horae.forecasting.series.every import Every
from horae.forecasting.series.table import SeriesTable

MONDAY = 19_723
"""The bin of 2024-01-01."""


def table_of(*rows: Sequence[float], season: int = 7) -> SeriesTable:
    """A daily table of the given values."""
    value_ST = np.array(rows, dtype=np.float64)
    keys = pl.Series([f"s{n}" for n in range(len(rows))])
    return SeriesTable(keys, value_ST, MONDAY, Every.parse("1d"), season)


def weekly(series: int = 12, days: int = 120, noise: float = 0.3, seed: int = 0) -> SeriesTable:
    """Each series has its own size; all share a week's shape and a pulse every 10 days that no naive method sees."""
    rng = np.random.default_rng(seed)
    day = np.arange(days)
    shape = np.array([1.0, 1.2, 1.1, 1.3, 2.0, 3.0, 0.5])[day % 7]
    size = rng.uniform(5, 500, series)[:, None]
    return table_of(*(size * (shape + noise * rng.normal(size=(series, days))).clip(0)))
