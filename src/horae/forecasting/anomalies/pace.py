"""Does somebody go on as people do? In: cases. Out: signals of bursts, of clockwork and of whole days awake.

Each looks at some events up to and with the one asked about, of one user. They are held against everybody's, not
against the user's own: a robot that was always one is no less a robot. Lines with an unknown time are not judged.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from horae.evaluation.metrics.ranks import FloatArray, IndexArray
from horae.forecasting.anomalies.cases import Cases
from horae.forecasting.anomalies.signals import Signal, span
from horae.forecasting.anomalies.tails import Side
from horae.sequences.running import sums_before

__all__ = ["pace_signals"]

BURST: Final = 5
"""Events whose span is looked at."""
GAPS: Final = 8
"""Gaps that are compared with each other."""
HOUR_SECONDS: Final = 3_600.0
DAY_SECONDS: Final = 86_400.0
WAKING_HOURS: Final = 12
"""Events in so many hours of a day or fewer say nothing: people are awake for longer."""
LEAST: Final = 0.01
"""Spread of log gaps, one per cent: more even than that is even."""


def pace_signals(cases: Cases) -> tuple[list[Signal], tuple[str, ...]]:
    """The signals; none where no line has all of its times."""
    time_E, user_E = cases.time_E, cases.user_E
    timeless_U = np.bincount(user_E[np.isnan(time_E)], minlength=int(user_E.max(initial=-1)) + 1) > 0
    time_E = np.where(timeless_U[user_E], np.nan, time_E)
    if np.isnan(time_E[cases.row_N]).all():
        return [], ("Without times, bursts, regular gaps and days without a night are not seen.",)
    first_E = np.flatnonzero(np.diff(user_E, prepend=-1))[user_E]
    signals = [_burst(cases, time_E, first_E), _regular(cases, time_E, first_E), _awake(cases, time_E, first_E)]
    return [signal for signal in signals if not np.isnan(signal.sides[0].raw_N).all()], ()


def _burst(cases: Cases, time_E: FloatArray, first_E: IndexArray) -> Signal:
    """The shorter the time that the newest five events took, the odder."""
    row_N = cases.row_N
    start_N = row_N - (BURST - 1)
    enough_N = start_N >= first_E[row_N]
    span_N = np.where(enough_N, time_E[row_N] - time_E[np.maximum(start_N, 0)], np.nan)
    return Signal("burst", (Side(-np.log1p(span_N)),), lambda event: f"{BURST} events within {span(span_N[event])}")


def _regular(cases: Cases, time_E: FloatArray, first_E: IndexArray) -> Signal:
    """The more alike the newest eight gaps, the odder; of gaps below a second nothing is said."""
    row_N = cases.row_N
    start_N = row_N - GAPS
    enough_N = start_N >= first_E[row_N]
    at_NG = np.maximum(start_N, 0)[:, None] + np.arange(GAPS + 1)
    gap_NG = np.diff(time_E[at_NG], axis=1)
    enough_N &= (gap_NG >= 1).all(1)
    log_NG = np.log(np.where(enough_N[:, None], gap_NG, 1.0))
    spread_N, usual_N = log_NG.std(1), np.exp(log_NG.mean(1))
    raw_N = np.where(enough_N, -np.log(spread_N + LEAST), np.nan)
    return Signal(
        "regular",
        (Side(raw_N),),
        lambda event: f"{GAPS} gaps in a row of {span(usual_N[event])}, give or take {spread_N[event]:.0%}",
    )


def _awake(cases: Cases, time_E: FloatArray, first_E: IndexArray) -> Signal:
    """The more of the last 24 hours have an event in them, the odder; asked once an hour, at its first event."""
    row_N = cases.row_N
    hour_E = np.floor(time_E / HOUR_SECONDS)
    begins_E = (np.diff(hour_E, prepend=np.nan) != 0) | (first_E == np.arange(len(hour_E)))
    start_N = _first_within(time_E, first_E, row_N)
    hours_N = 1 + sums_before(np.where(begins_E, 1.0, np.nan), start_N + 1, row_N + 1)[0]
    asked_N = begins_E[row_N] & ~np.isnan(time_E[row_N])
    raw_N = np.where(asked_N, np.maximum(hours_N, WAKING_HOURS), np.nan)
    return Signal("awake", (Side(raw_N),), lambda event: f"events in {int(hours_N[event])} of the last 24 hours")


def _first_within(time_E: FloatArray, first_E: IndexArray, row_N: IndexArray) -> IndexArray:
    """The row of the user's first event less than a day before each row, or at it."""
    known = time_E[~np.isnan(time_E)]
    begin, width = float(known.min()), float(known.max() - known.min()) + 2 * DAY_SECONDS
    line_E = np.cumsum(np.diff(first_E, prepend=-1) != 0)
    key_E = line_E * width + np.where(np.isnan(time_E), 0.0, time_E - begin)
    key_N = line_E[row_N] * width + np.where(np.isnan(time_E), 0.0, time_E - begin)[row_N]
    found_N: IndexArray = np.searchsorted(key_E, key_N - DAY_SECONDS, side="right")
    return np.maximum(found_N, first_E[row_N])
