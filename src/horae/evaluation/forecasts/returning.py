"""Will they be back? Everybody who was here before the test part is asked for, also those who never come again.

In: a split by time. Out: who is asked at its boundary, how long they had been silent, and whether they came within a
week (or until the log ends, where that is sooner). Simple methods beside: everybody's share a week earlier, and a
Poisson process for each user. This module knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from horae.data.split import Split
from horae.evaluation.forecasts.asked import beginning_of, end_of
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.schema import TIMESTAMP, USER, Requests
from horae.sequences.clock import seconds

__all__ = ["Returning", "returning_of", "returns_by_counting"]

WEEK_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, eq=False)
class Returning:
    """Who is asked about at the boundary.

    Attributes:
        users: Ids of the users.
        at: The boundary.
        within_seconds: A week, or what the log holds after the boundary.
        silent_U: Seconds from each user's last event until the boundary.
        events_U: Events of each before it.
        known_U: Seconds from each user's first event until the boundary.
        came_U: Was there an event within `within_seconds`?
        share_before: Of those who were here a week before the boundary, how many came within it.
    """

    users: pl.Series
    at: datetime
    within_seconds: float
    silent_U: FloatArray
    events_U: IndexArray
    known_U: FloatArray
    came_U: BoolArray
    share_before: float

    @property
    def requests(self) -> Requests:
        """As a recommender takes them."""
        return Requests(users=self.users, at=[self.at] * len(self.users))


def returning_of(split: Split, *, most: int = 10_000, seed: int = 0) -> Returning | None:
    """Whom to ask; None where the split is not by time, some time is unknown, or nothing lies after the boundary."""
    start, end = beginning_of(split, "test"), end_of(split, "test")
    if np.isnan(start) or split.events.times != "all" or not end > start:
        return None
    within = min(WEEK_SECONDS, end - start)
    frame = split.events.frame
    user, time = frame[USER].rle_id().to_numpy().astype(np.int64), seconds(frame[TIMESTAMP])
    known = time < start
    count = np.bincount(user[known], minlength=user[-1] + 1)
    here = np.flatnonzero(count)
    if len(here) > most:
        here = np.sort(np.random.default_rng(seed).choice(here, most, replace=False))
    first, last = np.full(len(count), np.inf), np.full(len(count), -np.inf)
    np.minimum.at(first, user[known], time[known])
    np.maximum.at(last, user[known], time[known])
    came = np.bincount(user[(time >= start) & (time < start + within)], minlength=len(count)) > 0
    earlier = np.bincount(user[time < start - within], minlength=len(count)) > 0
    again = np.bincount(user[known & (time >= start - within)], minlength=len(count)) > 0
    share = (np.sum(earlier & again) + 1.0) / (np.sum(earlier) + 2.0)
    ids = frame[USER].rle().struct.field("value").gather(here)
    at = datetime.fromisoformat(split.boundary)
    return Returning(ids, at, within, start - last[here], count[here], start - first[here], came[here], float(share))


def returns_by_counting(asked: Returning) -> dict[str, FloatArray]:
    """The chance of each user to return, by method: everybody's share a week earlier; a Poisson process per user.

    Source: Lawless 2003, Statistical models and methods for lifetime data, section 4.1 (exponential gaps, open ends).
    Differs: each user's rate is drawn towards everybody's by one event.
    """
    rate = asked.events_U.sum() / max(float(asked.known_U.sum()), 1.0)
    rate_U = (asked.events_U + 1.0) / (asked.known_U + 1.0 / rate)
    poisson: FloatArray = -np.expm1(-rate_U * asked.within_seconds)
    return {"poisson": poisson, "everybody": np.full(len(asked.came_U), asked.share_before)}
