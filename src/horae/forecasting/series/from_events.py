"""A log to series: who or what is counted, what is counted of it, bin by bin.

In: Events and a wish. Out: `SeriesTable`. Events at or after `at` play no part. Knows no models.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from horae.data.understanding.times import RESOLUTIONS, resolution
from horae.errors import DataError
from horae.forecasting.series.every import Every
from horae.forecasting.series.settings import Of, SeriesSettings
from horae.forecasting.series.table import BIN, KEY, SIZE, SeriesTable, dense, largest
from horae.schema import BEHAVIOR, ITEM, TIMESTAMP, USER, VALUE, Events

__all__ = ["OFS", "series_of_events"]

OFS: Final = ("count", "sum", "mean", "last")
SHORT_NAMES: Final = {"user": USER, "item": ITEM}
BEFORE: Final = 28
"""The last bin is whole if its last event is as late in it as in the middle one of so many bins before."""


def series_of_events(
    events: Events,
    by: str = "all",
    of: Of = "count",
    every: str = "1d",
    settings: SeriesSettings | None = None,
    *,
    at: datetime | None = None,
    catalog: pl.DataFrame | None = None,
) -> SeriesTable:
    """Count, sum, average or take the last value of events, bin by bin.

    Args:
        events: The log.
        by: `all` is one series; `user`, `item`, `category` or another column: one for each of its values.
        of: `count` of events, `sum`, `mean` or `last` of their values. Where nothing happened, count and sum are
            zero, mean and last unknown.
        every: Width of the bins.
        settings: The zone, the season, which behaviors, how many series.
        at: As of a time: only events strictly before it, and bins that end by then.
        catalog: Items' attributes by `item_id`; for `by="category"` where the events do not have it.

    Raises:
        DataError: No times, no such column, no values to sum, or no series with two values.
    """
    settings = settings or SeriesSettings()
    bins = Every.parse(every, settings.timezone)
    frame, notes = _timed(events, at)
    frame, key = _keyed(frame, by, catalog)
    last_bin = _last_whole_bin(frame[TIMESTAMP], bins, at, settings.keep_last, notes)
    frame = _wanted(frame, of, settings.behaviors, notes)
    frame = frame.select(key.alias(KEY), TIMESTAMP, VALUE)
    if unnamed := frame[KEY].null_count():
        notes.append(f"{unnamed:,} events without {by} left out.")
        frame = frame.drop_nulls(KEY)
    frame = frame.with_columns(pl.Series(BIN, bins.numbers(frame[TIMESTAMP]))).filter(pl.col(BIN) <= last_bin)
    if frame.is_empty():
        raise DataError(
            f"No event lies in a whole {bins.words}: the log is too short.",
            hint="Give a longer log, or take narrower bins (--every 1h).",
        )
    cells, left_out = largest(_cells(frame, of), settings.max_series, last_bin, of in ("count", "sum"))
    season = settings.season or bins.season
    return dense(cells, last_bin, bins, season, of in ("count", "sum"), [*notes, *left_out])


def _timed(events: Events, at: datetime | None) -> tuple[pl.DataFrame, list[str]]:
    frame = events.frame.filter(pl.col(TIMESTAMP).is_not_null())
    notes = []
    if unknown := events.frame.height - frame.height:
        notes.append(f"{unknown:,} events without a time left out.")
    if frame.is_empty():
        raise DataError("The log has no times, so it makes no series.", hint="Name its time: --columns timestamp=...")
    if at is not None:
        frame = frame.filter(pl.col(TIMESTAMP) < at)
        if frame.is_empty():
            raise DataError(f"No event lies before {at.isoformat()}.", hint="Give a later time.")
    return frame, notes


def _keyed(frame: pl.DataFrame, by: str, catalog: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.Expr]:
    """The frame, with a column of the catalog where that is needed, and what names an event's series."""
    if by == "all":
        return frame, pl.lit("all")
    name = SHORT_NAMES.get(by, by)
    if name not in frame.columns and catalog is not None and name in catalog.columns and ITEM in frame.columns:
        known = catalog.select(pl.col(ITEM).cast(pl.String).alias("_item"), name)
        frame = frame.with_columns(pl.col(ITEM).cast(pl.String).alias("_item")).join(known, on="_item", how="left")
    if name not in frame.columns:
        listed = ", ".join(sorted(set(frame.columns) - {TIMESTAMP, VALUE, "event_order", "target"}))
        catalogs = " An item's attribute comes with --catalog FILE." if catalog is None else ""
        raise DataError(f"by = {by!r}: the log has no column {name!r}.", hint=f"Columns: {listed}.{catalogs}")
    if frame.schema[name].is_nested():
        raise DataError(f"by = {by!r}: the column holds {frame.schema[name]}.", hint="Name a column of plain values.")
    return frame, pl.col(name)


