"""A run in; when each user's next event comes, of which behavior and value, out (public as `horae.forecast`).

    request -> history as of its place -> encode -> heads -> given the silence since -> levels from validation -> people

The same histories and the same encoding as for recommendations. This module reads no clock: who does not say when they
ask, asks at the end of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.data.boundaries import DURATION, UNIT_SECONDS
from horae.errors import DataError
from horae.evaluation.forecasts.reading import Levels, Reading, read
from horae.recommend.foretell import foretell, upcoming_of
from horae.recommend.recommender import Recommender
from horae.recommend.requests import HistoryLike, requests_of
from horae.recommend.run import load
from horae.schema import BEHAVIOR, TIME_TYPE, USER, Forecasts, Id, Requests
from horae.sequences.clock import to_seconds
from horae.sequences.history import BLOCK, FloatArray, Histories, Sequences

__all__ = ["forecast", "forecast_run"]

MICROSECONDS = 1e6
NEXT_TIMES = ("next_time_low", "next_time", "next_time_high")
VALUES = ("value_low", "value", "value_high")


def forecast(
    recommender: Recommender,
    users: Iterable[Id] | pl.Series | None = None,
    *,
    histories: Sequence[HistoryLike] | None = None,
    at: datetime | None = None,
    within: str | timedelta = "7d",
) -> Forecasts:
    """Foretell each user's next event: when, of which behavior, of which value.

    What is told is about the very next event, of whatever behavior and on whatever item, after `at`. It is known that
    there was none between the user's last event and `at`: who has been silent for long is told to return later and less
    surely than who was here a moment ago. `next_time` and its interval speak of a return within as long a time as the
    training log spans; whether there will be one at all soon is what `return_probability` says.

    Args:
        recommender: Trained with `[model] also`, as by the recipe `which-what-when`.
        users: Ids; None, without `histories`: everybody in the log.
        histories: Lists of item ids, or of `HistoryEvent`, oldest first, of people that the run need not know.
        at: As of this time: only events strictly before it count. None: for users the end of the log (or their own last
            event, where that is later), for histories their own last event.
        within: How long after `at` counts as a return: such as `12h`, `7d`, `4w`.

    Raises:
        DataError: Both users and histories; a duration that cannot be read.
        NotTrainedError: The run tells items only.

    Example:
        ```python
        recommender = horae.train(events, recipe="which-what-when")
        print(horae.forecast(recommender, users=["u1"], within="7d"))
        ```
    """
    within_seconds = _seconds(within)
    if users is None and histories is None:
        users = recommender.sequences.users.all
    asked = requests_of(users, histories, 1, at, (), None, None)
    lines = recommender.histories(asked, whole=True)
    last_B = _last_times(lines)
    at_B = _asked_at(asked, last_B, recommender.whole_lines)
    silent_B = np.maximum(at_B - last_B, 0.0)
    told = foretell(recommender, lines)
    upcoming = upcoming_of(recommender)
    assert upcoming is not None
    reading = read(told, upcoming, Levels.from_card(recommender.card), silent_B, within_seconds=within_seconds)
    known_B = lines.lengths > 0
    frame = _frame(asked, reading, recommender.sequences.behaviors, at_B, last_B, known_B)
    notes = _notes(asked, known_B, np.isnan(silent_B), upcoming.asked, upcoming.answered)
    return Forecasts(frame, _behaviors(reading, recommender.sequences.behaviors, known_B), within_seconds, notes)


def forecast_run(
    run: str | Path,
    users: Iterable[Id] | pl.Series | None = None,
    at: datetime | None = None,
    within: str | timedelta = "7d",
    *,
    device: str = "cpu",
) -> Forecasts:
    """`forecast` of a run folder.

    Args:
        run: The folder.
        users: Ids; None: everybody in the run's log.
        at: As of this time; None: the end of the log.
        within: How long after `at` counts as a return.
        device: Where the network computes.

    Raises:
        RunError: No run there, or a damaged one.
        NotTrainedError: The run tells items only.
    """
    return forecast(load(run, device=device), users, at=at, within=within)


def _seconds(within: str | timedelta) -> float:
    if isinstance(within, timedelta):
        seconds = within.total_seconds()
    else:
        found = DURATION.fullmatch(within.strip())
        seconds = float(found[1]) * UNIT_SECONDS[found[2]] if found else 0.0
    if not seconds > 0:
        raise DataError(f"within = {within!r}: expected a duration above 0.", hint="Such as 12h, 7d, 4w.")
    return seconds


def _last_times(lines: Histories) -> FloatArray:
    """Unix seconds of each history's newest event; NaN where it is unknown or there is none."""
    last_B = np.full(len(lines), np.nan)
    there = np.flatnonzero(lines.lengths > 0)
    last_B[there] = lines.flat.time_N[lines.end_B[there] - 1]
    return last_B


