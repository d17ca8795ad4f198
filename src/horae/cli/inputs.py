"""Logs, splits and small tables, as the options of a verb describe them.

In: what was typed. Out: Events, Split, frames. What is understood and done on the way is told on standard error.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from horae.cli.output import say, say_all, wrapped

if TYPE_CHECKING:
    import polars as pl

    from horae.data.split import Split
    from horae.schema import Events

__all__ = ["Cutting", "Reading", "boundary_of", "data_table", "read_ids", "read_table_of"]

KINDS = ("time", "leave-one-out", "column")


@dataclass(frozen=True)
class Reading:
    """How to read a log. Kept on a run's card, so that a newer log is read in the same way."""

    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COLUMN,...",
            help="Which column is which: user_id=customer,item_id=sku. Names: user_id, item_id, behavior, timestamp, "
            "value, position, session_id. `value=` says that there is none.",
            show_default=False,
        ),
    ] = None
    query: Annotated[
        str | None, typer.Option(metavar="SQL", help="What to read, where EVENTS is a database.", show_default=False)
    ] = None
    delimiter: Annotated[
        str | None, typer.Option(help="Of a text file: ';', tab, '::'. [default: recognised]", show_default=False)
    ] = None
    encoding: Annotated[
        str | None, typer.Option(help="Of a text file: latin-1. [default: recognised]", show_default=False)
    ] = None
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header", help="Has a text file a header? [default: recognised]", show_default=False
        ),
    ] = None
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Of times that name none: Europe/Berlin. [default: UTC]", show_default=False),
    ] = None
    max_bad: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Share of unreadable rows that is set aside. [default: 0.01]", show_default=False
        ),
    ] = None
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse the log for a single unreadable row.", show_default=False)
    ] = False

    def table(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A recipe's `[data]` table with the options over it, and every default filled in."""
        from horae.data.clean import DataSettings
        from horae.recipe import settings

        given = {"timezone": self.timezone, "max_bad": self.max_bad}
        known = {key: value for key, value in given.items() if value is not None}
        table = asdict(settings(DataSettings, {**data, **known}, "[data]"))
        return {key: value for key, value in table.items() if value is not None}

    def events(self, source: Any, data: Mapping[str, Any], *, quiet: bool = False) -> Events:
        """Read, understand and clean a log; tell what was done.

        Args:
            source: As typed, or as `read_table` read it.
            data: The recipe's `[data]` table.
            quiet: Tell nothing; the caller shows the report.
        """
        from horae.data.clean import DataSettings, read_events
        from horae.data.columns import parse_mapping

        events = read_events(
            source,
            columns=parse_mapping(",".join(self.columns or ())),
            settings=DataSettings(**self.table(data)),
            query=self.query,
            strict=self.strict,
            now=datetime.now(UTC),
            delimiter=self.delimiter,
            encoding=self.encoding,
            header=self.header,
        )
        if not quiet:
            say(wrapped(str(events)))
        return events


@dataclass(frozen=True)
class Cutting:
    """How to split a log."""

    split: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="time, leave-one-out, column or column=NAME. [default: time; leave-one-out for a log without times]",
            show_default=False,
        ),
    ] = None
    test: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="Test part, by time: 0.1, 7d, 2024-05-31. [default: 0.1]", show_default=False
        ),
    ] = None
    validation: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Validation part, before it, likewise. [default: 0.1]", show_default=False),
    ] = None
    ties: Annotated[
        str | None,
        typer.Option(
            metavar="HOW", help="Equal times in leave-one-out: log or shuffled. [default: log]", show_default=False
        ),
    ] = None

    @property
    def asked(self) -> bool:
        """Was any of these options given?"""
        return any(value is not None for value in (self.split, self.test, self.validation, self.ties))

    def check(self) -> None:
        """Refuse before the log is read.

        Raises:
            typer.BadParameter: No such kind, or an option that has no effect beside it.
        """
        kind = (self.split or "time").partition("=")[0]
        if kind not in KINDS:
            raise typer.BadParameter(f"{kind!r}: expected {', '.join(KINDS)} or column=NAME.", param_hint="--split")
        if self.ties not in (None, "log", "shuffled"):
            raise typer.BadParameter(f"{self.ties!r}: expected log or shuffled.", param_hint="--ties")
        idle = {"--ties": self.ties} if kind != "leave-one-out" else {}
        idle |= {"--test": self.test, "--validation": self.validation} if kind != "time" else {}
        for option, value in idle.items():
            if value is not None:
                raise typer.BadParameter(f"it has no effect with a split by {kind}.", param_hint=option)

    def cut(self, events: Events, seed: int = 0, *, quiet: bool = False) -> Split:
        """Split a log, and say how."""
        from horae.data.split import split_by_column, split_by_time, split_leave_one_out

        kind, _, column = (self.split or "").partition("=")
        if not self.asked and events.times == "none":
            say("note: this log has no times, so it is split leave-one-out, by its order.")
            kind = "leave-one-out"
        if kind in ("", "time"):
            split = split_by_time(events, boundary_of(self.test), boundary_of(self.validation))
        elif kind == "leave-one-out":
            split = split_leave_one_out(events, "shuffled" if self.ties == "shuffled" else "log", seed)
        else:
            split = split_by_column(events, column or "split")
        if not quiet:
            say(wrapped(str(split)))
        return split


