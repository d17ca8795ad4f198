"""Times of the clock on the wall: local seconds of moments, in one zone or in one for each row.

In: epoch seconds (UTC) and names of time zones. Out: seconds since 1970 as the local clock shows them, so that
`local // 86400` is the local date and `local % 86400` the time of day, clock changes included. NaN stays NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from horae.data.understanding.times import check_zone
from horae.errors import DataError
from horae.features.activity import Floats, Ints

__all__ = ["local_days", "local_seconds", "weekdays"]

FEWEST: Final = -9_000_000_000.0
MOST: Final = 30_000_000_000.0
"""Before 1684 and after 2920 no zone says anything."""


def local_seconds(at_Q: Floats, zone: str | Sequence[str | None] | pl.Series = "UTC", default: str = "UTC") -> Floats:
    """What the clock on the wall shows.

    Args:
        at_Q: Epoch seconds; NaN: unknown.
        zone: One for all, or one for each row; null there is `default`.
        default: The log's zone.

    Raises:
        DataError: An unknown zone, or not one for each row.
    """
    if isinstance(zone, str):
        return _shifted(at_Q, check_zone(zone))
    names = pl.Series("zone", zone, dtype=pl.String).fill_null(default)
    if len(names) != len(at_Q):
        raise DataError(
            f"Expected one time zone for each of {len(at_Q):,} times, got {len(names):,}.",
            hint="Give one zone for all, or a column of the same length.",
        )
    local = np.full(len(at_Q), np.nan)
    coded = pl.DataFrame({"code": names.cast(pl.Categorical).to_physical(), "name": names})
    codes = coded["code"].to_numpy()
    for code, name in coded.unique("code", maintain_order=True).iter_rows():
        rows = codes == code
        local[rows] = _shifted(at_Q[rows], check_zone(name))
    return local


def local_days(local_Q: Floats) -> Ints:
    """Days since 1970 on the local calendar; 0 where the time is unknown."""
    return np.asarray(np.floor(np.nan_to_num(local_Q) / 86_400), dtype=np.int64)


def weekdays(days_Q: Ints) -> Ints:
    """0 is Monday; 1970 began on a Thursday."""
    return np.asarray((days_Q + 3) % 7, dtype=np.int64)


def _shifted(at: Floats, zone: str) -> Floats:
    if zone == "UTC" or not len(at):
        return at.astype(np.float64)
    unknown = ~((at > FEWEST) & (at < MOST))
    seconds = np.floor(np.where(unknown, 0.0, at))
    moments = pl.Series(seconds.astype(np.int64) * 1_000_000).cast(pl.Datetime("us", "UTC"))
    shown = moments.dt.convert_time_zone(zone).dt.replace_time_zone(None).to_physical().to_numpy() / 1e6
    return np.where(unknown, np.nan, shown + (np.where(unknown, 0.0, at) - seconds))
