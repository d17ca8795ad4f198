"""A table of series that somebody has made already: `series_id, date, value`.

In: a table as it was read. Out: `SeriesTable`. It recognises the columns by name, finds out how far apart the values
stand, and refuses two values for one bin unless it is told what to make of them. Knows no events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from horae.data.reading.raw import RawTable, read_share
from horae.data.understanding.names import plain, rank
from horae.data.understanding.times import read_times
from horae.data.understanding.values import as_values
from horae.errors import DataError
from horae.forecasting.series.every import Every
from horae.forecasting.series.settings import Of, SeriesSettings
from horae.forecasting.series.table import BIN, KEY, SIZE, SeriesTable, dense, largest
from horae.schema import TIMESTAMP, USER, VALUE

__all__ = ["ready_columns", "series_of_table"]

SERIES: Final = ("seriesid", "series", "uniqueid", "tsid", "seriesname", "key", "metric", "sensor", "id", "序列")
VALUES: Final = ("y", "target")
ROLES: Final = ("series_id", "date", "value")
DAY: Final = 86_400_000_000
AT_MOST_BAD: Final = 0.01


def ready_columns(names: Sequence[str], given: Mapping[str, str] | None = None) -> dict[str, str] | None:
    """Which column is the series, the date, the value; None for a table that is no ready series.

    Args:
        names: The table's columns.
        given: Role -> column, from the user; naming `series_id` or `date` says that the table is one.

    Raises:
        DataError: A role or column that is not there.
    """
    given = {("date" if role == TIMESTAMP else role): column for role, column in (given or {}).items()}
    said = bool({"series_id", "date"} & set(given)) and USER not in given
    if said:
        _check(names, given)
    elif given or any(rank(USER, name) is not None for name in names):
        return None
    found = {role: given.get(role) or _by_name(role, names) for role in ROLES}
    bare = len(names) == 2 and found["date"] and found["value"]
    if found["date"] and found["value"] and (found["series_id"] or bare or said):
        return {role: name for role, name in found.items() if name}
    if said:
        missing = next(role for role in ("date", "value") if not found[role])
        raise DataError(f"No column {missing} among {', '.join(names)}.", hint=f"Say --columns {missing}=COLUMN.")
    return None


def series_of_table(
    table: RawTable,
    columns: Mapping[str, str],
    of: Of | None = None,
    every: str | None = None,
    settings: SeriesSettings | None = None,
    *,
    at: datetime | None = None,
) -> SeriesTable:
    """Put a ready table on a grid.

    Args:
        table: As it was read.
        columns: From `ready_columns`.
        of: What several values in one bin become; None: two different ones are refused. A bin without a value is
            unknown, but zero where the values are summed.
        every: Width of the bins; None: as far apart as the values of most series stand.
        settings: The zone, the season, how many series.
        at: As of a time: only values dated strictly before it, of bins that end by then.

    Raises:
        DataError: Dates or values that cannot be read, two values for one bin, no series with two values.
    """
    settings = settings or SeriesSettings()
    if of == "count":
        raise DataError("A ready series has values, not events to count.", hint="Leave --of away, or say sum or mean.")
    rows, notes = _rows(table, columns, settings.timezone)
    rows = rows if at is None else rows.filter(pl.col(TIMESTAMP) < at)
    if rows.is_empty():
        raise DataError(f"{table.source} holds no known value{' before that time' if at else ''}.", hint="Check value.")
    steps = _steps(rows)
    bins = Every.parse(every, settings.timezone) if every else _recognised(rows, steps, settings.timezone)
    if not every:
        notes.append(f"The values stand {bins.words} by {bins.words}: bins of {bins}.")
    rows = rows.with_columns(pl.Series(BIN, bins.numbers(rows[TIMESTAMP])))
    rows = _without_coarse(rows, steps, bins, notes)
    last = int(rows[BIN].max())  # type: ignore[arg-type]
    if at is not None:
        last = min(last, int(bins.numbers(pl.Series([at]).dt.convert_time_zone("UTC").dt.cast_time_unit("us"))[0]) - 1)
    elif not settings.keep_last and not _covers(rows, steps, bins, last):
        notes.append(f"The last {bins.words} is left out: the values end within it.")
        last -= 1
    cells = _cells(rows.filter(pl.col(BIN) <= last), of, table, bins)
    cells, left_out = largest(cells, settings.max_series, last, of == "sum")
    season = settings.season or bins.season
    return dense(cells, last, bins, season, of == "sum", [*notes, *left_out])


def _by_name(role: str, names: Sequence[str]) -> str | None:
    if role == "series_id":
        return next((name for alias in SERIES for name in names if plain(name) == alias), None)
    canonical = TIMESTAMP if role == "date" else VALUE
    ranked = sorted((level, name) for name in names if (level := rank(canonical, name)) is not None)
    if ranked:
        return ranked[0][1]
    return next((name for name in names if role == "value" and plain(name) in VALUES), None)


def _check(names: Sequence[str], given: Mapping[str, str]) -> None:
    for role, column in given.items():
        if role not in ROLES:
            raise DataError(f"A ready series has no {role!r}.", hint=f"Its columns are {', '.join(ROLES)}.")
        if column not in names:
            raise DataError(f"There is no column {column!r}.", hint=f"Columns: {', '.join(names)}.")


def _rows(table: RawTable, columns: Mapping[str, str], zone: str | None) -> tuple[pl.DataFrame, list[str]]:
    """`key`, `timestamp`, `value`: known ones, by series and time."""
    frame = table.frame
    times = read_times(frame[columns["date"]], zone)
    if bad := int(times.bad.sum()):
        shown = tuple(f"{table.where(int(i))}" for i in times.bad.arg_true().head(5).to_list())
        message = f"Column {columns['date']}: expected dates ({times.form})."
        read_share(bad, frame.height, AT_MOST_BAD, message, shown, "Mend these rows, or name another column.")
    values, steps = as_values(frame[columns["value"]], table)
    named = columns.get("series_id")
    keys = frame[named].cast(pl.String) if named else pl.repeat("all", frame.height, eager=True)
    rows = pl.DataFrame({KEY: keys, TIMESTAMP: times.values, VALUE: values.cast(pl.Float64).fill_nan(None)})
    notes = [step.message for step in steps]
    whole = rows.filter(pl.col(KEY).is_not_null(), pl.col(TIMESTAMP).is_not_null())
    if lost := rows.height - whole.height:
        notes.append(f"{lost:,} rows without a series or a date left out.")
    whole = whole.filter(pl.col(VALUE).is_null() | pl.col(VALUE).is_finite())
    single = whole.unique(maintain_order=True)
    if twice := whole.height - single.height:
        notes.append(f"{twice:,} rows that say the same as another one left out.")
    return single.drop_nulls(VALUE).sort(KEY, TIMESTAMP, maintain_order=True), notes


def _steps(rows: pl.DataFrame) -> pl.DataFrame:
    """`key`, `step`: the middle distance between a series' values in microseconds; null with fewer than two."""
    gap = pl.col(TIMESTAMP).unique(maintain_order=True).to_physical().diff().median()
    return rows.group_by(KEY, maintain_order=True).agg(gap.alias("step"))


