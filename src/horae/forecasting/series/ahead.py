"""What is known of bins before they come: holidays, and the plan of promotions.

In: a country, a table of promotions, the bins. Out: `Ahead`, which tells a few numbers of any bin as of the end of a
window. A row of the plan is not seen before its `known_at`; without that column the plan is taken to have been known
all along. It knows no values of series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from horae.data.understanding.times import read_times
from horae.data.validity import EVER, KNOWN_AT, NEVER, ROW, VALID_FROM, VALID_TO, valid_rows
from horae.errors import DataError
from horae.features.holidays import holiday_days
from horae.forecasting.series.every import Every, Floats, Ints

if TYPE_CHECKING:
    from horae.forecasting.series.table import SeriesTable

__all__ = ["Ahead", "holidays_of", "known_ahead", "plan_columns"]

DAY: Final = 86_400
KEYS: Final = ("key", "series_id", "item_id", "user_id", "category")
TIMES: Final = (VALID_FROM, VALID_TO, KNOWN_AT)
MICROSECONDS: Final = 1e6
AROUND: Final = (0, 1, -1)
"""A holiday, the day before one, the day after one."""


@dataclass(frozen=True, eq=False)
class Ahead:
    """Numbers known ahead, by column of the series' table.

    Attributes:
        holiday_TA: The same for all series; no columns without a country.
        plan_KTA: By key of the plan, 0 being whoever has none: how much of the bin is in the plan, and its numbers.
        known_KT: From when on a bin's plan is known, in seconds since 1970.
        key_S: Each series' key.
        start_T: When each bin begins, in seconds since 1970.
    """

    holiday_TA: Floats
    plan_KTA: Floats
    known_KT: Floats
    key_S: Ints
    start_T: Floats

    @property
    def width(self) -> int:
        """Numbers of a bin."""
        return int(self.holiday_TA.shape[1] + self.plan_KTA.shape[2])

    def of(self, series_B: Ints, end_B: Ints, column_BL: Ints) -> Floats:
        """`[B, L, width]`: of bins, as it was known when the window's last bin had just ended."""
        key_B1 = self.key_S[series_B][:, None]
        seen_BL = self.known_KT[key_B1, column_BL] <= self.start_T[end_B][:, None]
        plan_BLA = np.where(seen_BL[..., None], self.plan_KTA[key_B1, column_BL], 0.0)
        return np.concatenate([self.holiday_TA[column_BL], plan_BLA], axis=-1)


def known_ahead(
    table: SeriesTable, horizon: int, country: str | None = None, promotions: pl.DataFrame | None = None
) -> tuple[Ahead | None, list[str]]:
    """What is known ahead of a table's bins and of so many after them, and notes; None where nothing was given.

    Args:
        table: The series.
        horizon: Bins ahead.
        country: Whose holidays: `DE`, or with a region `DE-BY`.
        promotions: `valid_from`, perhaps `valid_to`, `known_at`, and a key (`series_id`, `item_id`, ...; without one a
            row is of all series); further columns of numbers say how much.

    Raises:
        DataError: No such country; a table that `valid_rows` refuses: no `valid_from`, rows that overlap or end before
            they begin.
        MissingExtraError: Holidays without the extra `series`.
    """
    if country is None and promotions is None:
        return None, []
    bins = table.bins(0, table.num_bins + horizon + 1)
    start_T = table.every.start_seconds(bins)
    holiday_TA = np.zeros((len(bins), 0)) if country is None else holidays_of(country, table.every, bins)
    plan_KTA, known_KT = np.zeros((1, len(bins), 0)), np.full((1, len(bins)), -np.inf)
    key_S, notes = np.zeros(len(table), np.int64), list[str]()
    if promotions is not None:
        rows, key, numbers, notes = _plan(promotions, table.every.zone)
        keys = rows[key].unique(maintain_order=True) if key else pl.Series([None], dtype=pl.String)
        plan_KTA, known_KT = plan_columns(rows, key, keys, numbers, start_T)
        if key:
            place = {name: number for number, name in enumerate(keys.to_list(), start=1)}
            key_S = np.array([place.get(name, 0) for name in table.keys.cast(pl.String).to_list()], dtype=np.int64)
            if not key_S.any():
                notes.append(f"No series is named in the promotions' {key}, such as {keys[0]!r}: they say nothing.")
        else:
            key_S = np.ones(len(table), np.int64)
    return Ahead(holiday_TA, plan_KTA, known_KT, key_S, start_T), notes


