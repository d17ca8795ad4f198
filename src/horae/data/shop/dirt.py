"""Dirt on demand for a simulated log: lost days, outliers, empty cells, doubled and displaced rows.

In: a clean raw log, in order of time. Out: the dirty log and, for each kind, what was done to which rows of it (counted
from 0, without a header). No row is struck twice, so each count stands alone. It does not know how the log was made.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.data.shop.settings import ShopSettings
from horae.schema import ITEM, TIMESTAMP, VALUE

__all__ = ["soil"]

OUTLIER_FACTOR: Final = 1000
EMPTIED: Final = (ITEM, "price", "device")

Rows = npt.NDArray[np.int64]


def soil(frame: pl.DataFrame, settings: ShopSettings, rng: np.random.Generator) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Strike as the settings' shares say; gaps first, so that the other shares are of what is left."""
    frame, gaps = _lose_days(frame, settings, rng)
    free = np.ones(frame.height, dtype=bool)

    def strike(share: float, among: npt.NDArray[np.bool_]) -> Rows:
        rows = np.sort(rng.permutation(np.flatnonzero(among & free))[: round(share * int(among.sum()))])
        free[rows] = False
        return rows

    everything = np.ones_like(free)
    outliers = strike(settings.outliers, frame[VALUE].is_not_null().to_numpy())
    emptied = {column: strike(settings.missing / len(EMPTIED), everything) for column in EMPTIED}
    doubled = strike(settings.duplicates, everything)
    moved = strike(settings.shuffles, everything)
    frame = _emptied(_blown_up(frame, outliers), emptied)
    line = _lines(frame.height, doubled, _cycle(moved, rng))
    truth = {
        "gaps": gaps,
        "outliers": _where(line, outliers) | {"factor": OUTLIER_FACTOR},
        "missing": {column: _where(line, rows) for column, rows in emptied.items()},
        "duplicates": _where(np.where(np.r_[False, line[1:] == line[:-1]], line, -1), doubled),
        "shuffles": _where(line, moved),
    }
    return frame[line], truth


def _lose_days(
    frame: pl.DataFrame, settings: ShopSettings, rng: np.random.Generator
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Whole days (UTC) fall out of the log; the same one never twice."""
    lost = np.sort(rng.permutation(settings.days)[: round(settings.gaps * settings.days)])
    first = pl.lit(settings.start_seconds() * 1_000_000).cast(pl.Datetime("us", "UTC"))
    day = (pl.col(TIMESTAMP) - first).dt.total_days()
    kept = frame.filter(~day.is_in(lost.tolist()))
    dates = [str(settings.first_date() + timedelta(days=int(number))) for number in lost]
    return kept, {"count": frame.height - kept.height, "days": dates}


def _blown_up(frame: pl.DataFrame, rows: Rows) -> pl.DataFrame:
    struck = pl.Series(np.isin(np.arange(frame.height), rows))
    return frame.with_columns(
        pl.when(struck).then(pl.col(VALUE) * OUTLIER_FACTOR).otherwise(pl.col(VALUE)).alias(VALUE)
    )


def _emptied(frame: pl.DataFrame, emptied: dict[str, Rows]) -> pl.DataFrame:
    number = np.arange(frame.height)
    return frame.with_columns(
        pl.when(pl.Series(~np.isin(number, rows))).then(pl.col(column)).alias(column)
        for column, rows in emptied.items()
    )


def _cycle(moved: Rows, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Each chosen line gets the row of another: one cycle through all of them, so that none stays (unless alone)."""
    line = rng.permutation(moved)
    return line, np.roll(line, 1)


def _lines(height: int, doubled: Rows, cycle: tuple[Rows, Rows]) -> Rows:
    """The clean row that stands in each line of the dirty file; a double stands right behind the first."""
    line = np.arange(height)
    line[cycle[0]] = cycle[1]
    copies = np.ones(height, dtype=np.int64)
    copies[doubled] = 2
    return np.repeat(line, copies)


def _where(line: Rows, rows: Rows) -> dict[str, Any]:
    found = np.flatnonzero(np.isin(line, rows))
    return {"count": len(found), "rows": found.tolist()}
