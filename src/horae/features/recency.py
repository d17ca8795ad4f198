"""How long ago, how regular, how sudden: times since events, gaps between them, bursts.

In: lines and moments. Out: float32 columns. Values are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from horae.features.book import LineBlock
from horae.features.group import Column, Feature, Wishes, blank
from horae.features.moments import Moments
from horae.features.spans import Window
from horae.features.windows import Sums

__all__ = ["Bursts", "Gaps", "Recency"]

UNKNOWN: Final = "times are unknown or contradict the order"
KNOWN_FOR: Final = 10
"""A burst is said once the key has been known for so many windows."""


@dataclass(frozen=True)
class Recency:
    """Times since the last and the first event."""

    needs: ClassVar[str] = "times"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("recency_seconds", "seconds", f"no past event; {UNKNOWN}", "Since the key's last event."),
        Feature("age_seconds", "seconds", f"no past event; {UNKNOWN}", "Since the key's first event."),
    )

    @classmethod
    def of(cls, wishes: Wishes) -> Recency | None:
        """For logs with times."""
        return cls() if wishes.book.has_times != "none" else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        return {"recency_seconds": blank(at.since_last_B, None), "age_seconds": blank(at.since_first_B, None)}


@dataclass(frozen=True)
class Gaps:
    """Times between one event and the next."""

    needs: ClassVar[str] = "times"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature(
            "gap_last_seconds", "seconds", f"fewer than two past events; {UNKNOWN}", "Between the last two events."
        ),
        Feature("gap_mean_seconds", "seconds", f"fewer than two past events; {UNKNOWN}", "Mean of all past gaps."),
        Feature(
            "gap_deviation_seconds",
            "seconds",
            f"fewer than three past events; {UNKNOWN}",
            "Their standard deviation (divided by their number).",
        ),
    )

    @classmethod
    def of(cls, wishes: Wishes) -> Gaps | None:
        """For logs with times."""
        return cls() if wishes.book.has_times != "none" else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        gap_N = np.full(len(lines), np.nan)  # from the event before; a line's first event has none
        gap_N[1:] = np.diff(lines.time_N) / 1e6
        gap_N[lines.offset_K1[:-1]] = np.nan
        number_B, sum_B, variance_B = Sums(gap_N, lines).over(at, at.begin_B)
        unsaid_B = None if at.clear_B is None else ~at.clear_B
        last_B = np.where(number_B > 0, gap_N[at.last_B], np.nan)
        with np.errstate(invalid="ignore"):
            mean_B = sum_B / number_B
        deviation_B = np.where(number_B > 1, np.sqrt(variance_B), np.nan)
        return {
            "gap_last_seconds": blank(last_B, unsaid_B),
            "gap_mean_seconds": blank(mean_B, unsaid_B),
            "gap_deviation_seconds": blank(deviation_B, unsaid_B),
        }


@dataclass(frozen=True)
class Bursts:
    """How much busier than usual."""

    windows: tuple[Window, ...]

    needs: ClassVar[str] = "times, and a window of time such as 1h"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature(
            "burst_{window}",
            "times the usual",
            f"fewer than two past events, or fewer than {KNOWN_FOR} windows passed since the first; {UNKNOWN}",
            "Events in the window (time windows only) divided by those that the key's own mean rate so far would give.",
        ),
    )

    @classmethod
    def of(cls, wishes: Wishes) -> Bursts | None:
        """For logs with times, over the windows of time."""
        timed = tuple(window for window in wishes.windows if window.micros is not None)
        return cls(timed) if timed and wishes.book.has_times != "none" else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        columns: dict[str, Column] = {}
        for window in self.windows:
            assert window.micros is not None
            seconds = window.micros / 1e6
            number_B = at.end_B - at.starts(window)
            with np.errstate(divide="ignore", invalid="ignore"):
                burst_B = number_B * at.since_first_B / ((at.past_B - 1) * seconds)
            there_B = (at.past_B > 1) & (at.since_first_B >= KNOWN_FOR * seconds)
            columns[f"burst_{window.name}"] = blank(np.where(there_B, burst_B, np.nan), at.unsaid(window))
        return columns
