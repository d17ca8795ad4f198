"""A run in, perhaps with a new log; events and users that it did not expect out (public as `horae.find_anomalies`).

    event -> its history -> item, time, value, pace: how rare? -> one score -> how rare among calibration events?

The same histories and the same encoding as for recommendations. An event's surprise depends on nothing at or after it.
This module reads no clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from horae.data.clean import read_events
from horae.data.settings import DataSettings
from horae.errors import DataError
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.forecasting.anomalies.cases import Cases, cases_of
from horae.forecasting.anomalies.items import item_signals
from horae.forecasting.anomalies.pace import pace_signals
from horae.forecasting.anomalies.result import Anomalies
from horae.forecasting.anomalies.signals import Signal
from horae.forecasting.anomalies.tails import CONFIDENT, Tail, combined, excess_of_mean, surprise_of
from horae.forecasting.anomalies.times import time_signal
from horae.forecasting.anomalies.values import value_signal
from horae.recommend.recommender import Recommender
from horae.schema import BEHAVIOR, ITEM, TIMESTAMP, USER, VALUE, Events

__all__ = ["find_anomalies", "reading_of"]

KEPT: Final = ("timezone", "max_bad")
"""Of a run's `[data]`, what a log that is judged is read with: rare items, robots and far values stay in."""
RARE: Final = -math.log(0.05)
"""A surprise that `why` tells, beside the largest."""
MOST_TOLD: Final = 3
FEWEST: Final = 20
"""Calibration events below which nobody can say what is usual."""


def find_anomalies(
    recommender: Recommender,
    events: Any = None,
    *,
    since: datetime | None = None,
    false_alarms: float = 0.01,
    seed: int = 0,
) -> Anomalies:
    """Score how odd events are under a run, and flag the oddest at a known rate of false alarms.

    Seven signals, each as of just before the event: is this *item* likely to come next? Are the newest items what this
    user's *habit* was? Is the *time* since the event before too short or too long? Is the *value* far from what is
    usual? Are the newest events a *burst*, *regular* as clockwork, or spread over all hours, as if somebody was always
    *awake*? Each becomes a p value beside the events that calibrate; these become one score, which becomes one, too.

    Args:
        recommender: A run of any model. Heads, where it has any (recipe `which-what-when`), tell of gaps and values;
            else baselines do.
        events: A new log, as `read_events` takes it, or Events; its users may be unknown. Histories are the run's log
            and the new one's earlier events. None: the test part of the run's own log.
        since: Judge only events at or after this time; of the run's own log, those before it calibrate.
        false_alarms: The share of ordinary events, and of ordinary users, that may be flagged.
        seed: Of what is drawn where there are more calibration events than are needed.

    Raises:
        DataError: A rate outside 0 to 1; nothing to judge; fewer than 20 calibration events.

    Example:
        ```python
        recommender = horae.train(split)
        found = horae.find_anomalies(recommender, "newer.csv", false_alarms=0.01)
        print(found)
        print(found.odd, found.odd_users)
        ```
    """
    if not 0 < false_alarms < 1:
        raise DataError(f"false_alarms = {false_alarms}: expected a rate between 0 and 1.", hint="Such as 0.01.")
    log = events
    if events is not None and not isinstance(events, Events):
        log = read_events(events, settings=DataSettings(**reading_of(recommender)))
    cases = cases_of(recommender, log, since, seed)
    _check_enough(cases)
    signals, notes = _signals(cases, log is not None and not log.has_items)
    if not signals:
        raise DataError("Nothing can be judged: " + " ".join(notes), hint="Give a log with items, times or values.")
    surprise_KN = np.stack([surprise_of(signal.sides, cases.calibration_N) for signal in signals])
    score_N = combined(surprise_KN)
    tail = Tail.of(score_N[cases.calibration_N])
    threshold = tail.above(false_alarms)
    p_N = np.where(cases.calibration_N, tail.p(score_N, own=True), tail.p(score_N))
    odd_N = score_N > threshold
    frame = _events_frame(cases, signals, surprise_KN, score_N, p_N, odd_N)
    users, few = _users_frame(cases, signals, surprise_KN, p_N, odd_N, false_alarms)
    return Anomalies(
        frame,
        users,
        tuple(signal.name for signal in signals),
        false_alarms,
        threshold,
        _calibration(cases),
        (*cases.notes, *notes, *_few_events(tail, false_alarms), *few),
    )


def reading_of(recommender: Recommender) -> dict[str, Any]:
    """The `[data]` settings that a log to be judged is read with: nothing odd is cleaned away."""
    return {name: recommender.recipe.data[name] for name in KEPT if name in recommender.recipe.data}


def _check_enough(cases: Cases) -> None:
    events = int(cases.calibration_N.sum())
    if events < FEWEST:
        raise DataError(
            f"{events:,} calibration events say too little of what is usual: expected {FEWEST} or more.",
            hint="Give a longer log: a part of it that the run did not learn from says what is usual.",
        )


def _few_events(tail: Tail, false_alarms: float) -> tuple[str, ...]:
    if tail.vouches(false_alarms):
        return ()
    enough = math.ceil(CONFIDENT / false_alarms)
    return (
        f"{len(tail):,} calibration events are few for a rate of {false_alarms:g}: {enough:,} would vouch for it. So "
        "only events well beyond the oddest of them are flagged.",
    )


def _signals(cases: Cases, itemless: bool) -> tuple[list[Signal], tuple[str, ...]]:
    """What can be judged, and sentences about what cannot."""
    items, of_items = ([], ("The new log has no items, so items are not judged.",)) if itemless else item_signals(cases)
    time, of_times = time_signal(cases)
    value, of_values = value_signal(cases)
    pace, of_pace = pace_signals(cases)
    there = [signal for signal in (time, value) if signal is not None]
    return [*items, *there, *pace], (*of_items, *of_times, *of_values, *of_pace)


