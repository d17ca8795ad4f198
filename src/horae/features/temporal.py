"""Rhythm, habits, trend and calendar as groups: what `recurring`, `profiles` and `calendar` say, at any moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from horae.features.book import LineBlock, LineBook
from horae.features.calendar import CALENDAR, CalendarSettings, calendar
from horae.features.feature import Feature
from horae.features.group import Column, Wishes
from horae.features.lines import Lines
from horae.features.moments import Moments
from horae.features.promotions import Promotions
from horae.features.recurring import RHYTHM, TREND, rhythm, trend
from horae.features.zones import local_seconds

__all__ = ["CalendarGroup", "RhythmGroup", "TrendGroup"]


@dataclass(frozen=True)
class RhythmGroup:
    """Habits and the strongest period."""

    lines: Lines
    timezone: str

    needs: ClassVar[str] = "times of all events"
    features: ClassVar[tuple[Feature, ...]] = RHYTHM

    @classmethod
    def of(cls, wishes: Wishes) -> RhythmGroup | None:
        """For logs whose times are all known."""
        zone = wishes.timezone
        return cls(_lines_of(wishes.book, zone), zone) if wishes.book.has_times == "all" else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        return dict(rhythm(self.lines, at.key_B, at.seconds_B, local_seconds(at.seconds_B, self.timezone)))


@dataclass(frozen=True)
class TrendGroup:
    """Slope and level shift."""

    lines: Lines

    needs: ClassVar[str] = "times of all events"
    features: ClassVar[tuple[Feature, ...]] = TREND

    @classmethod
    def of(cls, wishes: Wishes) -> TrendGroup | None:
        """For logs whose times are all known."""
        return cls(_lines_of(wishes.book)) if wishes.book.has_times == "all" else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        return dict(trend(self.lines, at.key_B, at.seconds_B))


@dataclass(frozen=True)
class CalendarGroup:
    """What the calendar says of the moment: no holidays where no country is named, no promotions without a table."""

    timezone: str
    settings: CalendarSettings
    promotions: Promotions | None

    needs: ClassVar[str] = "times of all events"
    features: ClassVar[tuple[Feature, ...]] = CALENDAR

    @classmethod
    def of(cls, wishes: Wishes) -> CalendarGroup | None:
        """For logs whose times are all known."""
        own = cls(wishes.timezone, wishes.calendar, wishes.promotions)
        return own if wishes.book.has_times == "all" else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        return dict(calendar(at.seconds_B, self.timezone, self.settings, self.promotions, blank=False))


def _lines_of(book: LineBook, timezone: str = "UTC") -> Lines:
    whole = book.whole()
    seconds_N = whole.time_N / 1e6
    known_N = seconds_N if whole.known_N is None else np.where(whole.known_N, seconds_N, np.nan)
    return Lines.of(known_N, whole.offset_K1, local_seconds(known_N, timezone))
