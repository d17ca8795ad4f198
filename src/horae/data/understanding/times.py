"""Times as logs write them, to UTC.

In: one column, of whatever type. Out: `Times`: microseconds since 1970 in UTC, null where unknown, which rows could not
be read, and in words what was understood. It does not know columns, files or how many bad rows may be borne.

A number's unit is told by its size: times between 1990 and 2040 are ten digits as seconds, thirteen as milliseconds,
sixteen as microseconds, nineteen as nanoseconds, so these cannot be mistaken for one another.
"""

from __future__ import annotations

import difflib
import zoneinfo
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from horae.data.understanding.timetext import is_missing, read_text_times
from horae.errors import DataError
from horae.schema import TIME_TYPE

__all__ = ["RESOLUTIONS", "Times", "check_zone", "read_times", "resolution"]

SECOND = 1_000_000
UNITS = {"seconds": SECOND, "milliseconds": 1_000, "microseconds": 1}
"""Microseconds in one unit."""
PER_SECOND = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
FROM_1990, TO_2040 = 631_152_000, 2_208_988_800
YEAR_1, YEAR_9999 = -62_135_596_800, 253_402_300_799
RESOLUTIONS = {
    "day": 86_400 * SECOND,
    "hour": 3_600 * SECOND,
    "minute": 60 * SECOND,
    "second": SECOND,
    "millisecond": 1_000,
}


@dataclass(frozen=True, eq=False)
class Times:
    """A column of times, understood.

    Attributes:
        values: Datetime("us", "UTC"); null where unknown or unreadable.
        bad: True where something was written that is no time.
        form: How they were written, such as `unix seconds`.
        naive: Whether (some of) them had no zone, so that one had to be assumed.
        units: Rows of each unit, where a column of numbers mixes units; else empty.
        warning: What the user should know; empty if nothing.
    """

    values: pl.Series
    bad: pl.Series
    form: str
    naive: bool = False
    units: dict[str, int] = field(default_factory=dict)
    warning: str = ""


def check_zone(timezone: str | None) -> str:
    """The zone's own name; UTC where None.

    Raises:
        DataError: There is no such zone; the hint names one that is written like it.
    """
    try:
        return str(zoneinfo.ZoneInfo(timezone or "UTC"))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DataError(f"There is no time zone {timezone!r}.", hint=_zone_like(timezone or "")) from error


def _zone_like(timezone: str) -> str:
    known = sorted(zoneinfo.available_timezones())
    by_city = {name.rpartition("/")[2].lower(): name for name in known} | {name.lower(): name for name in known}
    near = difflib.get_close_matches(timezone.lower().replace(" ", "_"), by_city, n=1, cutoff=0.6)
    return f"Did you mean {by_city[near[0]]}?" if near else "Name one such as Europe/Berlin, Asia/Shanghai or UTC."


def read_times(raw: pl.Series, timezone: str | None = None) -> Times:
    """Understand a column of times.

    Args:
        raw: Numbers since 1970 in any unit, numbers like 20240131, text, dates or datetimes.
        timezone: Of times that name none; None: UTC.
    """
    zone, dtype = check_zone(timezone), raw.dtype
    if isinstance(dtype, pl.Datetime):
        return _from_datetimes(raw, zone)
    if dtype == pl.Date:
        return Times(localise(raw.cast(pl.Datetime("us")), zone), _none(raw), "dates", naive=True)
    if dtype.is_numeric():
        return _from_numbers(raw, zone)
    if dtype == pl.Null:
        return Times(raw.cast(TIME_TYPE), _none(raw), "nothing but unknown times")
    text = raw.cast(pl.String, strict=False) if dtype != pl.String else raw
    return _from_text(text, zone)


def known_times(raw: pl.Series, what: str, rows: str, hint: str, zone: str | None = None) -> pl.Series:
    """Times of a column in which a cell is a time or empty.

    Args:
        raw: As for `read_times`.
        what: The column, as the error names it.
        rows: What its cells belong to, such as `items`.
        hint: How to write them.
        zone: Of times that name none; None: UTC.

    Raises:
        DataError: A cell is no time; one such is shown.
    """
    times = read_times(raw, zone)
    bad = times.bad.arg_true()
    if len(bad):
        row = int(bad[0])
        raise DataError(f"{what} of {len(bad):,} {rows} is no time, such as {raw[row]!r} in row {row + 1}.", hint=hint)
    return times.values


def resolution(values: pl.Series) -> str:
    """The coarsest unit of which all times are whole multiples."""
    micros = values.to_physical().drop_nulls()
    for name, unit in RESOLUTIONS.items():
        if not (micros % unit != 0).any():
            return name
    return "microsecond"