def holidays_of(country: str, every: Every, bins: Ints) -> Floats:
    """Of each bin, the share of its local days that are a holiday, the day before one, the day after one."""
    starts = every.starts(np.append(bins, bins[-1] + 1)).dt.replace_time_zone(None)
    seconds = starts.cast(pl.Datetime("us")).to_physical().to_numpy() / MICROSECONDS
    first, last = np.floor(seconds[:-1] / DAY), np.ceil(seconds[1:] / DAY)
    code, _, region = country.partition("-")
    days = holiday_days(code, int(first[0]), int(last[-1]), region or None)
    counted = [np.searchsorted(days, last + step) - np.searchsorted(days, first + step) for step in AROUND]
    share_TA: Floats = np.stack(counted, axis=1) / (last - first)[:, None]
    return share_TA


def plan_columns(
    rows: pl.DataFrame, key: str | None, keys: pl.Series, numbers: list[str], start_T: Floats
) -> tuple[Floats, Floats]:
    """How much of each bin each key's rows cover, their numbers by that share, and since when all of it is known."""
    width = len(start_T)
    plan_KTA, known_KT = np.zeros((len(keys) + 1, width, 1 + len(numbers))), np.full((len(keys) + 1, width), -np.inf)
    end_T = np.append(start_T[1:], start_T[-1] + (start_T[-1] - start_T[-2]))
    place = {name: number for number, name in enumerate(keys.to_list(), start=1)}
    columns = rows.select(VALID_FROM, VALID_TO, KNOWN_AT, *numbers).to_numpy().astype(np.float64)
    names = rows[key].to_list() if key else [None] * rows.height
    for name, (begin, end, known, *amounts) in zip(names, columns, strict=True):
        first = int(np.searchsorted(end_T, begin / MICROSECONDS, side="right"))
        after = int(np.searchsorted(start_T, end / MICROSECONDS, side="left"))
        covered = np.arange(first, after)
        over = np.minimum(end_T[covered], end / MICROSECONDS) - np.maximum(start_T[covered], begin / MICROSECONDS)
        share = over / (end_T[covered] - start_T[covered])
        drawn_in = np.sign(amounts) * np.log1p(np.abs(amounts))  # no scale is learned: rows to come would be in it
        plan_KTA[place[name], covered] += share[:, None] * np.concatenate([[1.0], np.nan_to_num(drawn_in)])
        known_KT[place[name], covered] = np.maximum(known_KT[place[name], covered], known / MICROSECONDS)
    return plan_KTA, known_KT


def _plan(promotions: pl.DataFrame, zone: str) -> tuple[pl.DataFrame, str | None, list[str], list[str]]:
    """The rows in order, the column of the key, those of numbers, and notes."""
    if promotions.is_empty():
        raise DataError("The promotions have no row.", hint="Leave them away, or give a table with valid_from.")
    local = [_in_zone(promotions[name], zone) for name in TIMES if name in promotions.columns]
    key = next((name for name in KEYS if name in promotions.columns), None)
    rows = valid_rows(promotions.with_columns(local), [key] if key else [], "The promotions")
    others = [name for name in promotions.columns if name not in (*TIMES, key)]
    numbers = [name for name in others if rows.schema[name].is_numeric() or rows.schema[name] == pl.Boolean]
    left = [name for name in others if name not in numbers]
    assert ROW not in others and EVER < NEVER
    notes = [f"Of the promotions, {', '.join(left)} is no number and tells networks nothing."] if left else []
    return rows, key, numbers, notes


def _in_zone(column: pl.Series, zone: str) -> pl.Series:
    """Dates of the zone's own days; what is no time is left for the refusal that names its row."""
    times = read_times(column, zone)
    return column if times.bad.any() else times.values.alias(column.name)
