"""What the caller does not want, one small step each: repeats, robots, short histories, what is outside a span or core.

In: a frame with canonical columns, sorted by user, then place. Out: the frame, thinner where the settings say so, and a
`Step`; None where nothing was found or asked for. By default nothing here drops an event. It does not know files.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from horae.data.cleaning.faults import MAX_EXAMPLES, Done, short, without
from horae.data.cleaning.order import Array, changes, first_of_user, id_codes, micros, run_lengths
from horae.data.settings import DataSettings
from horae.schema import BEHAVIOR, ITEM, TIMESTAMP, USER, Step

__all__ = ["busiest_days", "core", "min_history", "repeats", "robots", "unwanted_times"]

DAY_MICROS: Final = 86_400_000_000


def unwanted_times(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """The part of the log outside `earliest` to `latest`, where the caller gave them."""
    if settings.earliest is None and settings.latest is None:
        return frame, None
    outside = ~pl.col(TIMESTAMP).is_between(settings.first_time, settings.last_time, closed="left")
    span = f"{settings.earliest or 'the beginning'} to {settings.latest or 'the end'}"
    return without(frame, outside, "unwanted_times", "dropped", f"events outside {span}, as [data] says.")


def repeats(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """Double clicks and reloads: the same user, item and behavior again within the window."""
    if settings.repeats == "keep":
        return frame, None
    if frame[TIMESTAMP].null_count() == frame.height:
        return frame, Step("repeats", "warning", 0, "off: the log has no times.", hint='Set [data] repeats = "keep".')
    same = [name for name in (USER, ITEM, BEHAVIOR) if name in frame.columns]
    time = pl.col(TIMESTAMP).to_physical()
    gap = time - time.shift(1) if settings.repeats == "first" else time.shift(-1) - time
    near = gap.over(same).is_between(0, int(settings.repeat_window_seconds * 1e6))
    window = f"within {settings.repeat_window_seconds:g} seconds"
    message = f"events repeat the user's same item and behavior {window}; the {settings.repeats} of each run was kept."
    return without(frame, near, "repeats", "dropped", message)


def robots(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """Users with more events on one day than a person makes."""
    if run_lengths(changes(frame[USER])).max() <= settings.robots_per_day:
        return frame, None
    users, most_U = busiest_days(frame)
    found = np.flatnonzero(most_U > settings.robots_per_day)
    if not len(found):
        return frame, None
    rows = pl.Series(np.isin(first_of_user(frame[USER])[1], found))
    worst = found[np.argsort(-most_U[found], kind="stable")][:MAX_EXAMPLES]
    shown = tuple(f"user {short(users[int(user)])}: {most_U[user]:,} events on one day" for user in worst)
    message = f"events of {len(found):,} users with over {settings.robots_per_day:,} events on one day"
    if settings.robots == "keep":
        hint = 'If they are robots, set [data] robots = "drop"; robots_per_day moves the line.'
        return frame, Step("robots", "warning", int(rows.sum()), f"{message}; kept.", shown, hint)
    return frame.filter(~rows), Step("robots", "dropped", int(rows.sum()), f"{message}.", shown)


def min_history(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """Users with too little to learn from, where the caller asks for it."""
    if settings.min_history <= 1:
        return frame, None
    first, line = first_of_user(frame[USER])
    few = pl.Series(run_lengths(first)[line] < settings.min_history)
    message = f"events of users with fewer than {settings.min_history} events."
    return without(frame, few, "min_history", "dropped", message)


def core(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """The k-core: users and items that keep enough events among each other, taken until nothing changes."""
    if settings.min_user_events <= 1 and settings.min_item_events <= 1:
        return frame, None
    limits = [(first_of_user(frame[USER])[1], settings.min_user_events)]
    if ITEM in frame.columns:
        limits.append((id_codes(frame[ITEM])[0], settings.min_item_events))
    keep, rounds = np.ones(frame.height, dtype=np.bool_), 0
    while True:
        before = int(keep.sum())
        for codes, least in limits:
            keep &= _counts(codes, keep)[codes] >= least
        if int(keep.sum()) == before:
            break
        rounds += 1
    wanted = f"users with {settings.min_user_events} and items with {settings.min_item_events} events or more"
    message = f"events outside the core of {wanted}, found in {rounds} rounds."
    return without(frame, pl.Series(~keep), "core", "dropped", message)


def busiest_days(frame: pl.DataFrame) -> tuple[pl.Series, Array]:
    """Each user, with the most events of known time on one day (UTC)."""
    first, line = first_of_user(frame[USER])
    known = frame[TIMESTAMP].is_not_null().to_numpy()
    day = np.where(known, micros(frame[TIMESTAMP]) // DAY_MICROS, -1)
    new_day = first.copy()
    new_day[1:] |= day[1:] != day[:-1]
    starts = np.flatnonzero(new_day)
    lengths = np.where(known[starts], run_lengths(new_day), 0)
    most = np.zeros(int(first.sum()), np.int64)
    np.maximum.at(most, line[starts], lengths)
    return frame[USER].filter(pl.Series(first)), most


def _counts(codes: Array, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Array:
    largest = int(codes.max()) if len(codes) else 0
    return np.bincount(codes[keep], minlength=largest + 1)