def localise(naive: pl.Series, zone: str) -> pl.Series:
    """Clock times of a zone to UTC; an hour that occurs twice is the first, one that is skipped moves on by an hour."""
    if zone == "UTC":
        return naive.dt.replace_time_zone("UTC")
    local = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    if local.null_count() > naive.null_count():
        later = (naive + timedelta(hours=1)).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        local = local.fill_null(later)
    return local.dt.convert_time_zone("UTC")


def _from_datetimes(raw: pl.Series, zone: str) -> Times:
    assert isinstance(raw.dtype, pl.Datetime)
    micros = raw.dt.cast_time_unit("us")
    if raw.dtype.time_zone is None:
        return Times(localise(micros, zone), _none(raw), "date and time without zone", naive=True)
    return Times(micros.dt.convert_time_zone("UTC"), _none(raw), f"date and time in {raw.dtype.time_zone}")


def _from_text(raw: pl.Series, zone: str) -> Times:
    sample = raw.head(1000).filter(~is_missing(raw.head(1000)))
    if sample.is_empty():
        sample = raw.filter(~is_missing(raw)).head(1000)
    numeric = sample.str.strip_chars().cast(pl.Float64, strict=False).is_not_null().sum()
    if 0 < len(sample) <= 2 * numeric:
        return _from_number_text(raw, zone)
    read = read_text_times(raw)
    utc = read.utc if read.naive is None else localise(read.naive, zone).fill_null(read.utc)
    bad = utc.is_null() & raw.is_not_null() & ~is_missing(raw)
    return Times(utc.alias(raw.name), bad, read.form, naive=read.naive is not None, warning=read.warning)


def _from_number_text(raw: pl.Series, zone: str) -> Times:
    numbers: pl.Series = raw.cast(pl.Int64, strict=False)
    if numbers.null_count() > raw.null_count():
        numbers = raw.str.strip_chars().cast(pl.Float64, strict=False)
    times = _from_numbers(numbers, zone)
    unread = raw.is_not_null() & numbers.is_null()
    if not unread.any():
        return times
    unread &= ~is_missing(raw)
    return Times(times.values, times.bad | unread, times.form, times.naive, times.units, times.warning)


def _from_numbers(raw: pl.Series, zone: str) -> Times:
    raw = raw.cast(pl.Float64) if raw.dtype.is_decimal() else raw
    raw = raw.fill_nan(None) if raw.dtype.is_float() else raw
    calendar = _calendar_format(raw)
    if calendar:
        text = raw.cast(pl.Int64, strict=False).cast(pl.String)
        naive = text.str.to_datetime(calendar, strict=False, time_unit="us")
        form = "dates like 20240131" if calendar == "%Y%m%d" else "times like 20240131235959"
        return Times(localise(naive, zone), naive.is_null() & raw.is_not_null(), form, naive=True)
    size = raw.abs()
    units = {unit: int(size.is_between(FROM_1990 * per, TO_2040 * per).sum()) for unit, per in PER_SECOND.items()}
    unit = max(units, key=lambda name: units[name])
    known = {name: rows for name, rows in units.items() if rows}
    per = PER_SECOND[unit]
    wrong = ~raw.is_between(YEAR_1 * per, YEAR_9999 * per) if unit != "nanoseconds" else _none(raw)
    for other in known:
        if other != unit:
            wrong |= size.is_between(FROM_1990 * PER_SECOND[other], TO_2040 * PER_SECOND[other])
    wrong = wrong.fill_null(False)
    warning = "" if known else "no time lies between 1990 and 2040: they may count from a start of their own"
    values = _scaled(raw, unit).set(wrong, None).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return Times(values, wrong, f"unix {unit}", units=known if len(known) > 1 else {}, warning=warning)


def _calendar_format(raw: pl.Series) -> str | None:
    """Numbers that are a written date, such as 19970101: as seconds they would all lie in 1970."""
    sample = raw.drop_nulls().head(1000).cast(pl.Int64, strict=False)
    for pattern, low, high in (("%Y%m%d", 19000101, 21001231), ("%Y%m%d%H%M%S", 19000101000000, 21001231235959)):
        if sample.is_between(low, high).sum() > 0.9 * len(sample) and len(sample):
            read = sample.cast(pl.String).str.to_datetime(pattern, strict=False, time_unit="us")
            if read.is_not_null().sum() > 0.9 * len(sample):
                return pattern
    return None


def _scaled(raw: pl.Series, unit: str) -> pl.Series:
    """To whole microseconds; fractions below are cut off."""
    if unit == "nanoseconds":
        return raw.cast(pl.Int64, strict=False) // 1000
    if raw.dtype.is_float():
        return (raw * UNITS[unit]).round().cast(pl.Int64, strict=False)
    wide = raw.cast(pl.Int64, strict=False)
    return wide if UNITS[unit] == 1 else wide * UNITS[unit]


def _none(raw: pl.Series) -> pl.Series:
    return pl.repeat(False, len(raw), dtype=pl.Boolean, eager=True)
