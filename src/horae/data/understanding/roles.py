"""Which column plays which role: by what the user says, by name, then by content.

In: a table and the user's mapping. Out: `Roles`, with every choice in words. It decides from names and a sample, and
converts nothing. Where it cannot decide it refuses and names the option that does.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from horae.data.understanding.content import (
    by_position,
    id_candidates,
    is_behavior,
    is_time,
    numeric_share,
    sample_of,
    traits,
)
from horae.data.understanding.names import ROLES, rank
from horae.data.understanding.times import RESOLUTIONS, read_times, resolution
from horae.errors import DataError
from horae.schema import EVENT_ORDER

__all__ = ["ROW_NUMBER", "Roles", "choose_roles", "parse_mapping"]

ROW_NUMBER = "#row"
"""As the source of `position`: the rows stand in order."""
How = Literal["as given", "by name", "by content"]
FINEST = [*reversed(RESOLUTIONS), "hour", "day"]


@dataclass
class Roles:
    """The choice so far.

    Attributes:
        columns: Role -> the log's column.
        how: Role -> how it was found.
        notes: What the user should know, in sentences.
        clock: A column of clock times that completes the date in `columns["timestamp"]`.
    """

    columns: dict[str, str] = field(default_factory=dict)
    how: dict[str, How] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    clock: str | None = None

    def take(self, role: str, column: str, how: How) -> None:
        """Give a role to a column."""
        self.columns[role] = column
        self.how[role] = how


def parse_mapping(text: str) -> dict[str, str]:
    """Read `user_id=customer,item_id=sku`; `value=` with nothing behind it says that the log has none.

    Raises:
        DataError: Not of that form, or a role that does not exist.
    """
    mapping: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        role, equals, column = (part.strip() for part in pair.partition("="))
        if not equals or not role:
            raise DataError(f"--columns {pair!r} is not of the form role=column.", hint="For example user_id=customer.")
        mapping[role] = column
    _check_roles(mapping)
    return mapping


def choose_roles(frame: pl.DataFrame, source: str, given: Mapping[str, str], headerless: bool) -> Roles:
    """Decide.

    Args:
        frame: The table as it was read.
        source: Its name, for messages.
        given: Role -> column, from the user; an empty column means that there is none.
        headerless: Its columns have no names of their own.

    Raises:
        DataError: No user, neither time nor order, or rivals that only the user can tell apart.
    """
    _check_roles(given)
    roles, sample = Roles(), sample_of(frame)
    for role, column in given.items():
        if column:
            _check_column(frame, source, role, column)
            roles.take(role, column, "as given")
    open_roles = [role for role in ROLES if role not in given]
    if headerless:
        taken = set(roles.columns.values())
        for role, column in by_position(sample.drop(taken, strict=False)).items():
            if role in open_roles:
                roles.take(role, column, "by content")
    else:
        for role in open_roles:
            _by_name(role, sample, source, roles)
        _by_content(sample, source, roles, open_roles)
    _session_as_user(roles, open_roles)
    _check_complete(frame, source, roles)
    return roles


def _check_roles(given: Mapping[str, str]) -> None:
    for role in given:
        if role not in ROLES:
            near = difflib.get_close_matches(role, ROLES, n=1)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise DataError(f"There is no role {role!r} for a column.", hint=f"{meant}Roles: {', '.join(ROLES)}.")


def _check_column(frame: pl.DataFrame, source: str, role: str, column: str) -> None:
    if column in frame.columns or (role == "position" and column == ROW_NUMBER):
        return
    near = difflib.get_close_matches(column, frame.columns, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    raise DataError(
        f"{source} has no column {column!r} to be {role}.", hint=f"{meant}Its columns: {_listed(frame.columns)}."
    )


def _by_name(role: str, sample: pl.DataFrame, source: str, roles: Roles) -> None:
    """The best-ranked name whose content does not speak against it."""
    taken = set(roles.columns.values())
    ranked = {name: rank(role, name) for name in sample.columns if name not in taken}
    levels = {name: level for name, level in ranked.items() if level is not None and _may_be(role, sample[name])}
    if not levels:
        return
    if role == "timestamp" and len(levels) > 1:
        _finest(levels, sample, source, roles)
        return
    best = min(levels.values())
    rivals = [name for name, level in levels.items() if level == best]
    if len(rivals) > 1:
        exact = [name for name in rivals if name == role]
        if not exact:
            raise _rivals(role, rivals, source)
        rivals = exact
    roles.take(role, rivals[0], "by name")
    others = [name for name in levels if name != rivals[0]]
    if others:
        roles.notes.append(f"{role} could also be {_listed(others)}")


def _may_be(role: str, column: pl.Series) -> bool:
    if column.dtype.is_nested():
        return False
    if role == "value":
        return numeric_share(column) > 0.5
    if role == "position":
        return column.dtype.is_integer() or (column.dtype == pl.String and numeric_share(column) > 0.5)
    if role == "behavior":
        return column.name == role or column.n_unique() <= 200
    return not (role in ("user_id", "item_id", "session_id") and column.dtype.is_temporal())


def _finest(levels: Mapping[str, int], sample: pl.DataFrame, source: str, roles: Roles) -> None:
    """Of several times: the canonical name, unless another says the same in a finer unit; else the finer."""
    clocks = [name for name in levels if _is_clock(sample[name])]
    parsed = {name: read_times(sample[name]).values for name in levels if name not in clocks}
    known = {name: values for name, values in parsed.items() if len(values) > values.null_count()}
    if not known:
        roles.take("timestamp", next(iter(parsed or levels)), "by name")
        return
    fineness = {name: FINEST.index(step) if (step := resolution(v)) in FINEST else -1 for name, v in known.items()}
    first = min(known, key=lambda name: (levels[name] > 0, fineness[name], not sample[name].dtype.is_numeric()))
    for name in known:
        if name == first:
            continue
        same = _same_times(known[first], known[name])
        if same and fineness[name] < fineness[first]:
            roles.notes.append(f"{name} says the same as {first}, in a finer unit")
            first = name
        elif not same and levels[first] > 0 and fineness[name] == fineness[first]:
            raise _rivals("timestamp", [first, name], source)
    roles.take("timestamp", first, "by name")
    others = [name for name in known if name != first and not _same_times(known[first], known[name])]
    if others:
        roles.notes.append(f"timestamp could also be {_listed(others)}")
    if clocks and resolution(known[first]) == "day":
        roles.clock = clocks[0]


def _is_clock(column: pl.Series) -> bool:
    """Times of day without a date, such as 08:26."""
    if column.dtype == pl.Time:
        return True
    known = column.drop_nulls()
    return (
        known.dtype == pl.String
        and len(known) > 0
        and bool(known.str.contains(r"^\s*\d{1,2}:\d{2}(:\d{2})?\s*$").all())
    )


def _same_times(one: pl.Series, two: pl.Series) -> bool:
    """Whether two columns differ by no more than the coarser one's unit."""
    units = {**RESOLUTIONS, "microsecond": 1}
    unit = max(units[resolution(one)], units[resolution(two)])
    gap = (one.to_physical() - two.to_physical()).abs().drop_nulls()
    return not gap.is_empty() and not (gap >= max(unit, 2)).any()


