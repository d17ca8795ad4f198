"""Activity on a regular grid: counts of events in bins of equal width, at a fitting width.

In: times in float64 epoch seconds, in any order; NaN is unknown and left out. Out: `Activity`. It knows no users, and
nothing of what the counts mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["DAY", "HOUR", "Activity", "Floats", "Ints", "bin_times", "fitting_width", "resolution_seconds"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MINUTE: Final = 60.0
HOUR: Final = 3_600.0
DAY: Final = 86_400.0
WIDTHS: Final = (
    *(0.001, 0.01, 0.1, 1.0, 5.0, 15.0),
    *(MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 7 * DAY, 28 * DAY),
)
"""All divide the next calendar unit, so that bins end where hours and days (UTC) end."""
MOST_BINS: Final = 32_768
SAMPLE: Final = 50_000


@dataclass(frozen=True, eq=False)
class Activity:
    """Events in bins of equal width, one after the other.

    Attributes:
        counts_M: Events in each bin (M), as float64.
        start_seconds: Where the first bin begins, in epoch seconds.
        width_seconds: Of a bin.
        span_seconds: From the first event to the last; at most M bins.
    """

    counts_M: Floats
    start_seconds: float
    width_seconds: float
    span_seconds: float

    @property
    def events(self) -> float:
        """How many there are in all."""
        return float(self.counts_M.sum())

    @property
    def middles_M(self) -> Floats:
        """Each bin's middle in seconds since the first bin began."""
        return np.asarray((np.arange(len(self.counts_M)) + 0.5) * self.width_seconds, dtype=np.float64)

    def coarser(self, factor: int) -> Activity:
        """Bins of `factor` times the width; a rest of bins at the end is left out."""
        whole = len(self.counts_M) // factor
        counts = self.counts_M[: whole * factor].reshape(whole, factor).sum(axis=1)
        width = self.width_seconds * factor
        return Activity(np.asarray(counts), self.start_seconds, width, min(self.span_seconds, width * whole))


def bin_times(times_N: Floats, width_seconds: float | None = None) -> Activity:
    """Count times into bins that begin at multiples of their width.

    Args:
        times_N: Epoch seconds; NaN is left out.
        width_seconds: None: as fits the span and the resolution of the times (`fitting_width`).
    """
    known = times_N[~np.isnan(times_N)]
    if not len(known):
        return Activity(np.zeros(0), 0.0, width_seconds or DAY, 0.0)
    first, last = float(known.min()), float(known.max())
    width = width_seconds or fitting_width(last - first, resolution_seconds(known))
    start = np.floor(first / width) * width
    cells = ((known - start) / width).astype(np.int64)
    return Activity(np.bincount(cells).astype(np.float64), float(start), width, last - first)


def fitting_width(span_seconds: float, resolution: float) -> float:
    """The finest of `WIDTHS` that is no finer than the times, and that makes no more than `MOST_BINS` bins."""
    fine = [width for width in WIDTHS if width >= resolution and span_seconds / width < MOST_BINS]
    return fine[0] if fine else max(WIDTHS[-1], span_seconds / (MOST_BINS - 1))


def resolution_seconds(times_N: Floats) -> float:
    """The coarsest of day, hour, minute and second that holds the times; 0.001 below; looked at in a sample.

    Whole days of some zone are days too, though a clock change moves their midnight by an hour: few times of day, and
    many days.
    """
    sample = times_N[:: max(1, len(times_N) // SAMPLE)]
    days = len(np.unique(sample // DAY))
    if days > 10 and len(np.unique(sample % DAY)) <= 2:
        return DAY
    for unit in (DAY, HOUR, MINUTE, 1.0):
        if not (sample % unit).any():
            return unit
    return WIDTHS[0]
