"""Which features, over which stretches of time, on whose calendar; each choice checks itself.

In: plain values. Out: `FeatureSettings`. It knows no log: what a log cannot give is refused where it is met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from horae.data.understanding.times import check_zone
from horae.features.calendar import CalendarSettings
from horae.features.groups import check_groups
from horae.features.spans import durations, windows_of

__all__ = ["HALF_LIVES", "WINDOWS", "FeatureSettings"]

WINDOWS: Final = ("1h", "1d", "7d", "28d")
HALF_LIVES: Final = ("1d", "7d", "28d")


@dataclass(frozen=True)
class FeatureSettings:
    """Which features.

    Attributes:
        groups: Names of groups; None: all that the log has what they need for, but `rhythm` and `trend`.
        windows: Trailing windows: `30min`, `7d`; `n10`, the last ten events; `all`, everything before.
        half_lives: Of the decayed counts.
        timezone: Where hours and weekdays are read off the clock, days and weeks of a grid begin, and times that name
            no zone belong: in `at`, in requests, in tables and relations.
        calendar: Whose holidays, which pay days and weekend.

    Raises:
        RecipeError: A group, window or half-life that is none, or that is named twice.
        DataError: No such time zone.
    """

    groups: Sequence[str] | None = None
    windows: Sequence[str] = WINDOWS
    half_lives: Sequence[str] = HALF_LIVES
    timezone: str = "UTC"
    calendar: CalendarSettings = field(default_factory=CalendarSettings)

    def __post_init__(self) -> None:
        if self.groups is not None:
            check_groups(self.groups)
        windows_of(self.windows)
        durations(self.half_lives, "half-life")
        check_zone(self.timezone)
