"""Logs, tables and splits, as the options of a verb describe them.

In: what was typed. Out: Events, Split, frames. What is understood and done on the way is told on standard error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from horae.cli.output import say

if TYPE_CHECKING:
    import polars as pl

    from horae.data.split import Split
    from horae.schema import Events

__all__ = ["Cutting", "Reading", "data_table", "read_frame"]

READ_KEYS = ("delimiter", "encoding", "header")
YES = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True)
class Reading:
    """What the reading options say; kept on a run's card, so that a newer log is read in the same way."""

    columns: Sequence[str] = ()
    query: str | None = None
    read: Sequence[str] = ()
    strict: bool = False

    @classmethod
    def of(cls, columns: list[str] | None, query: str | None, read: list[str] | None, strict: bool) -> Reading:
        """From the options as typer hands them over."""
        return cls(tuple(columns or ()), query, tuple(read or ()), strict)

    def events(self, source: str, table: Mapping[str, Any], *, quiet: bool = False) -> Events:
        """Read, understand and clean a log; tell what was done.

        Args:
            source: As typed.
            table: The recipe's `[data]` table.
            quiet: Tell nothing; the caller shows the report.
        """
        from horae.data.clean import DataSettings, read_events
        from horae.data.columns import parse_mapping
        from horae.recipe import settings

        events = read_events(
            source,
            columns=parse_mapping(",".join(self.columns)),
            settings=settings(DataSettings, table, "[data]"),
            query=self.query,
            strict=self.strict,
            now=datetime.now(UTC),
            **_read_options(self.read),
        )
        if not quiet:
            say(str(events))
        return events

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Cutting:
    """What the splitting options say."""

    kind: str | None = None
    test: str | None = None
    validation: str | None = None
    ties: str | None = None
    seed: int = 0

    def split(self, events: Events) -> Split:
        """Cut a log.

        Raises:
            typer.BadParameter: No such kind, or an option that has no effect beside it.
        """
        from horae.data.split import split_by_column, split_by_time, split_leave_one_out

        kind = self.kind or ("time" if events.times != "none" else "leave-one-out")
        if self.kind is None and kind != "time":
            say("note: this log has no times, so it is split leave-one-out, by its order.")
        name, _, column = kind.partition("=")
        self._refuse_idle(name)
        if name == "time":
            return split_by_time(events, _boundary(self.test), _boundary(self.validation))
        if name == "leave-one-out":
            return split_leave_one_out(events, self.ties or "log", self.seed)  # type: ignore[arg-type]
        return split_by_column(events, column or "split")

    def _refuse_idle(self, kind: str) -> None:
        if kind not in ("time", "leave-one-out", "column"):
            raise typer.BadParameter(f"{kind!r}: expected time, leave-one-out, column or column=NAME.", param_hint="--split")
        if self.ties and self.ties not in ("log", "shuffled"):
            raise typer.BadParameter(f"{self.ties!r}: expected log or shuffled.", param_hint="--ties")
        idle = {"--ties": self.ties} if kind != "leave-one-out" else {}
        if kind != "time":
            idle |= {"--test": self.test, "--validation": self.validation}
        for option, value in idle.items():
            if value is not None:
                raise typer.BadParameter(f"has no effect with a split by {kind}.", param_hint=option)


def data_table(
    table: Mapping[str, Any], timezone: str | None = None, max_bad: float | None = None
) -> dict[str, Any]:
    """A recipe's `[data]` table with the options over it."""
    given = {"timezone": timezone, "max_bad": max_bad}
    return {**table, **{key: value for key, value in given.items() if value is not None}}


def read_table_of(source: str, key: str) -> pl.DataFrame:
    """A catalog (`key` item_id) or profiles (user_id): the key under its own name, whatever the file calls it.

    Raises:
        DataError: No column, or several, that may be the key; or it names something twice.
    """
    from horae.data.names import rank
    from horae.data.sources import read_table
    from horae.errors import DataError

    frame = read_table(source, max_bad=0.0).frame
    ranked = sorted((level, name) for name in frame.columns if (level := rank(key, name)) is not None)
    best = [name for level, name in ranked if level == ranked[0][0]]
    if len(best) != 1:
        found = ", ".join(best or frame.columns[:8])
        raise DataError(f"{source}: expected one column {key}, found {found}.", hint=f"Name the column {key}.")
    frame = frame.rename({best[0]: key}).filter(pl_not_null(key))
    twice = frame[key].filter(frame[key].is_duplicated())
    if len(twice):
        raise DataError(f"{source}: {key} {twice[0]!r} stands in several rows.", hint="Give one row for each.")
    return frame


def read_ids(source: str) -> pl.Series:
    """A list of users: one id per line, or a table with a column user_id.

    Raises:
        DataError: Nothing there, or no such column.
    """
def _boundary(text: str | None) -> float | str:
    if text is None:
        return 0.1
    try:
        return float(text)
    except ValueError:
        return text


def _read_options(pairs: Sequence[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if key not in READ_KEYS or not value or (key == "header" and value not in YES):
            raise typer.BadParameter(
                f"{pair!r}: expected delimiter=..., encoding=... or header=yes or no.", param_hint="--read"
            )
        options[key] = YES[value] if key == "header" else value
    return options
