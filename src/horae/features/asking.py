"""As of when features are asked for: every event, one time, or a regular grid, as people say it.

In: `events`, a datetime, `2024-05-31`, or `1d`. Out: times in microseconds, or None for events. It reads no clock.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from horae.data.cleaning.order import micros
from horae.data.settings import parse_time
from horae.errors import DataError
from horae.features.scans import IndexArray
from horae.features.spans import TEXT, duration
from horae.schema import TIMESTAMP, Events

__all__ = ["EVENTS", "asked_times"]

EVENTS: Final = "events"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MONDAY: Final = 4 * 86_400_000_000
"""1970-01-05: grids of whole weeks stand on Mondays."""
WEEK: Final = 7 * 86_400_000_000
MOST: Final = 1_000_000


def asked_times(at: str | date, events: Events) -> IndexArray | None:
    """Times of the calendar, ascending; None for "as of every event".

    A grid stands on whole multiples of its step in UTC (weeks on Mondays), from the first after the log's first event
    to the first after its last.

    Raises:
        DataError: The log has no times; nothing lies before the time; a grid of over a million times.
        RecipeError: Not a time, nor a step.
    """
    if at == EVENTS:
        return None
    if events.times == "none":
        raise DataError(
            "The log has no times, so nothing is known as of a time.",
            hint="Ask as of events (--at events), or say which column is the time: --columns timestamp=...",
        )
    times = micros(events.frame[TIMESTAMP].drop_nulls())
    first, last = int(times.min()), int(times.max())
    if isinstance(at, str) and (TEXT.fullmatch(at.strip()) or at.strip().startswith("-")):
        return _grid(duration(at, "The step of the grid"), first, last)
    moment = _micros(at)
    if moment <= first:
        raise DataError(
            f"Nothing is known as of {_text(moment)}: the log's first event is at {_text(first)}.",
            hint=f"Give a time after it, up to {_text(last)} or later.",
        )
    return np.array([moment], np.int64)


def _grid(step: int, first: int, last: int) -> IndexArray:
    origin = MONDAY if step % WEEK == 0 else 0
    begin, end = (first - origin) // step + 1, (last - origin) // step + 1
    if end - begin >= MOST:
        raise DataError(
            f"A grid of {end - begin + 1:,} times is more than {MOST:,}.", hint="Give a longer step, such as 1d."
        )
    return np.arange(begin, end + 1, dtype=np.int64) * step + origin


def _micros(at: str | date) -> int:
    if isinstance(at, str):
        moment = parse_time(at.strip(), "at")
    elif isinstance(at, datetime):
        moment = at if at.tzinfo else at.replace(tzinfo=UTC)
    else:
        moment = datetime(at.year, at.month, at.day, tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


def _text(moment: int) -> str:
    return str(pl.Series([moment], dtype=pl.Datetime("us"))[0])
