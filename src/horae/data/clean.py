"""From a frame that was understood to Events: dirt out, policies applied, every row in its place, all of it reported.

In: what `columns.understand` returns, and `DataSettings`. Out: `Events`. `read_events` is the way in from a file. It
reads no clock: events are in the future only if the caller says when now is.

The steps are listed in `BEFORE_SORT` and `AFTER_SORT`, in the order in which they run; `faults` and `thin` hold them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import polars as pl

from horae.data.cleaning import faults, thin, values
from horae.data.cleaning.faults import ORDER_COLUMN, SOURCE_ROW, Done
from horae.data.cleaning.places import mark_targets, name_behaviors, number_events, renumber_behaviors, sort_lines
from horae.data.reading.raw import RawTable, read_share
from horae.data.settings import DataSettings
from horae.data.weak import weigh
from horae.errors import DataError, RecipeError
from horae.schema import (
    BEHAVIOR,
    CANONICAL,
    EVENT_ORDER,
    NOT_TARGETS,
    SHOWN,
    TARGET,
    TARGET_WEIGHT,
    TIME_TYPE,
    TIMESTAMP,
    VALUE,
    DataReport,
    Events,
    Step,
)

__all__ = [
    "DataSettings",
    "check_target_behaviors",
    "clean",
    "read_events",
    "refuse_bad",
    "refuse_empty",
    "set_aside",
    "stand_in_line",
]

EXAMPLE_ROW: Final = re.compile(r"^row (\d+)(?=:)")
DataTypes = dict[str, pl.DataType | type[pl.DataType]]
DataStep = Callable[[pl.DataFrame, DataSettings], Done]
BEFORE_SORT: tuple[DataStep, ...] = (
    faults.null_ids,
    faults.twin_ids,
    faults.impossible_values,
    faults.impossible_times,
    thin.unwanted_times,
)
AFTER_SORT: tuple[DataStep, ...] = (
    faults.exact_duplicates,
    thin.repeats,
    values.outliers,
    thin.robots,
    thin.min_history,
    thin.core,
)


def read_events(
    source: Any,
    *,
    columns: Mapping[str, str] | None = None,
    settings: DataSettings | None = None,
    query: str | None = None,
    strict: bool = False,
    now: datetime | None = None,
    **reading: Any,
) -> Events:
    """Read a raw log, understand its columns, clean it: the way in.

    Args:
        source: A path, glob, folder, "-" (standard input), polars or pandas frame, or database URL; or the
            `RawTable` that `read_table` made of one.
        columns: Canonical name -> the log's name, where recognition would err: `{"user_id": "customer"}`.
        settings: How to clean; None: keep all that can be kept.
        query: The SQL query, where `source` is a database URL.
        strict: Refuse the log if a single row is unreadable or has no user or item.
        now: Events later than this are impossible; a time with its zone.
        **reading: `header`, `delimiter`, `encoding`, as `sources.read_table` takes them.

    Raises:
        DataError: The log cannot be read or understood, has too many bad rows, or nothing is left of it.
    """
    from horae.data.columns import understand
    from horae.data.sources import read_table

    settings = settings or DataSettings()
    settings = replace(settings, max_bad=0.0) if strict else settings
    read = isinstance(source, RawTable)
    table = source if read else read_table(source, max_bad=settings.max_bad, query=query, **reading)
    frame, understood = understand(table, columns=columns, timezone=settings.timezone, max_bad=settings.max_bad)
    rows_read, steps = table.frame.height + table.set_aside, [*table.steps, *understood]
    told = frame.height == table.frame.height or SOURCE_ROW in frame.columns
    table = replace(table, frame=table.frame.clear())  # `where` needs the files, not their rows
    box = [frame]
    del frame
    where = table.where if told else None
    return clean(box.pop(), steps, table.source, rows_read, settings, strict=strict, now=now, where=where)


def clean(
    frame: pl.DataFrame,
    steps: Sequence[Step] = (),
    source: str = "memory",
    rows_read: int | None = None,
    settings: DataSettings | None = None,
    *,
    strict: bool = False,
    now: datetime | None = None,
    where: Callable[[int], str] | None = None,
) -> Events:
    """Clean a frame with canonical columns; cleaning twice changes nothing, save that outliers are judged anew.

    Args:
        frame: `user_id`, and any of `item_id`, `behavior`, `timestamp` (Datetime us UTC), `value`, `position`; all
            others are context. Rows stand in the log's order. `event_order`, as Events have it, is a position.
        steps: What was understood and set aside before.
        source: The log's name, for the report and for errors.
        rows_read: Rows of the source, those set aside included.
        settings: How to clean.
        strict: Allow no unreadable row and no empty id.
        now: Events later than this are impossible.
        where: Says `file:row` of a row of the frame, counted from 0; None: "row 17", counted from 1.

    Raises:
        DataError: Too many bad rows, too many behaviors, or no event left.
        RecipeError: `target_behaviors` names one that the log does not have.
    """
    settings = settings or DataSettings()
    report = DataReport(source, frame.height if rows_read is None else rows_read, 0, list(steps))
    box = [frame]
    del frame  # so that no step holds the rows of the one before
    box.append(set_aside(box.pop(), settings, report, where=where, now=now))
    refuse_bad(report, settings.max_bad, strict=strict)
    refuse_empty(box[0], report)
    box.append(stand_in_line(box.pop(), settings, report, where=where))
    refuse_empty(box[0], report)
    check_target_behaviors(settings, box[0].schema[BEHAVIOR].categories.to_list())  # type: ignore[attr-defined]
    report.rows_kept = box[0].height
    return Events(box.pop(), report)


def set_aside(
    frame: pl.DataFrame,
    settings: DataSettings,
    report: DataReport,
    *,
    where: Callable[[int], str] | None = None,
    now: datetime | None = None,
) -> pl.DataFrame:
    """The first half of `clean`: add what the log does not have, take out what cannot be an event; refuse nothing."""
    frame = _with_all_columns(frame, report)
    for step in BEFORE_SORT:
        frame = _apply(step(frame, settings), report, where)
    return _apply(faults.future_times(frame, now), report, where)


def stand_in_line(
    frame: pl.DataFrame,
    settings: DataSettings,
    report: DataReport,
    *,
    where: Callable[[int], str] | None = None,
    leave_out: Sequence[DataStep] = (),
) -> pl.DataFrame:
    """The second half of `clean`: every row to its place, policies applied, targets marked.

    Whole lines of some users may come alone: all steps but `outliers`, `core` with `min_item_events`, and a `missing`
    that learns look at one user at a time. `leave_out` names the steps that are not to run.
    """
    frame = _apply(name_behaviors(frame), report, where)
    frame = _apply(sort_lines(frame), report, where)
    sorted_rows = frame.height
    for step in AFTER_SORT:
        if step not in leave_out:
            frame = _apply(step(frame, settings), report, where)
    if frame.height < sorted_rows:
        frame = sort_lines(frame)[0]  # a user whose events of unknown time are gone is ordered by time after all
    if values.missing not in leave_out:  # last, so that only events that stay are learned from
        frame = _apply(values.missing(frame, settings), report, where)
    frame = _apply(number_events(frame), report, where)
    frame = renumber_behaviors(frame)
    frame = mark_targets(frame, _target_behaviors(frame, settings), settings.repeat_targets)
    frame = _apply(weigh(frame, settings), report, where)
    context = [name for name in frame.columns if name not in CANONICAL]
    return frame.select(*[name for name in CANONICAL if name in frame.columns], *context)


def _target_behaviors(frame: pl.DataFrame, settings: DataSettings) -> list[str]:
    present = frame.schema[BEHAVIOR].categories.to_list()  # type: ignore[attr-defined]
    if settings.target_behaviors:
        return [name for name in settings.target_behaviors if name in present]
    return [name for name in present if name.casefold() not in NOT_TARGETS]


def check_target_behaviors(settings: DataSettings, present: Sequence[str]) -> None:
    """Refuse a target behavior that the log does not have.

    Raises:
        RecipeError: Names it, and what the log has.
    """
    absent = [name for name in settings.target_behaviors if name not in present]
    if absent:
        raise RecipeError(
            f"[data] target_behaviors names {absent[0]!r}, which the log does not have.",
            hint=f"The log has {', '.join(map(repr, present))}.",
        )


def _with_all_columns(frame: pl.DataFrame, report: DataReport) -> pl.DataFrame:
    """Add what the log does not have, as unknown, and number the rows."""
    if EVENT_ORDER in frame.columns:  # Events that are read again
        frame = frame.drop(ORDER_COLUMN, TARGET, strict=False).rename({EVENT_ORDER: ORDER_COLUMN})
    else:
        for name in (TARGET, TARGET_WEIGHT, SHOWN):
            if name in frame.columns:
                frame = frame.rename({name: f"{name}_in_log"})
                report.add(Step(name, "changed", 0, f"the log's column {name!r} is called '{name}_in_log' here."))
    if ORDER_COLUMN in frame.columns and frame[ORDER_COLUMN].null_count():
        unknown = frame[ORDER_COLUMN].null_count()
        frame = frame.drop(ORDER_COLUMN)
        message = "positions are unknown; the log's order of rows is used instead, for all."
        report.add(Step("positions", "warning", unknown, message, hint="Complete the column, or sort the log."))
    types: DataTypes = {BEHAVIOR: pl.String, TIMESTAMP: TIME_TYPE, VALUE: pl.Float64}
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in types.items() if name not in frame.columns]
    wanted: DataTypes = {
        TIMESTAMP: TIME_TYPE,
        VALUE: pl.Float64,
        ORDER_COLUMN: pl.Int64,
    }
    wrong = [pl.col(name).cast(dtype) for name, dtype in wanted.items() if frame.schema.get(name, dtype) != dtype]
    row = [] if SOURCE_ROW in frame.columns else [pl.int_range(pl.len(), dtype=pl.Int64).alias(SOURCE_ROW)]
    return frame.with_columns(*missing, *wrong, *row)


def _apply(done: Done, report: DataReport, where: Callable[[int], str] | None) -> pl.DataFrame:
    """Report a step, its examples named by file and row where these are known."""
    frame, step = done
    if step is not None and where is not None:
        named = (EXAMPLE_ROW.sub(lambda row: where(int(row[1]) - 1), example) for example in step.examples)
        step = replace(step, examples=tuple(named))
    if step is not None:
        report.add(step)
    return frame


def refuse_bad(report: DataReport, max_bad: float, *, strict: bool = False) -> None:
    """Few bad rows, of whatever kinds, are borne; together they may not be many. `strict` bears none, nor empty ids.

    Raises:
        DataError: More than `max_bad` of the rows read.
    """
    max_bad = 0.0 if strict else max_bad
    bad = [step for step in report.steps if step.kind == "set_aside" or (strict and step.name == "null_ids")]
    message = "; ".join(f"{step.name}: {step.rows:,} {step.message.rstrip('.')}" for step in bad)
    shown = [example for step in bad for example in step.examples] or ["not known"]
    hint = " ".join([*(step.hint for step in bad if step.hint), "Mend the log, or allow more with --max-bad."])
    count = sum(step.rows for step in bad)
    read_share(count, report.rows_read, max_bad, f"{report.source}: bad rows. {message}.", shown, hint)


def refuse_empty(frame: pl.DataFrame, report: DataReport) -> None:
    """Refuse a log of which cleaning left nothing.

    Raises:
        DataError: Says how many rows each step took.
    """
    if frame.height:
        return
    lost = "; ".join(f"{step.name}: {step.rows:,}" for step in report.steps if step.kind in ("dropped", "set_aside"))
    raise DataError(
        f"{report.source}: no event is left of {report.rows_read:,} rows read. {lost}".strip(),
        hint="Give a log with events, or [data] settings that keep some.",
    )