def _recognised(rows: pl.DataFrame, steps: pl.DataFrame, zone: str | None) -> Every:
    """The bins that most series have."""
    known = steps["step"].drop_nulls()
    if known.is_empty():
        return Every.parse("1d", zone)
    step = float(known.mode().sort()[0])
    if 28 * DAY <= step <= 31 * DAY:
        return Every.parse("1mo", zone)
    if step % (7 * DAY) == 0:
        first = rows.join(steps.filter(pl.col("step") == step), on=KEY)[TIMESTAMP].dt.convert_time_zone(zone or "UTC")
        return Every.parse(f"{int(step // (7 * DAY))}w", zone, week_start=int(first.dt.weekday()[0]) - 1)
    for width, unit in ((DAY, "d"), (3_600_000_000, "h"), (60_000_000, "min")):
        if step % width == 0:
            return Every.parse(f"{int(step // width)}{unit}", zone)
    raise DataError(
        f"The values stand {step / 1e6:,.0f} seconds apart, which is no usual width.", hint="Say --every 1h or 1d."
    )


def _width(bins: Every, last: int) -> float:
    """A bin's usual length in microseconds."""
    seconds = bins.start_seconds(np.array([last - 12, last], dtype=np.int64))
    return float(seconds[1] - seconds[0]) / 12 * 1e6


def _without_coarse(rows: pl.DataFrame, steps: pl.DataFrame, bins: Every, notes: list[str]) -> pl.DataFrame:
    """Series whose values stand twice as far apart as the bins say would be mostly holes."""
    width = _width(bins, int(rows[BIN].max()))  # type: ignore[arg-type]
    coarse = steps.filter(pl.col("step") >= 1.9 * width)[KEY].sort()
    if coarse.is_empty():
        return rows
    if len(coarse) == steps.height:
        raise DataError(f"All series stand further apart than {bins}.", hint="Take wider bins: --every 1w or 1mo.")
    notes.append(
        f"{len(coarse):,} series whose values stand further apart than {bins} left out, such as {coarse[0]!r}: "
        "forecast them by themselves, or take wider bins."
    )
    return rows.filter(~pl.col(KEY).is_in(coarse.implode()))


def _covers(rows: pl.DataFrame, steps: pl.DataFrame, bins: Every, last: int) -> bool:
    """Do the values fill the last bin, each standing for the time to the next one?"""
    finest = steps.filter(pl.col("step") > 0)["step"].min()
    if finest is None:
        return True
    latest = float(rows[TIMESTAMP].to_physical().max())  # type: ignore[arg-type]
    hour = 3.6e9  # a day of a clock change is an hour shorter
    enough: bool = latest + float(finest) + hour >= bins.start_seconds(np.array([last + 1]))[0] * 1e6  # type: ignore[arg-type]
    return enough or float(finest) >= 0.9 * _width(bins, last)  # type: ignore[arg-type]


def _cells(rows: pl.DataFrame, of: Of | None, table: RawTable, bins: Every) -> pl.DataFrame:
    value = pl.col(VALUE)
    if of is None:
        twice = rows.filter(pl.struct(KEY, BIN).is_duplicated())
        if not twice.is_empty():
            (start,) = bins.starts(np.array([twice[BIN][0]], dtype=np.int64))
            again = (
                "" if bins.zone == "UTC" else " Where clocks go back, write times with their offset: ...T02:00+01:00."
            )
            raise DataError(
                f"{table.source}: series {twice[KEY][0]!r} has several values for the {bins.words} that begins "
                f"{start:%Y-%m-%d %H:%M} ({twice.height:,} such rows).",
                hint=f"Say what they become: --of sum, mean or last. Or mend the table, or take narrower bins.{again}",
            )
    what = {"sum": value.sum(), "mean": value.mean(), "last": value.last()}[of or "last"]
    return (
        rows.group_by(KEY, BIN, maintain_order=True)
        .agg(what.alias(VALUE), value.abs().sum().alias(SIZE))
        .sort(KEY, BIN)
    )
