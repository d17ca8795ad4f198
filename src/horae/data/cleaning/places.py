"""Every event's place: behaviors numbered, lines sorted, order kept, targets marked.

In: a frame with canonical columns and `SOURCE_ROW`. Out: the frame, and a `Step` that says how it was ordered. It
changes no value and drops no row; it does not know dirt, policies or files.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import polars as pl

from horae.data.cleaning.faults import ORDER_COLUMN, SOURCE_ROW, Done
from horae.data.cleaning.order import Array, first_of_user, id_codes, micros, stable_order, unit_of
from horae.errors import DataError
from horae.schema import BEHAVIOR, EVENT_ORDER, ITEM, TARGET, TIMESTAMP, USER, Step

__all__ = ["mark_targets", "name_behaviors", "number_events", "renumber_behaviors", "sort_lines"]

ONLY_BEHAVIOR: Final = "event"
"""What events are called where the log names no behavior."""
MAX_BEHAVIORS: Final = 250


def name_behaviors(frame: pl.DataFrame) -> Done:
    """Give behaviors their enum, most frequent first, then by name; spelling is the caller's, spaces around it go."""
    if frame[BEHAVIOR].null_count() == frame.height:
        return frame.with_columns(pl.lit(ONLY_BEHAVIOR, pl.Enum([ONLY_BEHAVIOR])).alias(BEHAVIOR)), None
    counts = frame.lazy().group_by(pl.col(BEHAVIOR).cast(pl.String)).len("n").collect()
    counts = counts.with_columns(
        pl.col(BEHAVIOR).str.strip_chars().replace("", None).fill_null(ONLY_BEHAVIOR).alias("name")
    )
    names = counts.group_by("name").agg(pl.col("n").sum()).sort("n", "name", descending=[True, False])["name"]
    if len(names) > MAX_BEHAVIORS:
        raise DataError(
            f"Column behavior has {len(names):,} different values, such as {names[0]!r} and {names[-1]!r}; "
            f"expected at most {MAX_BEHAVIORS} kinds of event.",
            hint="Name the right column: --columns behavior=NAME.",
        )
    changed = counts.filter(pl.col(BEHAVIOR).ne_missing(pl.col("name")))
    column = pl.col(BEHAVIOR).cast(pl.String)
    if changed.height:
        column = column.replace_strict(changed[BEHAVIOR], changed["name"], default=column)
    frame = frame.with_columns(column.cast(pl.Enum(names)).alias(BEHAVIOR))
    if not changed.height:
        return frame, None
    message = f"behaviors without a name are called {ONLY_BEHAVIOR!r}, and spaces around names are gone."
    return frame, Step("behaviors", "changed", int(changed["n"].sum()), message)


def renumber_behaviors(frame: pl.DataFrame) -> pl.DataFrame:
    """Bring the enum back to most frequent first, after rows were dropped; behaviors that are gone leave it."""
    counts = frame.lazy().group_by(pl.col(BEHAVIOR).cast(pl.String)).len("n").collect()
    names = counts.sort("n", BEHAVIOR, descending=[True, False])[BEHAVIOR]
    if names.to_list() == frame.schema[BEHAVIOR].categories.to_list():  # type: ignore[attr-defined]
        return frame
    return frame.with_columns(pl.col(BEHAVIOR).cast(pl.String).cast(pl.Enum(names)))


def sort_lines(frame: pl.DataFrame) -> Done:
    """Put rows in order of user, then place; where any of a user's times is unknown, order alone decides."""
    user_N, _ = id_codes(frame[USER])
    time_N = micros(frame[TIMESTAMP]) // unit_of(micros(frame[TIMESTAMP]))[1]
    unknown = frame[TIMESTAMP].is_null().to_numpy()
    partly = np.zeros(frame.height, dtype=np.bool_)
    if unknown.any():
        partly = np.isin(user_N, np.unique(user_N[unknown]))
        time_N = np.where(partly, 0, time_N)
    keys = [frame[ORDER_COLUMN].to_numpy()] if ORDER_COLUMN in frame.columns else []
    order = None if _in_line(user_N, time_N, keys) else stable_order([*keys, time_N, user_N])
    users = len(np.unique(user_N[partly]))
    del user_N, time_N, keys
    if order is not None:
        frame = frame[order]
    told = "the log's column position" if ORDER_COLUMN in frame.columns else "the log's order of rows"
    message = f"sorted by user, then time; {told} decides between equal times"
    message += f", and alone for {users:,} users with unknown times." if users else "."
    return frame, Step("order", "understood", 0, message)


def number_events(frame: pl.DataFrame) -> Done:
    """Turn the log's own order, else the row's number, into `event_order`, unique within each user's line."""
    if ORDER_COLUMN not in frame.columns:
        return frame.rename({SOURCE_ROW: EVENT_ORDER}), None
    position = frame[ORDER_COLUMN].to_numpy()
    first, line = first_of_user(frame[USER])
    by_position = stable_order([frame[SOURCE_ROW].to_numpy(), position, line])
    ranked = np.arange(frame.height) if by_position is None else by_position
    again = (position[ranked][1:] == position[ranked][:-1]) & ~first[1:]
    frame = frame.drop(SOURCE_ROW).rename({ORDER_COLUMN: EVENT_ORDER})
    if not again.any():
        return frame, None
    rank = np.empty(frame.height, np.int64)
    rank[ranked] = np.arange(frame.height) - np.flatnonzero(first)[line]
    message = "positions occur twice in a user's line; all lines are numbered again, rows deciding between equals."
    return frame.with_columns(pl.Series(EVENT_ORDER, rank)), Step("positions", "changed", int(again.sum()), message)


def mark_targets(frame: pl.DataFrame, behaviors: Iterable[str], repeat_targets: bool) -> pl.DataFrame:
    """Say which events a recommendation may be judged by.

    Args:
        frame: Sorted by user, then place.
        behaviors: Those worth recommending.
        repeat_targets: Whether an event on the item of the user's event just before it counts.
    """
    target = pl.col(BEHAVIOR).is_in(pl.Series(list(behaviors), dtype=frame.schema[BEHAVIOR]).implode())
    if ITEM in frame.columns and not repeat_targets:
        again = (pl.col(ITEM) == pl.col(ITEM).shift(1)) & (pl.col(USER) == pl.col(USER).shift(1))
        target &= ~again.fill_null(False)
    return frame.with_columns(target.alias(TARGET))


def _in_line(user_N: Array, time_N: Array, keys: list[Array]) -> bool:
    """Are the rows in order already?"""
    same = user_N[1:] == user_N[:-1]
    right = user_N[1:] >= user_N[:-1]
    for key in (time_N, *keys):
        right &= ~same | (key[1:] >= key[:-1])
        same &= key[1:] == key[:-1]
    return bool(right.all())
