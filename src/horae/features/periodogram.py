"""The discrete Fourier transform of an activity, its noise floor, and how surprising a peak is.

In: an `Activity` and what is left of its counts when all that was expected is taken away. Out: `Periodogram`: power by
frequency, its peaks, and p-values that hold for the whole search. It does not choose among peaks.

Power is 1 on average for events that come independently of each other at the expected rate; a rate of
`1 + a cos(...)` has `events a^2 / 4` at its frequency. Sessions and bursts lift the floor, drift tilts it: so it is
measured around each peak, from medians that a line does not move, and its own uncertainty counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import fft

from horae.features.activity import DAY, Activity, Floats, Ints

__all__ = ["CALENDAR_SECONDS", "FEWEST_CYCLES", "Periodogram", "periodogram"]

FEWEST_CYCLES: Final = 3.8
"""Fewer cycles than this cannot be told from drift; four weeks hold almost four of a week."""
OVERSAMPLING: Final = 4
HIGHEST: Final = 0.45
"""Cycles in a bin at most; half of one is where a bin's counts stop telling frequencies apart."""
REACH: Final = 3.0
"""The floor of a frequency is measured from this part of it to this multiple."""
FLOOR_SAMPLE: Final = 400
FEWEST_POWERS: Final = 3
MEDIAN_WORTH: Final = 0.5
"""A median of n exponentials is as uncertain as a mean of about n / 2 (asymptotically 0.48)."""
MOST_PEAKS: Final = 40
CALENDAR_SECONDS: Final = (DAY, 7 * DAY, DAY / 2, 365.25 * DAY, 365.25 * DAY / 12)
"""Periods that people keep: half of the false alarms allowed are theirs, so that they are found in small logs too."""


@dataclass(frozen=True, eq=False)
class Periodogram:
    """Power by frequency (F), `OVERSAMPLING` points for each cycle in the span.

    Attributes:
        frequency_F: Cycles per second, ascending, from `FEWEST_CYCLES` in the span up.
        power_F: See the module.
        span_seconds: Of the activity's bins.
    """

    frequency_F: Floats
    power_F: Floats
    span_seconds: float

    def peaks(self) -> Ints:
        """Local maxima (as indices), those that stand highest above a running geometric mean first."""
        padded = np.concatenate([[0.0], self.power_F, [0.0]])
        tops = np.flatnonzero((self.power_F >= padded[:-2]) & (self.power_F > padded[2:]))
        knots = np.geomspace(self.frequency_F[0], self.frequency_F[-1], 48)
        level = np.exp(np.interp(self.frequency_F[tops], knots, [np.log(self.floor(knot)[0]) for knot in knots]))
        ratio = self.power_F[tops] / level
        return np.asarray(tops[np.argsort(-ratio, kind="stable")[:MOST_PEAKS]], dtype=np.int64)

    def floor(self, frequency: float) -> tuple[float, float]:
        """The mean power of noise there, and how many independent powers that rests on.

        The geometric mean of the medians below and above, without the peak itself: right for any power law, so for
        drift too. At the ends one side is short or missing: the other is then carried on by its slope, if that makes
        the floor higher, since red noise goes on rising. Never under 1, the floor of independent events.
        """
        lobe = 1 / self.span_seconds
        below, few = self._median(frequency / REACH, frequency - lobe)
        above, many = self._median(frequency + lobe, frequency * REACH)
        if few < FEWEST_POWERS:
            farther, enough = self._median(frequency * REACH, frequency * REACH**2)
            slope = min(max(above / farther, 1.0), REACH**2) if enough >= FEWEST_POWERS else 1.0
            below = max(below if few else 0.0, above * slope)
        if many < FEWEST_POWERS:
            above = below
        level = float(np.sqrt(below * above) / np.log(2))
        return max(level, 1.0), max(1.0, MEDIAN_WORTH * (few + many))

    def p_value(self, peak: int, *, asked: bool = False) -> tuple[float, float]:
        """The chance that noise has such a peak anywhere, and the peak's power over the floor.

        Args:
            peak: Its index.
            asked: This frequency was asked about, and no other: its own chance.

        Source: Baluev 2008 (doi:10.1111/j.1365-2966.2008.12689.x), eq. 6: the expected number of peaks above z in a
        band is its width in cycles times sqrt(z) exp(-z).
        Differs: the exponential tail is that of a ratio to an estimated floor, an F distribution; each octave has
        the same share of the false alarms, and calendar periods together have half.
        """
        frequency = float(self.frequency_F[peak])
        level, weight = self.floor(frequency)
        ratio = float(self.power_F[peak]) / level
        tail = (1 + ratio / weight) ** -weight * np.sqrt(max(ratio, 1.0))
        octaves = max(1.0, float(np.log2(self.frequency_F[-1] / self.frequency_F[0])))
        trials = octaves * max(frequency * self.span_seconds, 1.0)
        kept = [1 / one for one in CALENDAR_SECONDS if self.frequency_F[0] <= 1 / one <= self.frequency_F[-1]]
        if any(abs(frequency - one) < 0.5 / self.span_seconds for one in kept):
            trials = min(trials, len(kept))
        return min(1.0, (1 if asked else 2 * trials) * float(tail)), ratio

    def _median(self, low: float, high: float) -> tuple[float, float]:
        """The median power of a band, and how many independent powers it has; 1 where it is empty."""
        start, end = (int(at) for at in np.searchsorted(self.frequency_F, (low, high)))
        if end <= start:
            return 1.0, 0.0
        powers = self.power_F[start : end : max(1, (end - start) // FLOOR_SAMPLE)]
        return max(float(np.median(powers)), 1e-12), (end - start) / OVERSAMPLING


def periodogram(activity: Activity, rest_M: Floats) -> Periodogram | None:
    """Of what the baseline (and the periods found so far) leave of the counts; None where the span is too short.

    Args:
        activity: Whose grid it is.
        rest_M: Counts minus what was expected.
    """
    size = fft.next_fast_len(OVERSAMPLING * len(rest_M), real=True)
    power = np.abs(fft.rfft(rest_M, size)) ** 2 / activity.events
    frequency = np.arange(len(power)) / (size * activity.width_seconds)
    span = len(rest_M) * activity.width_seconds
    lowest, highest = FEWEST_CYCLES / max(activity.span_seconds, 1e-9), HIGHEST / activity.width_seconds
    inside = (frequency >= lowest) & (frequency <= highest)
    if inside.sum() < 4 * OVERSAMPLING:
        return None
    return Periodogram(frequency[inside], power[inside], span)
