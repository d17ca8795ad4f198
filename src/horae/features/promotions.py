"""Promotions, as far as they are announced: running now, how long still, when the next begins.

In: a table `name, start, end` and, where announcements are known, `known_at`. Out: `Promotions`, which answers for any
moment with what was known strictly before it. Without `known_at` a promotion is known when it has begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from horae.errors import DataError
from horae.features.activity import DAY, Floats
from horae.features.feature import Columns

__all__ = ["Promotions"]

TIMES: Final = ("start", "end", "known_at")


@dataclass(frozen=True, eq=False)
class Promotions:
    """Campaigns (P) in epoch seconds; running from `start_P` up to `end_P`, which is excluded.

    Attributes:
        known_P: Announced then; what is asked as of that moment or before does not see it.
    """

    start_P: Floats
    end_P: Floats
    known_P: Floats

    @classmethod
    def of(cls, table: pl.DataFrame) -> Promotions:
        """From a table with `name`, `start`, `end` and perhaps `known_at`: times (naive ones are UTC) or dates.

        Raises:
            DataError: A column is missing or no time, a time is unknown, or a promotion ends before it begins.
        """
        missing = [name for name in ("name", "start", "end") if name not in table.columns]
        if missing:
            raise DataError(
                f"The promotions have no column {', '.join(missing)}; they have {', '.join(table.columns)}.",
                hint="Give name, start, end and, where announcements are known, known_at.",
            )
        start, end = (_seconds(table, name) for name in ("start", "end"))
        known = _seconds(table, "known_at") if "known_at" in table.columns else start
        if (wrong := np.flatnonzero(~(end > start))).size:
            raise DataError(
                f"{len(wrong)} promotions do not end after they begin: {_names(table, wrong)}.",
                hint="The end is excluded: a promotion of one day ends at the next midnight.",
            )
        return cls(start, end, known)

    def as_of(self, at_Q: Floats) -> Columns:
        """Of each moment: how many run, days to the end of the first to end, to the next start, since the last end."""
        known = np.nextafter(self.known_P, np.inf)  # strictly before the moment
        on, off = np.maximum(self.start_P, known), np.maximum(self.end_P, known)
        moments = np.unique(np.concatenate([known, on, off]))
        cells = np.searchsorted(moments, at_Q, side="right")
        running, ends, starts, ended = (np.full(len(moments) + 1, np.nan) for _ in range(4))
        running[:] = 0
        for cell, moment in enumerate(moments, start=1):  # between two moments nothing changes but the distance
            seen = known <= moment
            runs = seen & (on <= moment) & (moment < self.end_P)
            running[cell] = runs.sum()
            ends[cell] = self.end_P[runs].min(initial=np.inf)
            starts[cell] = self.start_P[seen & (self.start_P > moment)].min(initial=np.inf)
            ended[cell] = self.end_P[seen & (self.end_P <= moment)].max(initial=-np.inf)
        columns = {
            "promotions_running": np.where(np.isnan(at_Q), np.nan, running[cells]),
            "days_to_promotion_end": _finite(ends[cells] - at_Q),
            "days_to_promotion": _finite(starts[cells] - at_Q),
            "days_since_promotion": _finite(at_Q - ended[cells]),
        }
        return {name: values.astype(np.float32) for name, values in columns.items()}


def _finite(seconds: Floats) -> Floats:
    return np.where(np.isfinite(seconds), seconds / DAY, np.nan)


def _seconds(table: pl.DataFrame, name: str) -> Floats:
    column = table[name]
    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    if not isinstance(column.dtype, pl.Datetime):
        raise DataError(
            f"The promotions' {name} is {column.dtype}: expected times or dates.",
            hint="Convert it first, for example with polars str.to_datetime.",
        )
    if (wrong := column.is_null().arg_true().to_numpy()).size:
        raise DataError(f"The promotions' {name} is unknown in {_names(table, wrong)}.", hint="Fill it in.")
    aware = column.dt.replace_time_zone("UTC") if column.dtype.time_zone is None else column.dt.convert_time_zone("UTC")
    return np.asarray(aware.cast(pl.Datetime("us", "UTC")).to_physical().to_numpy() / 1e6, dtype=np.float64)


def _names(table: pl.DataFrame, rows: np.typing.NDArray[np.int64]) -> str:
    shown = [f"{table['name'][int(row)]} (row {int(row) + 1})" for row in rows[:5]]
    return ", ".join(shown) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
