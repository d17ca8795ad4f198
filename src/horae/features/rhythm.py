"""The periods of an activity: which, how strong, when they peak, and whether noise could have done it.

In: times, or an `Activity`. Out: `Rhythm`s, the strongest first. It knows no users and nothing later than its input.

Lines are found one by one in the periodogram of what drift, level shifts and the lines so far leave; each is refined
to the maximum of the power between the points of the grid, and taken out with its harmonics before the next is sought.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from scipy import fft, optimize

from horae.features.activity import DAY, HOUR, Activity, Floats, bin_times
from horae.features.baseline import baseline
from horae.features.periodogram import CALENDAR_SECONDS, Periodogram, periodogram

__all__ = ["Rhythm", "find_rhythms", "rhythms_of"]

ALPHA: Final = 0.05
FEWEST_EVENTS: Final = 20
LEAST_AMPLITUDE: Final = 0.05
"""Weaker lines of large logs are true, and of no use; most are what a baseline could not follow."""
MOST_LINES: Final = 12
MOST_HARMONICS: Final = 12
AS_STRONG: Final = 0.8
HARMONIC_RATIO: Final = 6.0
"""A harmonic is taken out with its period where its power is so many times the floor."""
BINS_IN_PERIOD: Final = 12
WEEKS_APART: Final = 3
"""Weeks in the span from which multiples of a week's frequency can be told apart."""
SIDEBANDS_FROM: Final = 0.55
"""Cycles a day; what is slower is a rhythm over days, and told."""


@dataclass(frozen=True)
class Rhythm:
    """A period in the rate of events, `rate = level * (1 + amplitude * cos(2 pi (t - phase) / period) + ...)`.

    Attributes:
        period_seconds: Exactly a round one (a day, a week, whole hours) where the data cannot tell it from that.
        amplitude: Of the cosine, relative to the mean rate; 1 is from nothing to double. Above 1 for sharp peaks.
        phase_seconds: Time of the cosine's peak since 1970, modulo the period.
        last_peak_seconds: Its last peak within the log, in epoch seconds: good to compare where the period is known
            to less than one part in (peaks since 1970).
        strength: Autocorrelation, after drift and level shifts, at a lag of one period, in bins of about a twelfth
            of it; 0 to 1.
        p_value: The chance that noise as bursty as this log's shows such a line anywhere.
    """

    period_seconds: float
    amplitude: float
    phase_seconds: float
    last_peak_seconds: float
    strength: float
    p_value: float

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; `last_peak` is ISO 8601, UTC."""
        plain: dict[str, Any] = {name: float(getattr(self, name)) for name in self.__dataclass_fields__}
        last = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(plain.pop("last_peak_seconds")))
        return plain | {"last_peak": last.isoformat()}


@dataclass
class _Line:
    """One found: `frequency` in cycles per second; `ratio` is its power over the floor; `harmonics` leave with it."""

    frequency: float
    p_value: float
    ratio: float
    power: float
    harmonics: list[int] = field(default_factory=lambda: [1])


def rhythms_of(times_N: Floats) -> list[Rhythm]:
    """The periods of events at these times (epoch seconds, any order, NaN left out)."""
    return find_rhythms(bin_times(times_N))


def find_rhythms(activity: Activity, alpha: float = ALPHA) -> list[Rhythm]:
    """The periods of an activity, the largest amplitude first; empty where there is none or too little to tell.

    Args:
        activity: Counts; `FEWEST_EVENTS` at least.
        alpha: A line is reported if its p-value is below.

    Source: periodogram of binned events as in Bartlett 1963 (The spectral analysis of point processes), lines taken
        out one by one as in Roberts, Lehar and Dreher 1987 (doi:10.1086/114383).
    Differs: the floor is measured in the log itself (`periodogram`), and harmonics leave with their period.
    """
    if activity.events < FEWEST_EVENTS or len(activity.counts_M) < 16:
        return []
    level, lines = baseline(activity), list[_Line]()
    expected = np.zeros(len(level))
    while len(lines) < MOST_LINES:
        spectrum = periodogram(activity, activity.counts_M - level - expected)
        line = _strongest(spectrum, lines, alpha) if spectrum is not None else None
        if spectrum is None or line is None:
            break
        line.frequency = _refined(activity, activity.counts_M - level - expected, line.frequency)
        line.frequency = _rounded(line, spectrum.span_seconds)
        line.harmonics = _harmonics(spectrum, line.frequency)
        lines.append(line)
        expected = _fit(activity, level, lines)[1]
        level = baseline(activity, expected)
        expected = _fit(activity, level, lines)[1]
    weights = _fit(activity, level, lines)[0]
    found = [_rhythm(activity, level, line, weight) for line, weight in zip(lines, weights, strict=True)]
    return sorted((one for one in found if one.amplitude >= LEAST_AMPLITUDE), key=lambda one: -one.amplitude)


def _strongest(spectrum: Periodogram, lines: list[_Line], alpha: float) -> _Line | None:
    """The most powerful significant peak that no line so far accounts for; of a comb's equal teeth the first."""
    known_F = _accounted(spectrum, lines)
    halves = any(abs(line.frequency * DAY - 2) < 0.03 for line in lines)  # half a day asks: is there a day?
    best, most, close = None, 0.0, list[_Line]()
    for peak in spectrum.peaks().tolist():
        power = float(spectrum.power_F[peak])
        if known_F[peak] or power < AS_STRONG * most:
            continue
        is_day = abs(float(spectrum.frequency_F[peak]) - 1 / DAY) < 0.5 / spectrum.span_seconds
        chance, ratio = spectrum.p_value(peak, asked=halves and is_day)
        if chance < alpha:
            close.append(_Line(float(spectrum.frequency_F[peak]), chance, ratio, power))
            best, most = (close[-1], power) if power > most else (best, most)
    if best is None:
        return None
    teeth = [line for line in close if line.power >= AS_STRONG * most and _divides(line, best, spectrum.span_seconds)]
    return min([best, *teeth], key=lambda line: line.frequency)