def _by_content(sample: pl.DataFrame, source: str, roles: Roles, open_roles: list[str]) -> None:
    """Fill what names left open, as far as only one column comes into question."""
    missing = [role for role in ("user_id", "item_id", "behavior", "timestamp") if role in open_roles]
    missing = [role for role in missing if role not in roles.columns]
    if not missing:
        return
    left = [name for name in sample.columns if name not in set(roles.columns.values()) and name != EVENT_ORDER]
    if "timestamp" in missing:
        times = [name for name in left if is_time(sample[name])]
        if len(times) == 1:
            roles.take("timestamp", times[0], "by content")
        elif len(times) > 1 and "position" not in roles.columns:
            _finest(dict.fromkeys(times, 1), sample, source, roles)
            roles.how["timestamp"] = "by content"
        left = [name for name in left if name not in times]
    if "behavior" in missing:
        words = [name for name in left if is_behavior(sample[name])]
        if len(words) == 1:
            roles.take("behavior", words[0], "by content")
        left = [name for name in left if name not in words]
    named = [name for name in left if all(rank(role, name) is None for role in ROLES)]
    _ids_by_content(sample.select(named), source, roles, [role for role in missing if role in ("user_id", "item_id")])


def _ids_by_content(sample: pl.DataFrame, source: str, roles: Roles, missing: list[str]) -> None:
    """One open id and one candidate, or both open and two candidates, the user first."""
    if missing == ["user_id"] and "session_id" in roles.columns:
        return
    if "user_id" in missing and "session_id" in roles.columns:
        missing = ["item_id"]
    if "timestamp" not in roles.columns and "position" not in roles.columns:
        return  # a table of users or items, not a log
    candidates = id_candidates([traits(sample[name]) for name in sample.columns])
    if len(candidates) == len(missing) > 0:
        for role, name in zip(missing, candidates, strict=True):
            roles.take(role, name, "by content")
    elif "user_id" in missing and candidates and "item_id" not in missing:
        raise _rivals("user_id", candidates, source)
    elif missing == ["item_id"] and candidates:
        roles.notes.append(f"item_id could be one of {_listed(candidates)}: name it with --columns item_id=...")


def _session_as_user(roles: Roles, open_roles: list[str]) -> None:
    if "user_id" in roles.columns or "user_id" not in open_roles or "session_id" not in roles.columns:
        return
    session = roles.columns.pop("session_id")
    roles.take("user_id", session, roles.how.pop("session_id"))
    roles.notes.append(f"the log has no users: each session of {session} stands for one")


def _check_complete(frame: pl.DataFrame, source: str, roles: Roles) -> None:
    """A log needs a user, and times or an order; without items it needs times."""
    ordered = "position" in roles.columns or EVENT_ORDER in frame.columns
    missing = [role for role in ("user_id", "timestamp") if role not in roles.columns]
    if ordered and "item_id" in roles.columns:
        missing = [role for role in missing if role == "user_id"]
    if not missing:
        return
    series = missing == ["user_id"] and "item_id" not in roles.columns and _has_numbers(frame)
    what = " It looks like a series of values over time, not a log of events." if series else ""
    hint = f"Name it: --columns {','.join(f'{role}=COLUMN' for role in missing)}."
    if "timestamp" in missing and "item_id" in roles.columns:
        hint += f" If the rows stand in order and have no times: --columns position={ROW_NUMBER}."
    raise DataError(
        f"{source} has no column that can be recognised as {' or as '.join(missing)}; "
        f"its columns are {_listed(frame.columns)}.{what}",
        hint=hint,
    )


def _has_numbers(frame: pl.DataFrame) -> bool:
    sample = sample_of(frame)
    return any(traits(sample[name]).kind in ("integer", "number") for name in sample.columns)


def _rivals(role: str, names: list[str], source: str) -> DataError:
    said = " and ".join(repr(name) for name in names[:4])
    return DataError(
        f"{source}: {said} may each be {role}; nothing says which.",
        hint=f"Name it: --columns {role}={names[0]}.",
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:12])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > 12 else shown