def _events_frame(
    cases: Cases,
    signals: Sequence[Signal],
    surprise_KN: FloatArray,
    score_N: FloatArray,
    p_N: FloatArray,
    odd_N: BoolArray,
) -> pl.DataFrame:
    mine = np.flatnonzero(~cases.calibration_N)[cases.order_J]
    names = [name for name in (USER, ITEM, BEHAVIOR, TIMESTAMP, VALUE) if name in cases.shown.columns]
    columns = [_numbers(f"{one.name}_surprise", surprise_KN[n, mine]) for n, one in enumerate(signals)]
    why = [_why(signals, surprise_KN[:, event], int(event)) if odd_N[event] else None for event in mine]
    return cases.shown.select(names).with_columns(
        *columns,
        _numbers("score", score_N[mine]),
        _numbers("p_value", p_N[mine]),
        pl.Series("odd", odd_N[mine]),
        pl.Series("why", why, dtype=pl.String),
    )


def _why(signals: Sequence[Signal], surprise_K: FloatArray, event: int) -> str:
    """The oddest of an event in words, the oddest first."""
    order = [n for n in np.argsort(-np.nan_to_num(surprise_K, nan=-1.0), kind="stable") if surprise_K[n] >= 0]
    told = [n for n in order[:MOST_TOLD] if n == order[0] or surprise_K[n] >= RARE]
    return "; ".join(signals[n].words(event) for n in told)


def _users_frame(
    cases: Cases,
    signals: Sequence[Signal],
    surprise_KN: FloatArray,
    p_N: FloatArray,
    odd_N: BoolArray,
    false_alarms: float,
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Each judged user: the tail of the mean surprise for the number of events, beside calibration users."""
    user_N, mine_N = cases.user_E[cases.row_N], ~cases.calibration_N
    total_N = -np.log(p_N)
    score_C, _ = _per_user(total_N[~mine_N], user_N[~mine_N])
    score_U, user_U = _per_user(total_N[mine_N], user_N[mine_N])
    tail = Tail.of(score_C)
    p_U = tail.p(score_U)
    first_U = np.searchsorted(user_N[mine_N], user_U)
    mean_KU = np.stack([_means(one[mine_N], user_N[mine_N], user_U) for one in surprise_KN])
    count_U = np.searchsorted(user_N[mine_N], user_U, side="right") - first_U
    odd_events_U = np.add.reduceat(odd_N[mine_N].astype(np.int64), first_U)
    odd_U = p_U <= false_alarms
    why = [_why_user(signals, mean_KU[:, n]) if odd_U[n] else None for n in range(len(user_U))]
    rows = cases.row_N[mine_N][first_U]
    frame = pl.DataFrame(
        [
            cases.frame[USER].gather(rows).cast(cases.shown.schema[USER]),
            pl.Series("events", count_U.astype(np.int64)),
            pl.Series("odd_events", odd_events_U),
            *(_numbers(f"{one.name}_surprise", mean_KU[n]) for n, one in enumerate(signals)),
            _numbers("score", score_U),
            _numbers("p_value", p_U),
            pl.Series("odd", odd_U),
            pl.Series("why", why, dtype=pl.String),
        ]
    )
    enough = (len(tail) + 1) * false_alarms >= 1
    few = f"{len(tail):,} calibration users are too few to flag users at a rate of {false_alarms:g}."
    return frame.sort("score", descending=True, nulls_last=True, maintain_order=True), () if enough else (few,)


def _per_user(surprise_N: FloatArray, user_N: IndexArray) -> tuple[FloatArray, IndexArray]:
    """Each user's score, NaN where none of their events could be judged; and the users, ascending."""
    users, user = np.unique(user_N, return_inverse=True)
    known_N = ~np.isnan(surprise_N)
    count_U = np.bincount(user[known_N], minlength=len(users)).astype(np.int64)
    total_U = np.bincount(user[known_N], surprise_N[known_N], minlength=len(users)).astype(np.float64)
    return excess_of_mean(total_U, count_U), users


def _means(surprise_N: FloatArray, user_N: IndexArray, user_U: IndexArray) -> FloatArray:
    user, known_N = np.searchsorted(user_U, user_N), ~np.isnan(surprise_N)
    count_U = np.bincount(user[known_N], minlength=len(user_U))
    total_U = np.bincount(user[known_N], surprise_N[known_N], minlength=len(user_U))
    return np.where(count_U > 0, total_U / np.maximum(count_U, 1), np.nan)


def _why_user(signals: Sequence[Signal], mean_K: FloatArray) -> str:
    order = [n for n in np.argsort(-np.nan_to_num(mean_K, nan=-1.0), kind="stable")[:MOST_TOLD] if mean_K[n] > 1]
    told = ", ".join(f"{signals[n].name} {mean_K[n]:.1f}" for n in order)
    return f"mean surprise, usually 1: {told}" if told else "all events together, none by itself"


def _calibration(cases: Cases) -> dict[str, Any]:
    rows = cases.row_N[cases.calibration_N]
    times = cases.frame[TIMESTAMP].gather(rows).drop_nulls()
    first, last = times.min(), times.max()
    return {
        "events": len(rows),
        "users": len(np.unique(cases.user_E[rows])),
        "first": first.isoformat() if isinstance(first, datetime) else None,
        "last": last.isoformat() if isinstance(last, datetime) else None,
    }


def _numbers(name: str, value_N: FloatArray) -> pl.Series:
    return pl.Series(name, value_N, dtype=pl.Float64).fill_nan(None)