def _divides(line: _Line, other: _Line, span: float) -> bool:
    """Is the other's frequency a multiple of the line's, as far as the span can tell?"""
    multiple = round(other.frequency / line.frequency)
    return multiple > 1 and abs(other.frequency - multiple * line.frequency) < multiple / span


def _accounted(spectrum: Periodogram, lines: list[_Line]) -> Any:
    """Near a line, one of its multiples, or the sum or difference of two: rhythms that modulate each other."""
    near = np.zeros(len(spectrum.frequency_F), dtype=np.bool_)
    frequency, unit = spectrum.frequency_F, 1 / spectrum.span_seconds
    for line in lines:
        near |= np.abs(frequency - line.frequency) < max(2 * unit, 0.03 * line.frequency)
        multiple = np.maximum(np.round(frequency / line.frequency), 1)
        reach = np.minimum((0.75 + 0.05 * multiple) * unit, 0.25 * line.frequency)
        near |= np.abs(frequency - multiple * line.frequency) < reach
        for other in lines:
            if other.frequency < line.frequency:
                for mixed in (line.frequency - other.frequency, line.frequency + other.frequency):
                    near |= np.abs(frequency - mixed) < unit
    day, week = (any(abs(line.frequency * period - 1) < 0.03 for line in lines) for period in (DAY, 7 * DAY))
    if day and WEEKS_APART * 7 * DAY * unit < 1:  # other hours at the weekend: the day's sidebands, without a week
        weekly = np.abs(frequency - np.round(frequency * 7 * DAY) / (7 * DAY)) < min(0.75 * unit, 0.1 / (7 * DAY))
        near |= weekly & (frequency * DAY > SIDEBANDS_FROM)
    for taken, period in ((day, DAY), (week, 7 * DAY)):  # a day is no harmonic of a week
        near &= taken | (np.abs(frequency - 1 / period) > unit / 2)
    return near


def _refined(activity: Activity, rest: Floats, frequency: float) -> float:
    """The maximum of the power within a quarter of a cycle in the span around a point of the grid."""
    at, span = activity.middles_M, len(rest) * activity.width_seconds

    def loss(cycles: float) -> float:
        return -float(np.abs(np.exp(-2j * np.pi * (cycles / span) * at) @ rest))

    bounds = (frequency * span - 0.3, frequency * span + 0.3)
    best = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"maxiter": 20, "xatol": 1e-4})
    return float(best.x) / span


