"""Where time is cut: boundaries from shares, dates and durations, and the part of each row between them.

In: known times in microseconds, and a caller's wish. Out: boundaries, and a number per row. It does not know what the
parts are for.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.data.cleaning.order import Array, micros
from horae.data.settings import parse_time
from horae.errors import DataError
from horae.schema import TIMESTAMP, USER, Events

__all__ = [
    "Boundary",
    "as_text",
    "boundary_before",
    "duration_of",
    "in_words",
    "known_times",
    "parts_by_time",
    "read_boundary",
    "share_boundary",
]

Boundary = float | str | date | timedelta
"""A share of the events, an ISO date or time, or a duration back from the end."""

DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d|w)")
UNIT_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST_SECONDS: Final = 100 * 365 * 86_400
"""Beyond any log: what is longer leaves an empty part as this does."""
BEYOND: Final = 3
"""The part of rows that belong nowhere."""


def known_times(events: Events) -> Array:
    """All known times in microseconds, ascending.

    Raises:
        DataError: The log has none.
    """
    if events.times == "none":
        raise DataError(
            "The log has no times, so it cannot be split by time.",
            hint="Use --split leave-one-out, or --split column where the log brings its own parts.",
        )
    return np.sort(micros(events.frame[TIMESTAMP].drop_nulls()))


def boundary_before(times: Array, wish: Boundary, what: str, before: int | None = None) -> int:
    """Turn a wish into a boundary in microseconds, counted back from `before`, or from the end of the log.

    Args:
        times: Known times, ascending.
        wish: See `Boundary`; text may hold any of them.
        what: The setting's name, for errors.
        before: The boundary of the next part.

    Raises:
        DataError: Not a wish, or nothing is left on one side.
    """
    earlier = times if before is None else times[: np.searchsorted(times, before)]
    value = read_boundary(wish, what) if isinstance(wish, str) else wish
    if isinstance(value, float | int):
        if not 0 < value < 1:
            raise DataError(f"{what} = {value:g}: expected a share between 0 and 1.", hint="0.1 is a tenth.")
        boundary = share_boundary(earlier, round(len(times) * value))
    elif isinstance(value, timedelta):
        boundary = (int(times[-1]) if before is None else before) - value // timedelta(microseconds=1)
    else:
        boundary = _micros_of(value)
    if boundary is None or not len(earlier) or not earlier[0] < boundary <= earlier[-1]:
        first, last = (as_text(int(edge)) for edge in (times[0], times[-1]))
        raise DataError(
            f"{what} = {wish}: an empty part would result. The log has {len(times):,} times from {first} to {last}.",
            hint="Give a longer log, or another boundary."
            if first != last
            else "All times are equal: use --split leave-one-out, by the log's order.",
        )
    return boundary


def duration_of(wish: str | timedelta, what: str) -> timedelta:
    """A length of time: `"7d"`, `"12h"`, `"2w"`, `"90min"`, `"30s"`.

    Args:
        wish: As typed; a timedelta passes.
        what: The setting's name, for errors.

    Raises:
        DataError: No number, a unit that is not known, or nothing above zero.
    """
    if isinstance(wish, timedelta):
        length = wish
    else:
        found = DURATION.fullmatch(wish.strip())
        if found is None:
            raise DataError(
                f"{what} = {wish!r}: expected a length of time, such as 7d.",
                hint=f"A number and one of the units {', '.join(UNIT_SECONDS)}: 7d, 12h, 2w.",
            )
        length = timedelta(seconds=min(float(found[1]) * UNIT_SECONDS[found[2]], LONGEST_SECONDS))
    if length <= timedelta(0):
        raise DataError(f"{what} = {wish}: expected more than no time at all.", hint="Such as 7d, 12h, 2w.")
    return length


def share_boundary(times: Array, wanted: int) -> int | None:
    """The time at or after which about `wanted` of the times lie; None if all are equal.

    Args:
        times: Ascending.
        wanted: How many are to lie at or after it.
    """
    if not len(times) or times[0] == times[-1]:
        return None
    middle = times[max(len(times) - max(wanted, 1), 0)]
    edges = [int(np.searchsorted(times, middle, side=side)) for side in ("left", "right")]
    possible = [edge for edge in edges if 0 < edge < len(times)]
    best = min(possible, key=lambda edge: abs(len(times) - edge - wanted))
    return int(times[best])


def parts_by_time(frame: pl.DataFrame, edges: list[int]) -> npt.NDArray[np.uint8]:
    """How many of the ascending `edges` lie at or before each event.

    An event of unknown time has the part that both its known neighbours in the line have; it and others of a user
    whose times contradict the line belong nowhere (3): no row of a later part ever stands before one of an earlier.
    """
    times = frame[TIMESTAMP]
    if not times.null_count():
        return np.searchsorted(edges, micros(times), side="right").astype(np.uint8)
    time = pl.col(TIMESTAMP).to_physical()
    bounds = frame.select(
        time.cum_max().forward_fill().over(USER).alias("low"),
        time.cum_min(reverse=True).backward_fill().over(USER).alias("high"),
    )
    low, high = (np.searchsorted(edges, bounds[name].fill_null(0).to_numpy(), side="right") for name in bounds.columns)
    low = np.where(bounds["low"].is_null().to_numpy(), 0, low)
    high = np.where(bounds["high"].is_null().to_numpy(), len(edges), high)
    return np.where(low == high, low, BEYOND).astype(np.uint8)


def as_text(boundary: int) -> str:
    """A boundary as ISO 8601, UTC."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=boundary)).isoformat()


def in_words(length: timedelta) -> str:
    """A length of time for people, in its largest unit: `7 days`, `1 day`, `1.5 hours`."""
    seconds = length / timedelta(seconds=1)
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds >= size or unit == "second":
            count = seconds / size
            number = f"{count:,.0f}" if count >= 100 else f"{count:.3g}"
            return f"{number} {unit}" if number == "1" else f"{number} {unit}s"
    raise AssertionError


def read_boundary(text: str, what: str) -> float | timedelta | datetime:
    """A wish as typed: a share, a duration back from the end, or a time.

    Raises:
        DataError: None of these.
    """
    text = text.strip()
    if duration := DURATION.fullmatch(text):
        seconds = float(duration[1]) * UNIT_SECONDS[duration[2]]
        return timedelta(seconds=min(seconds, LONGEST_SECONDS))
    try:
        return float(text)
    except ValueError:
        pass
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        raise DataError(
            f"{what} = {text!r}: expected a share, a date or a duration.", hint="Such as 0.1, 2024-05-31, 7d, 12h, 2w."
        )
    return parse_time(text, what)


def _micros_of(moment: date) -> int:
    whole = moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day)
    whole = whole if whole.tzinfo else whole.replace(tzinfo=UTC)
    return (whole - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
