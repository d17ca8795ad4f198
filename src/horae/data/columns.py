"""A table as it was found to a table with our names and types, and what was understood on the way.

In: `RawTable`, the user's mapping and zone. Out: a frame with `user_id`, and whichever of `item_id`, `behavior`,
`timestamp`, `value`, `position`, `session_id` the log has, all other columns as they were; and the steps. It removes
only rows that cannot be read (a time that is none, an id of ten thousand characters); all else is cleaning.

`roles` decides which column is what, `times` and `values` convert: one pass over each column, no loop over rows.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from datetime import datetime

import polars as pl

from horae.data.reading.raw import RawTable, read_share
from horae.data.understanding.roles import ROW_NUMBER, Roles, choose_roles, parse_mapping
from horae.data.understanding.times import Times, check_zone, read_times
from horae.data.understanding.values import as_ids, as_position, as_values, too_long
from horae.schema import BEHAVIOR, EVENT_ORDER, ITEM, TIMESTAMP, USER, VALUE, Step

__all__ = ["parse_mapping", "understand"]

POSITION, SESSION = "position", "session_id"
ORDER = (USER, ITEM, BEHAVIOR, TIMESTAMP, VALUE, POSITION, SESSION)


def understand(
    table: RawTable,
    *,
    columns: Mapping[str, str] | None = None,
    timezone: str | None = None,
    max_bad: float = 0.01,
) -> tuple[pl.DataFrame, list[Step]]:
    """Recognise columns and convert them.

    Args:
        table: What `read_table` returned.
        columns: Role -> the log's column where recognition would err; an empty column means that the log has none, and
            `position="#row"` that its rows stand in order.
        timezone: Of times that name none, such as `Europe/Berlin`; None: UTC.
        max_bad: Largest share of rows that is set aside for an unreadable time or id.

    Returns:
        The frame, and steps: what was understood, changed and set aside.

    Raises:
        DataError: Columns that cannot be recognised, times that mix units, too many unreadable rows.
    """
    check_zone(timezone)
    frame = table.frame
    headerless = all(name == f"column_{i}" for i, name in enumerate(frame.columns, start=1))
    roles = choose_roles(frame, table.source, columns or {}, headerless)
    steps = [_shown(roles)]
    converted: dict[str, pl.Series] = {}
    bad = []
    for role in (role for role in ORDER if role in roles.columns):
        source = _source(frame, roles, role)
        column, found, unreadable = _convert(role, source, table, timezone, max_bad)
        converted[role] = column.alias(role)
        steps += found
        bad += [unreadable] if unreadable is not None else []
    if ITEM not in roles.columns:
        hint = "If a column names the item, say so: --columns item_id=COLUMN."
        steps.append(Step(ITEM, "warning", 0, "the log has no items: verbs that recommend items are off.", hint=hint))
    rest, renamed = _context(frame, roles)
    steps += renamed
    result = pl.DataFrame([*converted.values(), *rest])
    if bad:
        result = result.filter(~functools.reduce(operator.or_, bad))
    return result, steps


def _source(frame: pl.DataFrame, roles: Roles, role: str) -> pl.Series:
    column = roles.columns[role]
    if role == POSITION and column == ROW_NUMBER:
        return pl.int_range(frame.height, eager=True).alias(POSITION)
    if role == TIMESTAMP and roles.clock is not None:
        date, clock = (frame[name].cast(pl.String).str.strip_chars() for name in (column, roles.clock))
        return (date.str.split(" ").list.first() + " " + clock).alias(f"{column} + {roles.clock}")
    return frame[column]


def _convert(
    role: str, column: pl.Series, table: RawTable, timezone: str | None, max_bad: float
) -> tuple[pl.Series, list[Step], pl.Series | None]:
    """The column in its type, what is to be said about it, and which rows cannot be read (None: all can)."""
    if role == TIMESTAMP:
        return _times(column, table, timezone, max_bad)
    if role == VALUE:
        return *as_values(column, table), None
    if role == POSITION:
        return as_position(column, table), [], None
    if role == BEHAVIOR:
        return column.cast(pl.String), [], None
    ids, steps = as_ids(column, role)
    if role == SESSION:
        return ids, steps, None
    long = too_long(ids)
    if long is None:
        return ids, steps, None
    shown = tuple(f"{table.where(i)}: {ids[i][:30]!r}... ({len(ids[i]):,} characters)" for i in _first(long))
    hint = "Name another column, or mend the ids."
    read_share(int(long.sum()), len(ids), max_bad, f"Column {role}: expected ids, got whole texts.", shown, hint)
    return ids, [*steps, Step(role, "set_aside", int(long.sum()), "ids of over 10,000 characters.", shown, hint)], long


def _times(
    column: pl.Series, table: RawTable, timezone: str | None, max_bad: float
) -> tuple[pl.Series, list[Step], pl.Series | None]:
    times = read_times(column, timezone)
    bad, rows = int(times.bad.sum()), len(column)
    shown = tuple(f"{table.where(i)}: {str(column[i])[:40]!r}" for i in _first(times.bad))
    steps = [_said(times, column.name, timezone)]
    if times.warning:
        steps.append(Step("times", "warning", 0, f"{times.warning}."))
    if bad:
        if times.units:
            units = ", ".join(f"{count:,} rows of {unit}" for unit, count in times.units.items())
            message, hint = f"Column {column.name} mixes units of time: {units}.", "Bring it to one unit."
        else:
            message = f"Column {column.name}: expected times ({times.form})."
            hint = "Mend these rows, or name another column."
        read_share(bad, rows, max_bad, message, shown, f"{hint} --max-bad allows more.")
        steps.append(Step("unreadable_times", "set_aside", bad, "rows have a time that cannot be read.", shown))
    unknown = times.values.null_count() - bad
    if unknown:
        message = "rows have no time: their order decides, nothing is invented."
        steps.append(Step("unknown_times", "understood", unknown, message))
    return times.values, steps, times.bad if bad else None


def _said(times: Times, name: str, timezone: str | None) -> Step:
    first, last = times.values.min(), times.values.max()
    span = ""
    if isinstance(first, datetime) and isinstance(last, datetime):
        span = f", {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
    zone = f", taken as {timezone or 'UTC'}" if times.naive else ""
    if timezone and not times.naive:
        zone = f" (they name their zone, so timezone = {timezone} changes nothing)"
    return Step("times", "understood", 0, f"{name}: {times.form}{zone}{span}.")


def _shown(roles: Roles) -> Step:
    named = [role for role in ORDER if roles.columns.get(role) == role]
    said = [f"{', '.join(named)} (by name)"] if named else []
    said += [
        f"{role} is {roles.columns[role]} ({roles.how[role]})"
        for role in ORDER
        if roles.columns.get(role, role) != role
    ]
    if roles.clock:
        said.append(f"clock times are {roles.clock}")
    return Step(
        "columns",
        "understood",
        0,
        "; ".join([*said, *roles.notes]) + ".",
        hint="If that is not so: --columns user_id=COLUMN,item_id=COLUMN,..." if _unsure(roles) else "",
    )


def _unsure(roles: Roles) -> bool:
    return bool(roles.notes) or "by content" in roles.how.values()


def _context(frame: pl.DataFrame, roles: Roles) -> tuple[list[pl.Series], list[Step]]:
    """All other columns, unchanged; those that bear a role's name without having the role get another one."""
    used = {*roles.columns.values(), roles.clock}
    rest, steps = [], []
    for name in (name for name in frame.columns if name not in used):
        column = frame[name]
        if name in ORDER or (name == EVENT_ORDER and not _counts(column)):
            new = f"{name}_in_log"
            message = f"the log's own column {name!r} is not taken as {name}; it is called {new!r} here."
            steps.append(Step("columns", "changed", 0, message))
            column = column.alias(new)
        rest.append(column)
    return rest, steps


def _counts(column: pl.Series) -> bool:
    """Whether each cell is a whole number, as `event_order` is in Events that are read again."""
    if not (column.dtype.is_integer() or column.dtype == pl.String):
        return False
    return column.cast(pl.Int64, strict=False).null_count() == 0


def _first(mask: pl.Series) -> list[int]:
    return [int(i) for i in mask.arg_true().head(5).to_list()]
