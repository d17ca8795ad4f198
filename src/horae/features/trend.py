"""The trend of an activity: its robust slope, its level shifts and turning points, without its rhythm.

In: an `Activity` and its `Rhythm`s. Out: a `Trend` in events per day. It does not find rhythms; breaks need the extra
`series`, the slope does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import numpy as np

from horae.features.activity import DAY, Activity, Floats
from horae.features.breaks import changed_line, find_changes
from horae.features.rhythm import Rhythm
from horae.features.seasonal import adjusted, trend_bins

__all__ = ["Break", "Trend", "find_trend", "theil_sen"]

MOST_PAIRED: Final = 600
LEAST_SHIFT: Final = 0.1
LOG_MEAN: Final = 10.0


@dataclass(frozen=True)
class Break:
    """A moment from which the activity is another.

    Attributes:
        at_seconds: Epoch seconds; the beginning of the first bin after it.
        kind: `shift`: the level leaps; `turn`: the slope changes.
        before_per_day: Of a shift, the level just before in events per day; of a turn, the slope before, per day.
        after_per_day: The same just after.
    """

    at_seconds: float
    kind: Literal["shift", "turn"]
    before_per_day: float
    after_per_day: float

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; `at` is ISO 8601, UTC."""
        at = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self.at_seconds)).isoformat()
        return {"at": at, "kind": self.kind, "before_per_day": self.before_per_day, "after_per_day": self.after_per_day}


@dataclass(frozen=True, eq=False)
class Trend:
    """Where an activity goes.

    Attributes:
        slope_per_day: Events per day, more each day (Theil-Sen); None where there are fewer than three bins.
        level_per_day: Events per day in the middle (the median).
        breaks: In order of time; None where they were not looked for.
        series: The bins that were looked at, without season.
        fitted_M: The line with its breaks, in events per bin of `series`; None where breaks is.
    """

    slope_per_day: float | None
    level_per_day: float | None
    breaks: tuple[Break, ...] | None
    series: Activity
    fitted_M: Floats | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        breaks = None if self.breaks is None else [one.as_dict() for one in self.breaks]
        return {"slope_per_day": self.slope_per_day, "level_per_day": self.level_per_day, "breaks": breaks}


def find_trend(
    activity: Activity, rhythms: Sequence[Rhythm] = (), *, breaks: bool = True, searched: Activity | None = None
) -> Trend:
    """Slope and breaks of what an activity's rhythms leave.

    Args:
        activity: Fine bins, as `bin_times` makes them.
        rhythms: What `find_rhythms` found in it.
        breaks: Look for them too.
        searched: Where to look for breaks, if elsewhere: visits show them sooner than the events in them.

    Raises:
        MissingExtraError: Breaks are wanted and `ruptures` is not installed.
    """
    series = adjusted(trend_bins(activity), rhythms)
    if not len(series.counts_M):
        return Trend(None, None, () if breaks else None, series)
    per_day = DAY / series.width_seconds
    level = float(np.median(series.counts_M)) * per_day
    slope = theil_sen(series.counts_M)
    slope_per_day = None if slope is None else slope * per_day**2
    if not breaks:
        return Trend(slope_per_day, level, None, series)
    looked_at = series if searched is None else adjusted(trend_bins(searched), rhythms)
    shifts, turns, by_growth = _believed(looked_at.counts_M)
    shifts, turns = (_moved(places, looked_at, series) for places in (shifts, turns))
    fitted = _line(series.counts_M, shifts, turns, by_growth)
    shifts = tuple(shift for shift in shifts if _leap(fitted, shift) >= LEAST_SHIFT)
    return Trend(slope_per_day, level, _breaks(series, fitted, shifts, turns), series, fitted)


def theil_sen(values_M: Floats) -> float | None:
    """The median slope over all pairs, per bin; None under three values. Long series are averaged to 600 first.

    Source: Sen 1968 (doi:10.1080/01621459.1968.10480934). A third of the values may be wild.
    """
    factor = -(-len(values_M) // MOST_PAIRED)
    if len(values_M) < 3:
        return None
    whole = len(values_M) // factor
    means = values_M[: whole * factor].reshape(whole, factor).mean(axis=1)
    earlier, later = np.triu_indices(whole, 1)
    return float(np.median((means[later] - means[earlier]) / (later - earlier))) / factor


def _believed(counts: Floats) -> tuple[tuple[int, ...], tuple[int, ...], bool]:
    """Shifts and turns that neither a straight line nor a constant rate of growth explains; whether it is growth."""
    found = find_changes(counts, least_variance=float(counts.mean()))
    if (found.shifts or found.turns) and counts.mean() >= LOG_MEAN and counts.min() > 0:
        logs = find_changes(np.log(counts), curved=False)
        if len(logs.shifts) + len(logs.turns) < len(found.shifts) + len(found.turns):
            return logs.shifts, logs.turns, True
    return found.shifts, found.turns, False


def _moved(places: tuple[int, ...], source: Activity, target: Activity) -> tuple[int, ...]:
    """The same moments in another grid; what falls on its ends is left out."""
    moments = (source.start_seconds + place * source.width_seconds for place in places)
    cells = (round((moment - target.start_seconds) / target.width_seconds) for moment in moments)
    return tuple(cell for cell in cells if 2 <= cell < len(target.counts_M) - 1)


def _line(counts: Floats, shifts: tuple[int, ...], turns: tuple[int, ...], by_growth: bool) -> Floats:
    if by_growth and counts.min() > 0:
        return np.asarray(np.exp(changed_line(np.log(counts), shifts, turns)))
    return changed_line(counts, shifts, turns)


def _leap(fitted: Floats, shift: int) -> float:
    """How large a shift is, relative to the larger of its two levels."""
    before, after = float(fitted[shift - 1]), float(fitted[shift])
    return abs(after - before) / max(abs(before), abs(after), 1e-300)


def _breaks(series: Activity, fitted: Floats, shifts: tuple[int, ...], turns: tuple[int, ...]) -> tuple[Break, ...]:
    per_day = DAY / series.width_seconds
    breaks = []
    for shift in shifts:
        at = series.start_seconds + shift * series.width_seconds
        breaks.append(Break(at, "shift", float(fitted[shift - 1]) * per_day, float(fitted[shift]) * per_day))
    for turn in turns:
        at = series.start_seconds + turn * series.width_seconds
        before, after = (float(fitted[i + 1] - fitted[i]) * per_day**2 for i in (turn - 2, turn))
        breaks.append(Break(at, "turn", before, after))
    return tuple(sorted(breaks, key=lambda one: one.at_seconds))
