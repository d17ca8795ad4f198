"""Times in, float64 seconds out (NaN where unknown); this module never reads the clock itself."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["seconds", "to_seconds"]


def seconds(timestamps: pl.Series) -> npt.NDArray[np.float64]:
    """Unix seconds of a Datetime("us") column, NaN where null; exact to the microsecond until the year 2255."""
    microseconds = timestamps.to_physical()
    if microseconds.null_count() == 0:
        return np.asarray(microseconds.to_numpy() / 1e6, dtype=np.float64)
    return np.asarray((microseconds.cast(pl.Float64) / 1e6).fill_null(float("nan")).to_numpy(), dtype=np.float64)


def to_seconds(time: datetime | None) -> float:
    """Unix seconds of one time; a naive time is UTC, None is NaN."""
    if time is None:
        return float("nan")
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    whole = aware.replace(microsecond=0)
    return (int(whole.timestamp()) * 1_000_000 + aware.microsecond) / 1e6  # as `seconds` rounds
