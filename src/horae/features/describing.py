"""A log on one page, with its rhythm and its trend: `describe`.

In: Events. Out: the `Description` of `horae.data.checks`, with `rhythm` and `trend` filled in, or the page with
pictures of both. Ten million events add about half a second: all is done on bins.

What is counted is visits (a user's events with no gap over 30 minutes), since a visit of thirty events says when once,
not thirty times; where users are hardly ever away (over a tenth of the time), it is the events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from horae.data import checks
from horae.data.checking import pages
from horae.data.checking.measures import Numbers
from horae.data.checks import Description
from horae.data.settings import DataSettings
from horae.errors import MissingExtraError
from horae.features.activity import Activity, Floats, bin_times
from horae.features.breaks import need_ruptures
from horae.features.pictures import pictures
from horae.features.rhythm import Rhythm, find_rhythms
from horae.features.trend import Trend, find_trend
from horae.page import Page
from horae.schema import Events

__all__ = ["TimeShape", "describe", "describe_page", "time_shape", "visit_times"]

APART_MICROS: Final = 30 * 60 * 1_000_000
MOST_PRESENT: Final = 0.1


@dataclass(frozen=True, eq=False)
class TimeShape:
    """What a log's times say.

    Attributes:
        visits: What rhythm and breaks were sought in.
        rhythms: The largest amplitude first.
        trend: In events; its `breaks` are None where `ruptures` is not installed, and `hint` then says so.
    """

    visits: Activity
    rhythms: list[Rhythm]
    trend: Trend
    hint: str = ""


def describe(events: Events, settings: DataSettings | None = None) -> Description:
    """Measure a log and say what to know about it.

    Args:
        events: Cleaned.
        settings: Where its `robots_per_day` draws the line.
    """
    log = Numbers.of(events)
    described = checks.describe(events, settings, log)
    shape = time_shape(log)
    trend = shape.trend.as_dict() | ({"hint": shape.hint} if shape.hint else {})
    known = len(log.sorted_T) > 0
    return replace(described, rhythm=[one.as_dict() for one in shape.rhythms], trend=trend if known else None)


def describe_page(events: Events, description: Description) -> Page:
    """The page of a log, with its activity, week and periods in pictures."""
    log = Numbers.of(events)
    drawn = pictures(time_shape(log), log) if len(log.sorted_T) else ()
    return pages.describe_page(log, description, drawn)


def time_shape(log: Events | Numbers) -> TimeShape:
    """Rhythm and trend of a whole log; empty where no time is known."""
    log = Numbers.of(log)
    visits = bin_times(visit_times(log))
    rhythms = find_rhythms(visits)
    activity = _all_events(log, visits)
    try:
        need_ruptures()
    except MissingExtraError as error:
        return TimeShape(visits, rhythms, find_trend(activity, rhythms, breaks=False), error.hint)
    return TimeShape(visits, rhythms, find_trend(activity, rhythms, searched=visits))


def _all_events(log: Numbers, visits: Activity) -> Activity:
    """Events in bins as wide as those of the visits, from sorted times: no pass over them."""
    if not len(log.sorted_T):
        return visits
    first, last = (float(log.sorted_T[end]) / 1e6 for end in (0, -1))
    width = visits.width_seconds
    start = np.floor(first / width) * width
    edges = start + width * np.arange(int((last - start) / width) + 2)
    counts = np.diff(np.searchsorted(log.sorted_T, edges * 1e6))
    return Activity(counts.astype(np.float64), float(start), width, last - first)


def visit_times(log: Events | Numbers) -> Floats:
    """When visits began, in epoch seconds, in no order; of users who are hardly ever away, each event's time."""
    log = Numbers.of(log)
    if not len(log.sorted_T):
        return np.zeros(0)
    if len(log.sorted_T) == len(log.time_N):
        time, first = log.time_N, log.first_N
    else:
        time, user = log.time_N[log.known_N], log.user_N[log.known_N]
        first = np.append(True, user[1:] != user[:-1])
    gaps = np.diff(time)
    within = (gaps <= APART_MICROS) & (gaps >= 0) & ~first[1:]
    gaps *= within
    starts = np.flatnonzero(first)
    present = np.add.reduceat(np.append(0, gaps), starts).astype(np.float64)
    span = max(int(log.sorted_T[-1] - log.sorted_T[0]), 1)
    weighted = float(present @ np.diff(starts, append=len(time))) / (len(time) * span)
    return np.asarray((time if weighted > MOST_PRESENT else time[np.append(True, ~within)]) / 1e6)
