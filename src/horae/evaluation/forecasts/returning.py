"""Will they be back? Everybody who was here before a moment is asked for, also those who never come again.

In: a split by time. Out: who is asked at a moment, how long they had been silent, and whether they came within a time.
Only times that are over when the part ends are asked for: whether somebody comes within a week of the last day, nobody
can judge. Simple methods beside: everybody's share a time earlier, the user's own, and a Poisson process for each user.
This module knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

from horae.data.split import Split
from horae.evaluation.forecasts.asked import beginning_of, end_of
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.schema import TIMESTAMP, USER, Requests
from horae.sequences.clock import seconds
from horae.sequences.running import STRENGTHS

__all__ = ["Returning", "moments_of", "returning_of", "returns_by_counting"]

MOMENTS = 4
"""At so many moments of the validation part people are asked for, if they lie apart."""


@dataclass(frozen=True, eq=False)
class Returning:
    """Who is asked about at a moment.

    Attributes:
        users: Ids of the users.
        at: The moment.
        within_seconds: Of the return.
        silent_U: Seconds from each user's last event until the moment.
        events_U: Events of each before it.
        known_U: Seconds from each user's first event until the moment.
        windows_U: Times as long as `within_seconds`, counted backwards from the moment, that lie after the one with the
            user's first event.
        active_U: In how many of these there was an event.
        newest_U: Was there one in the last such time before it?
        came_U: Was there an event within `within_seconds`?
        share_before: Of those who were here one such time earlier, how many came within it.
    """

    users: pl.Series
    at: datetime
    within_seconds: float
    silent_U: FloatArray
    events_U: IndexArray
    known_U: FloatArray
    windows_U: IndexArray
    active_U: IndexArray
    newest_U: BoolArray
    came_U: BoolArray
    share_before: float

    def __len__(self) -> int:
        return len(self.users)

    @property
    def requests(self) -> Requests:
        """As a recommender takes them."""
        return Requests(users=self.users, at=[self.at] * len(self.users))


def moments_of(split: Split, part: str, within_seconds: float, most: int = MOMENTS) -> list[float]:
    """Moments of a part, in Unix seconds, from which a time is over when the part ends; the first is its beginning.

    They lie at least a quarter of the time apart. None where the split is not by time, or some time is unknown.
    """
    start, end = beginning_of(split, part), end_of(split, part)
    if np.isnan(start) or split.events.times != "all" or not end - start >= within_seconds:
        return []
    room = end - within_seconds - start
    apart = min(most - 1, int(room // (within_seconds / 4)))
    return [float(moment) for moment in np.linspace(start, start + room, 1 + apart)]


def returning_of(split: Split, moment: float, within_seconds: float, *, most: int = 10_000, seed: int = 0) -> Returning:
    """Whom to ask at a moment, in Unix seconds; `moments_of` says which can be judged."""
    frame = split.events.frame
    user, time = frame[USER].rle_id().to_numpy().astype(np.int64), seconds(frame[TIMESTAMP])
    known, number = time < moment, int(user[-1]) + 1
    count = np.bincount(user[known], minlength=number)
    here = np.flatnonzero(count)
    if len(here) > most:
        here = np.sort(np.random.default_rng(seed).choice(here, most, replace=False))
    first, last = np.full(number, np.inf), np.full(number, -np.inf)
    np.minimum.at(first, user[known], time[known])
    np.maximum.at(last, user[known], time[known])
    came = np.bincount(user[(time >= moment) & (time < moment + within_seconds)], minlength=number) > 0
    earlier = np.bincount(user[time < moment - within_seconds], minlength=number) > 0
    newest = np.bincount(user[known & (time >= moment - within_seconds)], minlength=number) > 0
    share = (np.sum(earlier & newest) + 1.0) / (np.sum(earlier) + 2.0)
    windows, active = _windows(user[known], moment - time[known], within_seconds, number)
    return Returning(
        users=frame[USER].rle().struct.field("value").gather(here),
        at=datetime.fromtimestamp(moment, UTC),
        within_seconds=within_seconds,
        silent_U=moment - last[here],
        events_U=count[here],
        known_U=moment - first[here],
        windows_U=windows[here],
        active_U=active[here],
        newest_U=newest[here],
        came_U=came[here],
        share_before=float(share),
    )


def returns_by_counting(asked: Returning) -> dict[str, FloatArray]:
    """The chance of each user to return, by method.

    `user_frequency` is the user's own share of times with an event, drawn towards everybody's; `poisson` a Poisson
    process for each user; `everybody` everybody's share one such time earlier.

    Source: Lawless 2003, Statistical models and methods for lifetime data, section 4.1 (exponential gaps, open ends).
    Differs: each user's rate is drawn towards everybody's by one event. How far the user's own share is drawn is chosen
        by the last such time before the moment.
    """
    rate = asked.events_U.sum() / max(float(asked.known_U.sum()), 1.0)
    rate_U = (asked.events_U + 1.0) / (asked.known_U + 1.0 / rate)
    poisson: FloatArray = -np.expm1(-rate_U * asked.within_seconds)
    return {
        "user_frequency": _own_share(asked),
        "poisson": poisson,
        "everybody": np.full(len(asked), asked.share_before),
    }


def _windows(user_E: IndexArray, ago_E: FloatArray, within_seconds: float, users: int) -> tuple[IndexArray, IndexArray]:
    """Of each user, the times between the first event's and the moment, and in how many of them was an event."""
    window_E = np.ceil(ago_E / within_seconds).astype(np.int64) - 1
    windows = np.zeros(users, np.int64)
    np.maximum.at(windows, user_E, window_E)
    later = window_E < windows[user_E]
    pairs = np.unique(np.stack([user_E[later], window_E[later]]), axis=1)
    return windows, np.bincount(pairs[0], minlength=users)


def _own_share(asked: Returning) -> FloatArray:
    """How often a user was active, and how strongly everybody's share is mixed in."""
    share = asked.share_before
    before = asked.windows_U > 0
    newest = asked.newest_U[before]
    windows, active = asked.windows_U[before] - 1, asked.active_U[before] - newest

    def surprise(strength: float) -> float:
        told = (active + strength * share) / (windows + strength)
        return -float(np.log(np.where(newest, told, 1 - told).clip(1e-7)).sum())

    strength = min(STRENGTHS, key=surprise)
    own: FloatArray = (asked.active_U + strength * share) / (asked.windows_U + strength)
    return own
