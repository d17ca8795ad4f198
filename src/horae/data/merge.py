"""Logs of several platforms as one log, people joined by a table that says whose each account is.

In: one `Events` per platform, and an identity table: `platform, user_id, person_id`, perhaps `valid_from`, `valid_to`.
Out: one `Events`, in which a column `platform` says where each event comes from. It knows no files, and it guesses no
identity: an account without a row stays a user of its own. Public as `horae.merge_logs`; `horae data merge`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import polars as pl

from horae.data.clean import clean
from horae.data.settings import DataSettings
from horae.data.sources import read_table
from horae.data.validity import EVER, NEVER, VALID_FROM, VALID_TO, valid_rows
from horae.errors import DataError
from horae.schema import BEHAVIOR, EVENT_ORDER, ITEM, SHOWN, TARGET, TARGET_WEIGHT, TIMESTAMP, USER, Events, Step

__all__ = ["BETWEEN", "PERSON", "PLATFORM", "merge_logs"]

PLATFORM: Final = "platform"
PERSON: Final = "person_id"
BETWEEN: Final = ":"
"""Stands between a platform and an id of it; no platform has it in its name."""
AT: Final = "__at"
EVENT: Final = "__event"
EXAMPLES: Final = 5


def merge_logs(
    logs: Mapping[str, Events],
    identity: Any = None,
    *,
    shared_items: bool = False,
    settings: DataSettings | None = None,
) -> Events:
    """Lay logs of several platforms together, in the order of time.

    An event belongs to the person whose row of the identity table holds at its time: from `valid_from` (included) to
    `valid_to` (excluded). An account that has no such row then is a user `platform:user_id`. An event of unknown time
    belongs to a person only where the account's row holds for ever; otherwise nobody can tell.

    Args:
        logs: By the platform's name.
        identity: A frame, or a path, as `read_events` takes them; None: nobody is the same.
        shared_items: Do equal item ids mean one item? Otherwise items are `platform:item_id`.
        settings: How the merged log is cleaned, and which of its events are targets.

    Raises:
        DataError: No log, a name with a colon, logs with and without items; an identity table without its columns, or
            with two rows of an account that hold at one time; too many events that have no place among others.
    """
    _check_logs(logs)
    frame = pl.concat([_named(name, events) for name, events in logs.items()], how="diagonal_relaxed")
    steps = [step for name, events in logs.items() for step in _told(name, events)]
    if identity is not None:
        table = _identities(read_table(identity, max_bad=0.0).frame)
        frame = frame.with_columns(_persons(frame, table).alias(PERSON))
        steps += _joined(frame, table, logs)
    else:
        frame = frame.with_columns(pl.lit(None, pl.String).alias(PERSON))
    frame, unplaced = _placed(_identified(frame))
    steps += unplaced
    if not shared_items and ITEM in frame.columns:
        frame = frame.with_columns(_prefixed(ITEM))
    order = pl.int_range(pl.len(), dtype=pl.Int64)
    frame = frame.with_columns(order.alias(EVENT_ORDER))  # as in Events that are read again: what they count is kept
    rows_read = sum(events.report.rows_read for events in logs.values())
    return _counted(clean(frame, steps, " + ".join(logs), rows_read, settings))


def _check_logs(logs: Mapping[str, Events]) -> None:
    if not logs:
        raise DataError("There is no log to merge.", hint='Give logs by name: {"shop": events, "app": others}.')
    for name in logs:
        if not name or BETWEEN in name:
            raise DataError(f"{name!r} cannot name a platform.", hint="Give a name without a colon, such as shop.")
    without = [name for name, events in logs.items() if not events.has_items]
    if without and len(without) < len(logs):
        raise DataError(
            f"The log {without[0]!r} has no items, others have.", hint="Name its column of items, or leave it out."
        )


def _named(name: str, events: Events) -> pl.DataFrame:
    """A log's rows with their platform; a column that it calls so itself gets another name.

    What was shown is joined to the merged log, since its ids are those of one platform.
    """
    frame = events.frame.drop(EVENT_ORDER, TARGET, SHOWN, strict=False)
    own: dict[str, str] = {one: f"{one}_in_log" for one in (PLATFORM, PERSON) if one in frame.columns}
    texts = [pl.col(one).cast(pl.String) for one in (USER, BEHAVIOR)]
    return frame.rename(own).with_columns(*texts, pl.lit(name).alias(PLATFORM))


def _told(name: str, events: Events) -> list[Step]:
    """What was done to one log, by its name; what was understood is one line."""
    users = events.frame[USER].n_unique()
    said = Step(PLATFORM, "understood", 0, f"{name}: {len(events):,} events of {users:,} users.")
    others = (step for step in events.report.steps if step.kind != "understood")
    return [said, *(replace(step, message=f"{name}: {step.message}") for step in others)]


def _identities(frame: pl.DataFrame) -> pl.DataFrame:
    """The identity table, checked: no two rows of an account hold at one time."""
    name = "identity table"
    if VALID_FROM not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias(VALID_FROM))
    if PERSON not in frame.columns:
        found = ", ".join(frame.columns[:8])
        raise DataError(f"{name}: expected a column {PERSON}, found {found}.", hint=f"Name one column {PERSON}.")
    nobody = frame[PERSON].cast(pl.String).fill_null("").str.strip_chars() == ""
    if nobody.any():
        row = nobody.arg_true()[0] + 1
        raise DataError(f"{name}: row {row} has no {PERSON}.", hint="Fill it in, or leave the row out.")
    table = valid_rows(frame, (PLATFORM, USER), name)
    return table.select(PLATFORM, USER, pl.col(PERSON).cast(pl.String), VALID_FROM, VALID_TO)


def _persons(frame: pl.DataFrame, table: pl.DataFrame) -> pl.Series:
    """Whose each event is, as of its time; null where the table does not say."""
    asked = frame.select(PLATFORM, USER, pl.col(TIMESTAMP).cast(pl.Int64).alias(AT)).with_row_index(EVENT)
    keys = [PLATFORM, USER]
    timed = asked.drop_nulls(AT).sort(AT)
    table = table.sort(VALID_FROM)
    found = timed.join_asof(
        table, left_on=AT, right_on=VALID_FROM, by=keys, strategy="backward", check_sortedness=False
    ).filter(pl.col(AT) < pl.col(VALID_TO))
    ever = table.filter((pl.col(VALID_FROM) == EVER) & (pl.col(VALID_TO) == NEVER))
    untimed = asked.filter(pl.col(AT).is_null()).join(ever, on=keys, how="inner")
    whose = pl.concat([found.select(EVENT, PERSON), untimed.select(EVENT, PERSON)])
    return asked.join(whose, on=EVENT, how="left", maintain_order="left")[PERSON]


def _joined(frame: pl.DataFrame, table: pl.DataFrame, logs: Mapping[str, Events]) -> list[Step]:
    known = frame.drop_nulls(PERSON)
    people = known[PERSON].n_unique()
    wide = known.group_by(PERSON).agg(pl.col(PLATFORM).n_unique() > 1)[PLATFORM].sum()
    message = f"{known.height:,} events are those of {people:,} people, {wide:,} of them on more than one platform."
    steps = [Step("identity", "understood", 0, message)]
    strange = table.filter(~pl.col(PLATFORM).is_in(list(logs)))
    if strange.height:
        names = ", ".join(map(repr, strange[PLATFORM].unique().sort().head(EXAMPLES)))
        hint = f"The logs are called {', '.join(map(repr, logs))}."
        message = f"rows of the identity table name other platforms: {names}."
        steps.append(Step("identity", "warning", strange.height, message, hint=hint))
    return steps


def _identified(frame: pl.DataFrame) -> pl.DataFrame:
    """The person, else the account under its platform's name, as `user_id`."""
    alone = frame.filter(pl.col(PERSON).is_null()).select(_prefixed(USER)).unique()
    both = alone.join(frame.select(pl.col(PERSON).alias(USER)).drop_nulls().unique(), on=USER, how="semi")
    if both.height:
        raise DataError(
            f"The identity table's person {both.sort(USER)[USER][0]!r} is called like an account that nobody joins.",
            hint="Choose other person ids.",
        )
    whose = pl.coalesce(PERSON, _prefixed(USER))
    return frame.with_columns(whose.alias(USER)).drop(PERSON)


def _placed(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Step]]:
    """Without events of unknown time of people on several platforms: no order places these among the others."""
    several = pl.col(PLATFORM).n_unique().over(USER) > 1
    lost = frame.select(pl.col(TIMESTAMP).is_null() & several).to_series()
    if not lost.any():
        return frame, []
    rows = frame.filter(lost).head(EXAMPLES).select(USER, PLATFORM).iter_rows()
    shown = tuple(f"{user} on {platform}" for user, platform in rows)
    message = "events of people on several platforms have no time, so nothing places them among the others."
    return frame.filter(~lost), [Step("unplaced", "set_aside", int(lost.sum()), message, shown, "Give their times.")]


def _prefixed(column: str) -> pl.Expr:
    return pl.concat_str(PLATFORM, pl.col(column).cast(pl.String), separator=BETWEEN).alias(column)


def _counted(events: Events) -> Events:
    """What an event counts stays; one that counts nothing is no target here either."""
    if TARGET_WEIGHT not in events.frame.columns:
        return events
    weight = pl.col(TARGET_WEIGHT).fill_null(1.0)
    return replace(events, frame=events.frame.with_columns(weight, pl.col(TARGET) & (weight > 0)))