def _wanted(frame: pl.DataFrame, of: Of, behaviors: tuple[str, ...], notes: list[str]) -> pl.DataFrame:
    """Only events of the behaviors asked for; with values, where values are asked for."""
    if of not in OFS:
        raise DataError(f"of = {of!r}: expected one of {', '.join(OFS)}.", hint="Say --of count.")
    if behaviors:
        known = [str(name) for name in frame[BEHAVIOR].unique().to_list()]
        if missing := sorted(set(behaviors) - set(known)):
            raise DataError(f"No event is a {missing[0]!r}.", hint=f"Behaviors here: {', '.join(sorted(known))}.")
        frame = frame.filter(pl.col(BEHAVIOR).cast(pl.String).is_in(behaviors))
    if of != "count":
        unknown = frame[VALUE].null_count()
        if unknown == frame.height:
            raise DataError(
                f"of = {of!r} needs values, and no event has one.",
                hint="Say --of count, or name the column: --columns value=COLUMN.",
            )
        if unknown:
            notes.append(f"{unknown:,} of {frame.height:,} events have no value and do not count in the {of}.")
            frame = frame.drop_nulls(VALUE)
    return frame


def _cells(frame: pl.DataFrame, of: Of) -> pl.DataFrame:
    value = pl.col(VALUE)
    what = {"count": pl.len().cast(pl.Float64), "sum": value.sum(), "mean": value.mean(), "last": value.last()}[of]
    size = value.abs().sum() if of == "sum" else pl.len().cast(pl.Float64)
    if of == "last":
        frame = frame.sort(TIMESTAMP, maintain_order=True)
    groups = frame.group_by(KEY, BIN, maintain_order=of == "last")
    return groups.agg(what.alias(VALUE), size.alias(SIZE)).sort(KEY, BIN)


def _last_whole_bin(times: pl.Series, bins: Every, at: datetime | None, keep: bool, notes: list[str]) -> int:
    """The number of the last bin that the log covers to its end."""
    if at is not None:
        moment = pl.Series([at]).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
        last = int(bins.numbers(moment)[0]) - 1
        silent = last - int(bins.numbers(pl.Series([times.max()], dtype=times.dtype))[0])
        if silent > bins.season:
            notes.append(f"No event in {bins.ahead(silent)} before {at:%Y-%m-%d %H:%M}: taken as nothing happening.")
        return last
    latest = pl.Series([times.max()], dtype=times.dtype)
    last = int(bins.numbers(latest)[0])
    if keep or _is_whole(times, bins, last):
        return last
    begins, ends = bins.starts(np.array([last, last + 1]))
    notes.append(
        f"The last {bins.words}, from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M}, is left out: "
        f"the log ends within it, at {latest.dt.convert_time_zone(bins.zone)[0]:%Y-%m-%d %H:%M}."
    )
    return last - 1


def _is_whole(times: pl.Series, bins: Every, last: int) -> bool:
    """Does the log end with the bin, or at least as late in it as it does in other bins?"""
    grouped = pl.DataFrame({TIMESTAMP: times, BIN: bins.numbers(times)}).group_by(BIN).agg(pl.col(TIMESTAMP).max())
    newest = grouped.sort(BIN, descending=True).head(BEFORE + 1)
    ends = bins.start_seconds(newest[BIN].to_numpy() + 1)
    left = ends - newest[TIMESTAMP].to_physical().to_numpy() / 1e6
    unit = RESOLUTIONS.get(resolution(times), 1) / 1e6
    assert newest[BIN][0] == last
    return bool(left[0] <= unit or (len(left) > BEFORE and left[0] <= np.median(left[1:])))
