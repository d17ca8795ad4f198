"""Dates and times written as text: which way of writing a column uses, and what its rows say.

In: a String column. Out: `TextTimes`: clock times without zone, and times in UTC where the text names a zone. The way
of writing is found on a sample and then read for the whole column at once; what is left is tried with the next way.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import polars as pl

__all__ = ["MISSING", "TextTimes", "is_missing", "read_text_times"]

MISSING = ("", "null", "none", "nan", "nat", "na", "n/a", "<na>", "\\n", "-")
"""What programs write for "not known", without case."""
MAX_WAYS = 8
CLOCKS = ("%H:%M", "%H:%M:%S%.f", "%I:%M %p", "%I:%M:%S %p")
Zone = Literal["none", "offset", "utc"]


@dataclass(frozen=True)
class Way:
    """One way of writing a time.

    Attributes:
        pattern: As `strptime` has it.
        zone: Whether the text names a zone: `none`, an `offset`, or `utc` in words.
        form: In words.
        other: The same with day and month exchanged.
    """

    pattern: str
    zone: Zone = "none"
    form: str = "date and time"
    other: str = ""


@dataclass(frozen=True, eq=False)
class TextTimes:
    """A column of text, read.

    Attributes:
        utc: Times whose text names its zone; null elsewhere.
        naive: Clock times without zone, null elsewhere; None if there is none.
        form: How they were written.
        warning: A choice that the text could not settle.
    """

    utc: pl.Series
    naive: pl.Series | None
    form: str
    warning: str = ""


def is_missing(raw: pl.Series) -> pl.Series:
    """True where the text says that nothing is known."""
    return raw.str.strip_chars().str.to_lowercase().is_in(pl.Series(MISSING).implode())


def read_text_times(raw: pl.Series) -> TextTimes:
    """Read a column; rows that are no time stay null in both results."""
    rows = len(raw)
    naive = pl.repeat(None, rows, dtype=pl.Datetime("us"), eager=True)
    utc = pl.repeat(None, rows, dtype=pl.Datetime("us", "UTC"), eager=True)
    forms: list[str] = []
    warnings: list[str] = []
    left, any_naive, chosen = raw, False, ""
    for _ in range(MAX_WAYS):
        way = _best_way(left, chosen)
        if way is None:
            if left is raw and not forms and raw.str.contains(r"^\s|\s$").any():
                left = raw.str.strip_chars()
                way = _best_way(left, chosen)
            if way is None:
                break
        if way.other:
            way, warning = _day_or_month_first(left, way) if not chosen else (way, "")
            chosen = way.pattern
            warnings.append(warning)
        read = _strptime(left, way)
        forms.append(way.form)
        if way.zone == "none":
            any_naive = True
            naive = naive.fill_null(read)
        else:
            utc = utc.fill_null(read)
        unread = left.is_not_null() & read.is_null()
        if not unread.any():
            break
        left = left.str.strip_chars().set(~unread, None)
    form = " and ".join(dict.fromkeys(forms)) or "text that is no time"
    return TextTimes(utc, naive if any_naive else None, form, "; ".join(filter(None, warnings)))


def _best_way(left: pl.Series, chosen: str) -> Way | None:
    """The way that reads most of a sample; never the exchanged form of one that was chosen before."""
    known = left.drop_nulls()
    spread = known.gather_every(max(len(known) // 150, 1)).head(150)
    sample = known if len(known) <= 300 else pl.concat([known.head(150), spread])
    best, most = None, 0
    for way in WAYS:
        if chosen and way.other and _day_first(way.pattern) != _day_first(chosen):
            continue
        count = int(_strptime(sample, way).is_not_null().sum())
        if count > most:
            best, most = way, count
        if most == len(sample):
            break
    return best


def _strptime(text: pl.Series, way: Way) -> pl.Series:
    """Null where the text is written otherwise; a year of four digits must be four digits where the pattern has it."""
    written, pattern = text, way.pattern
    if pattern.endswith("%H"):  # hours alone
        written, pattern = text + ":00", pattern + ":%M"
    read = written.str.to_datetime(pattern, strict=False, time_unit="us")
    if "%Y" in pattern:
        early = read.dt.year() < 1000
        if early.any():
            four_digits = text.str.contains(r"^\s*\d{4}" if pattern.startswith("%Y") else r"\d{4}")
            read = read.set((early & ~four_digits).fill_null(False), None)
    if way.zone == "none":
        return read
    return read.dt.replace_time_zone("UTC") if way.zone == "utc" else read.dt.convert_time_zone("UTC")


def _day_first(pattern: str) -> bool:
    return pattern.startswith("%d")


def _day_or_month_first(text: pl.Series, way: Way) -> tuple[Way, str]:
    """Told by days above 12; else by the order of rows, by the shorter span, or by chance: then it is said which."""
    other = next(candidate for candidate in WAYS if candidate.pattern == way.other)
    one, two = _strptime(text, way), _strptime(text, other)
    if one.null_count() != two.null_count():
        return (way, "") if one.null_count() < two.null_count() else (other, "")
    signs = ((_disorder(one), _span(one)), (_disorder(two), _span(two)))
    best, beaten = (way, other) if signs[0] <= signs[1] else (other, way)
    sure = "the rows are in order of time only so" if signs[0][0] != signs[1][0] else "the log is shorter so"
    sure = "nothing in the log tells" if signs[0] == signs[1] else sure
    return best, f"read as {best.form}, not {beaten.form}: {sure}; write dates like 2024-01-31 to be safe"


def _disorder(times: pl.Series) -> int:
    return int((times.to_physical().drop_nulls().diff() < 0).any())


def _span(times: pl.Series) -> int:
    micros = times.to_physical()
    low, high = micros.min(), micros.max()
    assert isinstance(low, int) and isinstance(high, int)
    return high - low


def _iso() -> Iterator[Way]:
    zones: list[tuple[str, Zone]] = [("", "none"), ("%#z", "offset"), (" %#z", "offset")]
    zones += [(" UTC", "utc"), (" GMT", "utc")]
    for date, between in itertools.product(("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"), (" ", "T")):
        for clock, (suffix, zone) in itertools.product(("%H:%M:%S%.f", "%H:%M", "%H%M%S"), zones):
            said = "with zone" if zone != "none" else "without zone"
            yield Way(f"{date}{between}{clock}{suffix}", zone, f"ISO date and time {said}")
    for date in ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"):
        yield Way(date, form="dates")
        yield Way(f"{date} %H", form="dates and hours")


def _day_and_month() -> Iterator[Way]:
    clocks = ("", *(between + clock for between in (" ", ", ") for clock in CLOCKS))
    for sign, year, clock in itertools.product("/-.", ("%y", "%Y"), clocks):
        month_first, day_first = f"%m{sign}%d{sign}{year}{clock}", f"%d{sign}%m{sign}{year}{clock}"
        yield Way(month_first, form="month/day/year", other=day_first)
        yield Way(day_first, form="day/month/year", other=month_first)


def _words() -> Iterator[Way]:
    yield Way("%a %b %d %H:%M:%S %z %Y", "offset", "like Tue Apr 03 18:00:09 +0000 2012")
    yield Way("%a %b %d %H:%M:%S %Y", form="like Tue Apr 03 18:00:09 2012")
    yield Way("%a, %d %b %Y %H:%M:%S %z", "offset", "like Tue, 03 Apr 2012 18:00:09 +0000")
    yield Way("%a, %d %b %Y %H:%M:%S GMT", "utc", "like Tue, 03 Apr 2012 18:00:09 GMT")
    yield Way("%d/%b/%Y:%H:%M:%S %z", "offset", "like 10/Oct/2000:13:55:36 -0700")
    yield Way("%m %d, %Y", form="month day, year")
    for date in ("%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%y"):
        for clock in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p"):
            yield Way(date + clock, form="dates with the month's name")
    for clock in ("", "%H:%M", "%H:%M:%S", " %H:%M", " %H:%M:%S", "%H时%M分", "%H时%M分%S秒"):
        yield Way(f"%Y年%m月%d日{clock}", form="年月日")


WAYS: tuple[Way, ...] = (*_iso(), *_day_and_month(), *_words())
