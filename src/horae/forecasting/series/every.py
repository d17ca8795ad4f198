"""Bins of time: how wide, in which zone they begin, and what is known of each ahead of time.

In: `1h`, `1d`, `1w`, `1mo` and a zone. Out: `Every`, which numbers bins, gives their beginnings, and their calendar.
It does not know events or values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, cast
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.data.understanding.times import check_zone, localise
from horae.errors import DataError

__all__ = ["CALENDAR_FEATURES", "Every", "Floats", "Ints"]

Unit = Literal["min", "h", "d", "w", "mo"]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SHORT: Final = {"min": 60, "h": 3_600}
"""Seconds of the units that are shorter than a day."""
DAY: Final = 86_400
WORDS: Final = {"min": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month"}
MONDAY: Final = 4
"""Days from the first of January 1970, a Thursday, to the first Monday."""
CALENDAR_FEATURES: Final = 13


@dataclass(frozen=True)
class Every:
    """Bins that follow one another without a gap; each has a number, and the next bin has the next number.

    Bins of a day or more begin at midnight of the zone, so that a day of a clock change lasts 23 or 25 hours. Shorter
    bins are equally long, whatever the clocks do; they begin where the zone's winter time says.

    Attributes:
        count: So many units are one bin.
        unit: `min`, `h`, `d`, `w` or `mo`.
        zone: Of the midnights.
        week_start: The weekday that begins a week, Monday being 0.
    """

    count: int
    unit: Unit
    zone: str = "UTC"
    week_start: int = 0

    @classmethod
    def parse(cls, text: str, zone: str | None = None, week_start: int = 0) -> Every:
        """Read `1d`, `6h`, `15min`, `1w` or `1mo`.

        Raises:
            DataError: No such width, one that a day cannot be divided into, or no such zone.
        """
        found = re.fullmatch(r"(\d{1,4})\s*(min|h|d|w|mo)", text.strip())
        if found is None or int(found[1]) < 1:
            raise DataError(f"every = {text!r}: expected a width of time.", hint="Write it like 1h, 1d, 1w or 1mo.")
        count, unit = int(found[1]), cast(Unit, found[2])
        if unit in SHORT and DAY % (count * SHORT[unit]):
            raise DataError(
                f"every = {text!r}: a day cannot be divided into bins of that width.", hint="Try 15min, 1h, 6h or 1d."
            )
        if count * SHORT.get(unit, 0) == DAY:
            count, unit = 1, "d"
        return cls(count, unit, check_zone(zone), week_start)

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    @property
    def words(self) -> str:
        """`day`, `6 hours`: for sentences."""
        return WORDS[self.unit] if self.count == 1 else f"{self.count} {WORDS[self.unit]}s"

    def ahead(self, bins: int) -> str:
        """`28 days`, `4 times 6 hours`: for sentences."""
        if self.count > 1:
            return f"{bins:,} times {self.words}"
        return f"{bins:,} {WORDS[self.unit]}{'s' * (bins != 1)}"

    @property
    def season(self) -> int:
        """Bins after which people's habits begin again: a day of hours, a week of days, a year of weeks or months."""
        if self.unit in SHORT:
            return max(1, DAY // (self.count * SHORT[self.unit]))
        cycle = {"d": 7, "w": 52, "mo": 12}[self.unit]
        return cycle // self.count if cycle % self.count == 0 else 1

    def numbers(self, times: pl.Series) -> Ints:
        """The bin of each time.

        Args:
            times: Datetime("us", "UTC"), none unknown.
        """
        if self.unit in SHORT:
            micros = times.to_physical().to_numpy()
            return (micros // 1_000_000 + self._offset_seconds()) // (self.count * SHORT[self.unit])
        local = times.dt.convert_time_zone(self.zone)
        if self.unit == "mo":
            months = local.dt.year().cast(pl.Int64) * 12 + local.dt.month().cast(pl.Int64) - 1
            return months.to_numpy() // self.count
        days = local.dt.date().to_physical().cast(pl.Int64).to_numpy()
        return (days - self._first_day()) // self._days()

    def starts(self, numbers: Ints) -> pl.Series:
        """When each bin begins, as Datetime("us") in the zone."""
        if self.unit in SHORT:
            seconds = numbers * (self.count * SHORT[self.unit]) - self._offset_seconds()
            utc = pl.Series("timestamp", seconds * 1_000_000, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
            return utc.dt.convert_time_zone(self.zone)
        naive = self._naive_starts(numbers)
        return localise(naive, self.zone).dt.convert_time_zone(self.zone).alias("timestamp")

    def start_seconds(self, numbers: Ints) -> Floats:
        """When each bin begins, in seconds since 1970."""
        seconds: Floats = self.starts(numbers).dt.convert_time_zone("UTC").to_physical().to_numpy() / 1e6
        return seconds

    def calendar(self, numbers: Ints) -> Floats:
        """What is known of a bin ahead of time: hour, weekday, day of the month, month, by the zone's clocks.

        Returns:
            `[bins, CALENDAR_FEATURES]`: hour, day of the month and month each as sine and cosine; the weekday as seven
            zeros and ones.
        """
        local = self.starts(numbers)
        hour = local.dt.hour().to_numpy() / 24 + local.dt.minute().to_numpy() / 1440
        month_day = (local.dt.day().to_numpy() - 1) / 31
        month = (local.dt.month().to_numpy() - 1) / 12
        weekday = np.eye(7)[local.dt.weekday().to_numpy() - 1]
        turns = 2 * np.pi * np.stack([hour, month_day, month], axis=1)
        return np.concatenate([np.sin(turns), np.cos(turns), weekday], axis=1)

    def _naive_starts(self, numbers: Ints) -> pl.Series:
        if self.unit == "mo":
            months = numbers * self.count
            text = [f"{month // 12:04d}-{month % 12 + 1:02d}-01" for month in months.tolist()]
            return pl.Series(text, dtype=pl.String).str.to_date("%Y-%m-%d").cast(pl.Datetime("us"))
        days = numbers * self._days() + self._first_day()
        return pl.Series(days * DAY * 1_000_000, dtype=pl.Int64).cast(pl.Datetime("us"))

    def _days(self) -> int:
        return self.count * (7 if self.unit == "w" else 1)

    def _first_day(self) -> int:
        return MONDAY + self.week_start if self.unit == "w" else 0

    def _offset_seconds(self) -> int:
        offset = datetime(2001, 1, 1, tzinfo=UTC).astimezone(ZoneInfo(self.zone)).utcoffset()
        assert offset is not None
        return int(offset.total_seconds()) % (self.count * SHORT[self.unit])