def _rounded(line: _Line, span: float) -> float:
    """A round period that lies within the uncertainty of the frequency, or the frequency as it is.

    Source: the least standard deviation of a frequency, sqrt(6 / ratio) / (2 pi span): Rife and Boorstyn 1974
        (doi:10.1109/TIT.1974.1055282), eq. 17.
    """
    deviation = float(np.sqrt(6 / line.ratio)) / (2 * np.pi * span)
    for period in CALENDAR_SECONDS:
        reach = max(3 * deviation, min(0.25 / span, 0.003 * line.frequency))
        if abs(1 / period - line.frequency) < min(reach, 0.04 * line.frequency):
            return 1 / period
    period = 1 / line.frequency
    for unit in (7 * DAY, DAY, 6 * HOUR, HOUR, HOUR / 4, 300.0, 60.0):
        near = round(period / unit) * unit
        if near and abs(1 / near - line.frequency) < min(2 * deviation, 0.02 * line.frequency):
            return 1 / near
    return line.frequency


def _harmonics(spectrum: Periodogram, frequency: float) -> list[int]:
    """The multiples that stand out of the floor, but for a calendar period, which stands for itself."""
    kept = [1]
    for multiple in range(2, MOST_HARMONICS + 1):
        wanted = multiple * frequency
        if wanted > spectrum.frequency_F[-1]:
            break
        if any(abs(wanted * period - 1) < 1e-3 for period in CALENDAR_SECONDS[:2]):
            continue
        at = min(int(np.searchsorted(spectrum.frequency_F, wanted)), len(spectrum.frequency_F) - 1)
        if spectrum.power_F[at] > HARMONIC_RATIO * spectrum.floor(wanted)[0]:
            kept.append(multiple)
    return kept


def _fit(activity: Activity, level: Floats, lines: list[_Line]) -> tuple[list[complex], Floats]:
    """All lines at once, `level * real(sum of weight * exp(i w t))`, by least squares with Poisson weights."""
    if not lines:
        return [], np.zeros(len(level))
    at, columns = activity.middles_M, []
    for line in lines:
        for multiple in line.harmonics:
            angle = 2 * np.pi * line.frequency * multiple * at
            columns += [np.cos(angle), np.sin(angle)]
    waves = np.stack(columns)
    gram = (waves * level) @ waves.T
    gram[np.diag_indices(len(gram))] += 1e-9 * gram.diagonal().max()
    weights = np.linalg.solve(gram, waves @ (activity.counts_M - level))
    firsts = np.cumsum([0, *(2 * len(line.harmonics) for line in lines[:-1])])
    return [complex(weights[first], -weights[first + 1]) for first in firsts], np.asarray(level * (weights @ waves))


def _rhythm(activity: Activity, level: Floats, line: _Line, weight: complex) -> Rhythm:
    period = 1 / line.frequency
    smoothing = float(np.sinc(line.frequency * activity.width_seconds))  # a bin averages the wave that crosses it
    since_start = -np.angle(weight) / (2 * np.pi) * period
    peak = activity.start_seconds + since_start
    end = activity.start_seconds + len(level) * activity.width_seconds
    last = peak + np.floor((end - peak) / period) * period
    return Rhythm(
        period_seconds=period,
        amplitude=abs(weight) / smoothing,
        phase_seconds=float(peak % period),
        last_peak_seconds=float(last),
        strength=_autocorrelation(activity, level, period),
        p_value=max(line.p_value, 1e-300),
    )


def _autocorrelation(activity: Activity, level: Floats, period: float) -> float:
    """Of the counts above the baseline, at a lag of one period; between lags by interpolation."""
    factor = max(1, int(period / BINS_IN_PERIOD / activity.width_seconds))
    whole = len(level) // factor
    above = (activity.counts_M - level)[: whole * factor].reshape(whole, factor).sum(axis=1)
    above = above - above.mean()
    size = fft.next_fast_len(2 * whole, real=True)
    power = np.abs(fft.rfft(above, size)) ** 2
    correlation = fft.irfft(power, size)[:whole] / np.maximum(whole - np.arange(whole), 1)
    lag = period / (factor * activity.width_seconds)
    value = np.interp(lag, np.arange(whole), correlation / max(float(correlation[0]), 1e-300))
    return float(np.clip(value, 0.0, 1.0))
