"""From a table to `Lines` and back: matrices, series in long form, and the values of events.

In: a matrix (time x series), a frame of `series_id, timestamp, value`, or Events; and where the training part ends.
Out: `Lines`, and the way to put guesses where they belong. It does not know methods.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import polars as pl

from horae.data.boundaries import parts_by_time
from horae.data.cleaning.order import Array, Mask, id_codes, micros, stable_order
from horae.data.filling.lines import Floats, Lines
from horae.data.settings import parse_time
from horae.data.understanding.times import read_times
from horae.data.understanding.values import possible
from horae.errors import DataError
from horae.schema import ITEM, TIME_TYPE, TIMESTAMP, USER, VALUE

__all__ = ["SERIES", "Until", "event_lines", "matrix_lines", "on_grid", "series_frame", "series_lines"]

SERIES: Final = "series_id"
Until = datetime | date | str | int
"""Where the training part ends, itself not in it: a time, an ISO date, or (for matrices) a row number."""


@dataclass(frozen=True, eq=False)
class _Sorted:
    """Rows in lines, and where they came from."""

    lines: Lines
    order_N: Array

    def back(self, value_N: Floats) -> Floats:
        """Values in the order of the table that they came from."""
        result = np.empty_like(value_N)
        result[self.order_N] = value_N
        return result


def matrix_lines(value_TS: Floats, until: Until | None, *, train: bool = True) -> _Sorted:
    """Columns are series, rows equal steps; `train=False` puts every row after the training part."""
    if value_TS.ndim != 2:
        raise DataError(
            f"Expected a matrix of times x series, got {value_TS.ndim} axes.",
            hint="Give values[:, None] for one series.",
        )
    if until is not None and (not isinstance(until, int) or isinstance(until, bool)):
        raise DataError(f"until = {until!r}: expected a row number.", hint="A matrix knows no times: until=300.")
    steps, series = value_TS.shape
    step_N = np.tile(np.arange(steps), series)
    end = (steps if until is None else until) if train else 0
    lines = Lines(
        value_N=value_TS.T.ravel().astype(np.float64),
        line_N=np.repeat(np.arange(series), steps),
        second_N=step_N.astype(np.float64),
        step_N=step_N,
        train_N=step_N < end,
        tie_N=np.arange(steps * series),
        shared=True,
        names=range(series),
    )
    return _Sorted(lines, (step_N * series + np.repeat(np.arange(series), steps)))


def series_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """The three columns with their types; `date` may stand for `timestamp`, and a frame without `series_id` is one.

    Raises:
        DataError: A column is missing, a time is unknown or unreadable, or a series has two rows at one time.
    """
    if TIMESTAMP not in frame.columns and "date" in frame.columns:
        frame = frame.rename({"date": TIMESTAMP})
    if SERIES not in frame.columns:
        frame = frame.with_columns(pl.lit("series").alias(SERIES))
    for name in (TIMESTAMP, VALUE):
        if name not in frame.columns:
            listed = ", ".join(frame.columns)
            raise DataError(f"The series have no column {name!r}; they have {listed}.", hint="Rename the column.")
    if not frame.schema[VALUE].is_numeric() and frame[VALUE].null_count() < frame.height:
        raise DataError(f"Expected numbers in 'value', got {frame.schema[VALUE]}.", hint="Convert the column.")
    _refuse_rows(frame, frame[SERIES].is_null(), "has no series_id", "Name the series, or leave the column out.")
    utc = read_times(frame[TIMESTAMP]).values
    _refuse_rows(frame, utc.is_null(), "has no time that can be read", "Write times like 2024-05-31.")
    value = frame[VALUE].cast(pl.Float64)
    frame = frame.with_columns(utc, value.set(~possible(value).fill_null(True), None))
    again = frame.select(SERIES, TIMESTAMP).is_duplicated()
    _refuse_rows(frame, again, "stands twice at one time", "Add the values up, or keep one of them, before.")
    return frame


def on_grid(frame: pl.DataFrame, every: str) -> pl.DataFrame:
    """Add the rows that a regular series lacks, from its own first time to its last, without a value.

    Raises:
        DataError: A time is not on the grid that starts at its series' first time, or `every` is no duration.
    """
    try:
        spans = frame.group_by(SERIES, maintain_order=True).agg(
            pl.datetime_ranges(pl.col(TIMESTAMP).min(), pl.col(TIMESTAMP).max(), interval=every, time_unit="us")
            .first()
            .alias(TIMESTAMP)
        )
    except (pl.exceptions.InvalidOperationError, pl.exceptions.ComputeError) as error:
        raise DataError(f"every = {every!r} is no step of time.", hint="Write 1d, 1h or 15m.") from error
    grid = spans.explode(TIMESTAMP).with_columns(pl.col(TIMESTAMP).cast(TIME_TYPE))
    off = frame.join(grid, on=[SERIES, TIMESTAMP], how="anti")
    if off.height:
        name, time = off[SERIES][0], off[TIMESTAMP][0]
        raise DataError(
            f"{off.height:,} times are not on a grid of {every}; the first is {time:%Y-%m-%d %H:%M:%S} of {name!r}.",
            hint="Give the step that the series has, or bring the times to one step first.",
        )
    return grid.join(frame, on=[SERIES, TIMESTAMP], how="left").select(SERIES, TIMESTAMP, VALUE)


def series_lines(frame: pl.DataFrame, until: Until | None, *, train: bool = True) -> _Sorted:
    """Series in long form, as `series_frame` gives them; their steps are the times that any of them has."""
    code_N, _ = id_codes(frame[SERIES])
    time_N = micros(frame[TIMESTAMP])
    order = stable_order([time_N, code_N])
    order_N = np.arange(frame.height) if order is None else order
    line_N, first_L = _numbered(code_N[order_N])
    time_N = time_N[order_N]
    end = np.inf if until is None else _end_micros(until)
    lines = Lines(
        value_N=_values(frame[VALUE])[order_N],
        line_N=line_N,
        second_N=time_N / 1e6,
        step_N=np.unique(time_N, return_inverse=True)[1].astype(np.int64),
        train_N=(time_N < end) & train,
        tie_N=np.arange(frame.height),
        shared=True,
        names=frame[SERIES].gather(order_N[first_L]).to_list(),
    )
    return _Sorted(lines, order_N)


def event_lines(frame: pl.DataFrame, by: Sequence[str], until: Until | None) -> _Sorted:
    """The values of events, one line per key; the wider group is the key without its first column.

    Args:
        frame: Sorted by user, then place, as `Events.frame` is.
        by: Columns that make a line. Within a user's line the place decides what is before; in others, time alone:
            events of one time do not see each other.
        until: Where the training part ends; None: no row looks at later rows.

    Raises:
        DataError: No such column, or lines across users where times are unknown.
    """
    absent = [name for name in by if name not in frame.columns]
    if absent:
        raise DataError(f"The log has no column {absent[0]!r} to tell lines by.", hint=f"It has {_listed(frame)}.")
    own = USER in by
    if not own and frame[TIMESTAMP].null_count():
        raise DataError(
            f"Lines by {', '.join(by)} go across users, and {frame[TIMESTAMP].null_count():,} times are unknown.",
            hint=f"Add {USER} to the columns: a user's own order is known.",
        )
    code_N, wide_N = _codes(frame, by), _codes(frame, by[1:]) if len(by) > 1 else None
    time_N = micros(frame[TIMESTAMP])
    order = stable_order([code_N] if own else [time_N, code_N])
    order_N = np.arange(frame.height) if order is None else order
    line_N, first_L = _numbered(code_N[order_N])
    train_N = _train(frame, until)[order_N]
    second_N = np.where(frame[TIMESTAMP].is_null().to_numpy(), np.nan, time_N / 1e6)[order_N]
    row_N = np.arange(frame.height)
    fresh = np.ones(frame.height, dtype=np.bool_)
    fresh[1:] = own | (line_N[1:] != line_N[:-1]) | (second_N[1:] != second_N[:-1])
    lines = Lines(
        value_N=_values(frame[VALUE])[order_N],
        line_N=line_N,
        second_N=second_N,
        step_N=row_N,
        train_N=train_N,
        tie_N=np.maximum.accumulate(np.where(fresh, row_N, 0)) if len(row_N) else row_N,
        shared=False,
        names=frame.select(by)[order_N[first_L]].rows(),
        wide_N=None if wide_N is None else wide_N[order_N],
        wide_names=() if wide_N is None else _wide_names(frame, wide_N, by[1:]),
    )
    return _Sorted(lines, order_N)


def _train(frame: pl.DataFrame, until: Until | None) -> Mask:
    if until is None:
        return np.zeros(frame.height, dtype=np.bool_)
    part: Mask = parts_by_time(frame, [int(_end_micros(until))]) == 0
    return part


def _end_micros(until: Until) -> float:
    if isinstance(until, int):
        raise DataError(f"until = {until}: expected a time.", hint='Write it like "2024-05-31".')
    if isinstance(until, str):
        moment = parse_time(until, "until")
    elif isinstance(until, datetime):
        moment = until if until.tzinfo else until.replace(tzinfo=UTC)
    else:
        moment = datetime(until.year, until.month, until.day, tzinfo=UTC)
    return float((moment - datetime(1970, 1, 1, tzinfo=UTC)) / (datetime.resolution))


def _codes(frame: pl.DataFrame, by: Sequence[str]) -> Array:
    """One number per combination, from 0, without gaps."""
    code_N, size = np.zeros(frame.height, np.int64), 1
    for name in by:
        column = frame[name].to_physical() if isinstance(frame.schema[name], pl.Enum) else frame[name]
        if name not in (USER, ITEM) and column.null_count():
            column = column.cast(pl.String).fill_null("")
        codes, more = id_codes(column)
        code_N, size = _dense(code_N * max(more, 1) + codes, size * max(more, 1))
    return code_N


def _dense(code_N: Array, size: int) -> tuple[Array, int]:
    """The same numbers in their order without gaps, and how many there are; by counting where that is cheaper."""
    if size > 4 * len(code_N) + 1_000_000:
        known, dense_N = np.unique(code_N, return_inverse=True)
        return dense_N.astype(np.int64), len(known)
    there = np.zeros(size, dtype=np.bool_)
    there[code_N] = True
    return (np.cumsum(there) - 1)[code_N], int(there.sum())


def _numbered(code_N: Array) -> tuple[Array, Array]:
    """For sorted codes: each row's line, and the first row of each line."""
    first = np.ones(len(code_N), dtype=np.bool_)
    first[1:] = code_N[1:] != code_N[:-1]
    return np.cumsum(first) - 1, np.flatnonzero(first)


def _wide_names(frame: pl.DataFrame, wide_N: Array, by: Sequence[str]) -> list[Hashable]:
    row_W = np.zeros(int(wide_N.max(initial=-1)) + 1, np.int64)
    row_W[wide_N] = np.arange(len(wide_N))
    return list(frame.select(by)[row_W].rows())


def _values(column: pl.Series) -> Floats:
    value_N: Floats = column.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
    return np.where(np.isfinite(value_N), value_N, np.nan)


def _listed(frame: pl.DataFrame) -> str:
    return ", ".join(frame.columns)


def _refuse_rows(frame: pl.DataFrame, wrong: pl.Series, what: str, hint: str) -> None:
    if wrong.any():
        row = int(wrong.arg_true()[0])
        name, time = frame[SERIES][row], frame[TIMESTAMP][row]
        raise DataError(f"row {row + 1}: series {name!r}, {time}, {what} ({int(wrong.sum()):,} rows).", hint=hint)
