"""Rhythm, habits, trend and calendar as groups: what `recurring`, `profiles` and `calendar` say, at any moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from horae.features.book import LineBlock, LineBook
from horae.features.calendar import CALENDAR, calendar
from horae.features.feature import Feature
from horae.features.group import Column, Wishes
from horae.features.lines import Lines
from horae.features.moments import Moments
from horae.features.recurring import RHYTHM, TREND, rhythm, trend

__all__ = ["CalendarGroup", "RhythmGroup", "TrendGroup"]


@dataclass(frozen=True)
class RhythmGroup:
    """Habits and the strongest period."""

    lines: Lines

    needs: ClassVar[str] = "times of all events"
    features: ClassVar[tuple[Feature, ...]] = RHYTHM

    @classmethod
    def of(cls, wishes: Wishes) -> RhythmGroup | None:
        """For logs whose times are all known."""
        return cls(_lines_of(wishes.book)) if wishes.book.has_times == "all" else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        return dict(rhythm(self.lines, at.key_B, at.seconds_B, at.seconds_B))


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
    """What the calendar says of the moment."""

    needs: ClassVar[str] = "times of all events"
    features: ClassVar[tuple[Feature, ...]] = CALENDAR

    @classmethod
    def of(cls, wishes: Wishes) -> CalendarGroup | None:
        """For logs whose times are all known."""
        return cls() if wishes.book.has_times == "all" else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        return dict(calendar(at.seconds_B))


def _lines_of(book: LineBook) -> Lines:
    whole = book.whole()
    seconds_N = whole.time_N / 1e6
    return Lines.of(seconds_N if whole.known_N is None else np.where(whole.known_N, seconds_N, np.nan), whole.offset_K1)