def data_table(overrides: Sequence[str] | None) -> Mapping[str, Any]:
    """The `[data]` table of a verb that only cleans.

    Raises:
        typer.BadParameter: A key of another table, which has no effect there.
    """
    from horae.recipe import TABLES, Recipe

    recipe = Recipe("data").with_overrides(overrides or ())
    for table in TABLES[1:]:
        for key in getattr(recipe, table):
            raise typer.BadParameter(f"{table}.{key} has no effect here: give keys of [data].", param_hint="--set")
    return recipe.data


def read_table_of(source: str, key: str) -> pl.DataFrame:
    """A catalog (`key` is item_id) or profiles (user_id): the key under its own name, whatever the file calls it.

    Rows without the key are left out, and a note says how many.

    Raises:
        DataError: No column, or several, that may be the key; no row with it; or a key that stands twice.
    """
    from horae.data.sources import read_table
    from horae.errors import DataError

    try:
        frame = read_table(source, max_bad=0.0).frame
    except DataError as error:
        if "--" not in error.hint:
            raise
        # the options that it names are the log's
        raise DataError(error.message, hint="Mend the file: text that holds the delimiter stands in quotes.") from error
    frame = frame.rename({_key_column(frame.columns, key, source): key})
    without = frame[key].is_null()
    if without.all():
        raise DataError(f"{source}: no row has an id in {key}.", hint=f"Fill in {key}.")
    if without.any():
        num = "1 row has" if without.sum() == 1 else f"{without.sum():,} rows have"
        say_all([f"{source}: {num} no {key}, the first is row {(without.arg_max() or 0) + 1} of the table; left out."])
        frame = frame.filter(~without)
    twice = frame[key].filter(frame[key].is_duplicated())
    if len(twice):
        raise DataError(f"{source}: {key} {twice[0]!r} stands in several rows.", hint="Give one row for each.")
    return frame


def read_ids(source: str, key: str) -> pl.Series:
    """Ids from a file or standard input: one on each line, or a table's column of that name.

    Raises:
        DataError: Nothing there, or no such column.
    """
    import polars as pl

    from horae.data.sources import read_table
    from horae.data.understanding.names import rank
    from horae.errors import DataError

    content = sys.stdin.buffer.read() if source == "-" else None
    text = _as_lines(source, content)
    if text is None or (text and re.search(r"[,;\t|]", text[0])):
        frame = read_table(source if content is None else content, max_bad=0.0).frame
        return frame[_key_column(frame.columns, key, source)].drop_nulls().unique(maintain_order=True)
    lines = text[1:] if text and rank(key, text[0]) is not None else text
    if not lines:
        raise DataError(f"{source}: expected ids, one on each line; found none.", hint="Write one id on each line.")
    return pl.Series(key, lines, dtype=pl.String).unique(maintain_order=True)


def _as_lines(source: str, content: bytes | None) -> list[str] | None:
    """The lines that hold something; None where the source is no text in lines."""
    if content is not None:
        data = content
    elif Path(source).is_file():
        data = Path(source).read_bytes()
    else:
        return None
    if data.startswith(b"PAR1") or b"\x00" in data:
        return None
    lines = [line.strip() for line in data.decode("utf-8-sig", "replace").splitlines()]
    return [line for line in lines if line]


def _key_column(names: Sequence[str], key: str, source: str) -> str:
    from horae.data.understanding.names import rank
    from horae.errors import DataError

    ranked = sorted((level, name) for name in names if (level := rank(key, name)) is not None)
    best = [name for level, name in ranked if level == ranked[0][0]]
    if len(best) != 1:
        found = ", ".join(best or list(names)[:8])
        raise DataError(f"{source}: expected one column {key}, found {found}.", hint=f"Name one column {key}.")
    return best[0]


def boundary_of(text: str | None) -> float | str:
    """Where a part begins, as typed; a tenth where nobody said."""
    if text is None:
        return 0.1
    try:
        return float(text)
    except ValueError:
        return text
