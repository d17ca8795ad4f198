"""Who asks, and under which constraints, as typed: users, histories, lists of items. In: text. Out: Requests."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any

import typer

from horae.cli.inputs import read_ids
from horae.errors import DataError, UnknownIdError

if TYPE_CHECKING:
    import polars as pl

    from horae.recommend.recommender import Recommender
    from horae.schema import HistoryEvent, Requests

__all__ = ["blocks_of", "context_of", "history_of", "items_of", "moment_of", "rules_of", "users_of"]

ROWS_IN_BLOCK = 1_000_000
ENOUGH_FOR_NEAR = 50_000
LONGEST_SHOWN = 80
EVENT_KEYS = {
    "item_id": str | int,
    "behavior": str,
    "timestamp": str | int | float,
    "value": int | float,
    "context": dict,
}


def users_of(
    recommender: Recommender, named: Sequence[str] | None, file: str | None, everybody: bool, fallback: bool
) -> pl.Series:
    """The users that were asked for.

    Raises:
        UnknownIdError: One that was named by hand is unknown, and no fallback was asked for.
        DataError: The run holds nobody's events.
    """
    import polars as pl

    known = recommender.sequences.users
    if everybody:
        if not len(known):
            raise DataError("This run holds no events, so it knows no users.", hint="Give --events LOG.")
        return known.all
    if file is not None:
        return _as_known(read_ids(file, "user_id"), known.all.dtype)
    asked = pl.Series("user_id", named, dtype=pl.String)
    if not fallback:
        for user, index in zip(asked, known.indices(asked), strict=True):
            if not index:
                shown = user if len(user) <= LONGEST_SHOWN else f"{user[:LONGEST_SHOWN]}..."
                raise UnknownIdError(f"The user {shown!r} has no event in this run.", hint=_near(shown, known.all))
    return _as_known(asked, known.all.dtype)


def history_of(text: str) -> list[HistoryEvent]:
    """A history as typed: ids with commas between, or a JSON list of ids or of events, oldest first.

    Raises:
        DataError: Not of either form.
    """
    from horae.schema import HistoryEvent

    if not text.lstrip().startswith("["):
        return [HistoryEvent(item.strip()) for item in text.split(",") if item.strip()]
    hint = 'Write ["i7", "i9"], or [{"item_id": "i7", "behavior": "view", "timestamp": "2024-05-31T18:00:00Z"}].'
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise DataError(f"--history is not a JSON list: {error}.", hint=hint) from error
    events = [_event(entry) for entry in entries]
    if None in events:
        raise DataError(f"--history holds {entries[events.index(None)]!r}; expected items or events.", hint=hint)
    return [event for event in events if event is not None]


def items_of(text: str | None) -> tuple[str | int, ...]:
    """Item ids with commas between, a JSON list, or a file of them."""
    if text is None:
        return ()
    if text == "-" or ("," not in text and Path(text).is_file()):
        return tuple(read_ids(text, "item_id"))
    return tuple(event.item_id for event in history_of(text))


def moment_of(text: str | None, where: str = "--at", zone: str | None = None) -> datetime | None:
    """A time as typed: ISO 8601, of the zone (UTC) where it names none, or seconds since 1970.

    Args:
        text: As typed.
        where: For errors.
        zone: A zone that there is.
    """
    from horae.data.settings import parse_time

    if text is None:
        return None
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (OverflowError, OSError) as error:
        raise typer.BadParameter(f"{text!r} is no time.", param_hint=where) from error
    except ValueError:
        return parse_time(text, where, zone)


def context_of(named: Sequence[str] | None, where: str = "--context") -> dict[str, Any]:
    """What is known when asking, as typed: `device=phone`, each name once; numbers are numbers, all else is text.

    Raises:
        typer.BadParameter: Not of that form.
    """
    context: dict[str, Any] = {}
    for pair in named or ():
        name, equals, value = pair.partition("=")
        if not equals or not name.strip() or name.strip() in context:
            raise typer.BadParameter(f"{pair!r}: expected NAME=VALUE, each name once.", param_hint=where)
        try:
            read = json.loads(value)
        except ValueError:
            read = value
        context[name.strip()] = read if isinstance(read, int | float | str) else value
    return context


def rules_of(file: str) -> tuple[str, ...]:
    """The rules of a TOML file: `rules = ["...", "..."]`.

    Raises:
        DataError: No such file, not TOML, or no list of texts under that name.
    """
    import tomllib

    hint = 'Write rules = ["deny where price > 100"].'
    try:
        document = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot read the rules in {file}: {error}.", hint=hint) from error
    rules = document.get("rules")
    if set(document) != {"rules"} or not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        raise DataError(f"{file} holds {', '.join(document) or 'nothing'}; expected a list called rules.", hint=hint)
    return tuple(rules)


def blocks_of(
    users: pl.Series,
    at: datetime | None,
    k: int,
    context: Mapping[str, Any] | None = None,
    profile: Mapping[str, Any] | None = None,
    **constraints: Any,
) -> Iterator[Requests]:
    """Requests of many users, in blocks whose answers fit in memory; numbered throughout."""
    from horae.schema import Requests

    size = max(1, ROWS_IN_BLOCK // k)
    for start in range(0, len(users), size):
        block = users.slice(start, size)
        names = [str(start + n) for n in range(len(block))]
        each: dict[str, Any] = {"at": None if at is None else [at] * len(block), "request_ids": names}
        each |= {"context": [context] * len(block)} if context else {}
        each |= {"profile": [profile] * len(block)} if profile else {}
        yield Requests(users=block, k=k, **each, **constraints)


def _as_known(asked: pl.Series, dtype: pl.DataType) -> pl.Series:
    """In the run's own type where every id can be, so that ids go out as they came in."""
    cast = asked.cast(dtype, strict=False)
    return asked if cast.null_count() else cast


def _near(user: str, known: pl.Series) -> str:
    if not len(known):
        return "This run holds no events. Give --events LOG, or the items that the user looked at: --history I1,I2."
    import polars as pl

    names = known.head(ENOUGH_FOR_NEAR).cast(pl.String).to_list()
    close = [name for name in names if name.startswith(user)][:3] or difflib.get_close_matches(user, names)
    near = f"Did you mean {' or '.join(close)}? " if close else f"Users look like {known[0]}. "
    return near + "For somebody new: --history I1,I2, or --fallback for what is popular."


def _event(entry: Any) -> HistoryEvent | None:
    """An event as JSON; None where it is not one."""
    from horae.schema import HistoryEvent

    event = entry if isinstance(entry, dict) else {"item_id": entry}
    if not event.keys() <= EVENT_KEYS.keys() or not all(_fits(event.get(key), EVENT_KEYS[key]) for key in EVENT_KEYS):
        return None
    item, behavior, when, value, context = (event.get(key) for key in EVENT_KEYS)
    if item is None:
        return None
    moment = None if when is None else moment_of(str(when), "--history: timestamp")
    return HistoryEvent(item, behavior, moment, value, context or {})


def _fits(value: Any, kinds: type | UnionType) -> bool:
    return value is None or (isinstance(value, kinds) and not isinstance(value, bool))