def _asked_at(asked: Requests, last_B: FloatArray, sequences: Sequences) -> FloatArray:
    """Unix seconds of each question; NaN where nobody knows."""
    if asked.at is not None:
        return np.array([to_seconds(moment) for moment in asked.at], dtype=np.float64)
    if asked.histories is not None:
        return last_B
    return np.fmax(last_B, _end_of(sequences))


def _end_of(sequences: Sequences) -> float:
    """The latest known time of the log, in Unix seconds; NaN without any. Looks at some events at a time."""
    time_N = sequences.flat.time_N
    parts = (time_N[start : start + BLOCK] for start in range(0, len(time_N), BLOCK))
    ends = [float(np.fmax.reduce(part)) for part in parts]
    return float(np.fmax.reduce(ends)) if ends else float("nan")


def _frame(
    asked: Requests,
    reading: Reading,
    behaviors: tuple[str, ...],
    at_B: FloatArray,
    last_B: FloatArray,
    known_B: npt.NDArray[np.bool_],
) -> pl.DataFrame:
    nothing = np.full(len(known_B), np.nan)
    timed_B = known_B & ~np.isnan(at_B - last_B)
    gap_B3 = np.full((len(known_B), 3), np.nan) if reading.gap_N3 is None else reading.gap_N3
    value_B3 = np.full((len(known_B), 3), np.nan) if reading.value_N3 is None else reading.value_N3
    returns_B = nothing if reading.returns_N is None else reading.returns_N
    user = asked.users if asked.users is not None else pl.repeat(None, len(asked), dtype=pl.String, eager=True)
    next_B3 = np.where(timed_B[:, None], np.fmax(last_B[:, None] + gap_B3, at_B[:, None] + 0 * gap_B3), np.nan)
    columns = [user.alias(USER), _moments("at", at_B)]
    columns += [
        _moments(name, next_B3[:, n]) for n, name in enumerate(("next_time_low", "next_time", "next_time_high"))
    ]
    columns += [_numbers("return_probability", np.where(timed_B, returns_B, np.nan))]
    columns += _most_probable(reading, behaviors, known_B)
    columns += [_numbers(name, np.where(known_B, value_B3[:, n], np.nan)) for n, name in enumerate(VALUES)]
    return pl.DataFrame(columns)


def _most_probable(
    reading: Reading, behaviors: tuple[str, ...], known_B: npt.NDArray[np.bool_]
) -> tuple[pl.Series, pl.Series]:
    if reading.behavior_NC is None:
        nobody = np.full(len(known_B), np.nan)
        unknown = pl.repeat(None, len(known_B), dtype=pl.String, eager=True)
        return unknown.alias(BEHAVIOR), _numbers("behavior_probability", nobody)
    best_B = reading.behavior_NC.argmax(1)
    names = [behaviors[best] if known else None for best, known in zip(best_B, known_B, strict=True)]
    chance_B = np.where(known_B, reading.behavior_NC.max(1), np.nan)
    return pl.Series(BEHAVIOR, names, dtype=pl.String), _numbers("behavior_probability", chance_B)


def _behaviors(reading: Reading, behaviors: tuple[str, ...], known_B: npt.NDArray[np.bool_]) -> pl.DataFrame:
    """One row per request and behavior."""
    chance_BC = np.empty((0, len(behaviors))) if reading.behavior_NC is None else reading.behavior_NC[known_B]
    row = np.flatnonzero(known_B)[: len(chance_BC)]
    return pl.DataFrame(
        {
            "request": np.repeat(row, len(behaviors)),
            BEHAVIOR: pl.Series(list(behaviors) * len(row), dtype=pl.String),
            "probability": chance_BC.ravel(),
        }
    )


def _moments(name: str, seconds_B: FloatArray) -> pl.Series:
    micros = pl.Series(name, seconds_B * MICROSECONDS).fill_nan(None).round().cast(pl.Int64)
    return micros.cast(TIME_TYPE)


def _numbers(name: str, value_B: FloatArray) -> pl.Series:
    return pl.Series(name, value_B, dtype=pl.Float64).fill_nan(None)


def _notes(
    asked: Requests,
    known_B: npt.NDArray[np.bool_],
    untimed_B: npt.NDArray[np.bool_],
    questions: tuple[str, ...],
    answered: tuple[str, ...],
) -> tuple[str, ...]:
    notes = []
    if not known_B.all():
        who = "1 request has" if (~known_B).sum() == 1 else f"{(~known_B).sum():,} requests have"
        named = "" if asked.users is None else f" (e.g. user {asked.users.filter(~known_B)[0]!r})"
        notes.append(f"{who} no known event before it{named}: nothing can be told.")
    if "time" in answered and (known_B & untimed_B).any():
        notes.append("Where the last event's time is unknown, nobody can say when the next one comes.")
    for name in questions:
        if name not in answered:
            notes.append(f"The training log had no known {name}s, so nothing was learned of them.")
    return tuple(notes)
