"""`horae recommend`: ranked lists from a run, for known users and for people it never saw."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from horae.cli import options as o
from horae.cli.asking import blocks_of, context_of, history_of, items_of, moment_of, rules_of, users_of
from horae.cli.files import check_ending, check_outputs, table_to
from horae.cli.inputs import Reading
from horae.cli.output import aligned, say, say_all, show, show_json
from horae.cli.verb import verb

if TYPE_CHECKING:
    import polars as pl

    from horae.recommend.recommender import Recommender
    from horae.schema import Recommendations

__all__ = ["EXAMPLES", "recommend"]

EXAMPLES = """\b
Examples:
  horae recommend runs/first --user 196 -k 10
  horae recommend runs/first --history 50,181,174
  horae recommend runs/first --history '[{"item_id": "50", "behavior": "view"}]'
  horae recommend runs/first --user 196 --context device=phone
  horae recommend runs/first --profile age=31 --profile city=Rome
  horae recommend runs/first --all-users -o lists.parquet
  horae recommend runs/first --users ids.txt --exclude 50 --only stock.txt --json
  horae recommend runs/first --user 196 --filter 'price < 20 and categories has "Lipstick"'
"""
PIECE = 20_000


@dataclass(frozen=True)
class Asking:
    """Who asks."""

    user: Annotated[
        list[str] | None,
        typer.Option("--user", "-u", metavar="ID", help="A user; may be repeated.", show_default=False),
    ] = None
    users: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Many users: one id on each line, or a table; - for input.", show_default=False
        ),
    ] = None
    all_users: Annotated[bool, typer.Option("--all-users", help="Everybody in the run's log.", show_default=False)] = (
        False
    )
    history: Annotated[
        str | None,
        typer.Option(metavar="I1,I2,...", help="What somebody did, oldest first; JSON list, too.", show_default=False),
    ] = None
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="As of a time: only events before it count. [default: all]", show_default=False
        ),
    ] = None
    context: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="What is known when asking: device=phone; may be repeated.", show_default=False
        ),
    ] = None
    profile: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What is known of somebody without events, by a run trained with --profiles: age=31; may be repeated. "
            "Alone, it asks for somebody new.",
            show_default=False,
        ),
    ] = None
    fallback: Annotated[
        bool, typer.Option("--fallback", help="Answer an unknown --user with what is popular.", show_default=False)
    ] = False

    def check(self) -> None:
        """Exactly one way of asking."""
        ways = (bool(self.user), self.users is not None, self.all_users, self.history is not None)
        if sum(ways) > 1 or not (any(ways) or self.profile):
            raise typer.BadParameter("give one of --user, --users, --all-users and --history.")
        if self.fallback and not self.user:
            raise typer.BadParameter("it has an effect on --user only.", param_hint="--fallback")


@dataclass(frozen=True)
class Constraints:
    """What may be in the lists."""

    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10
    exclude: Annotated[
        str | None, typer.Option(metavar="I1,I2,...|FILE", help="Items not to recommend.", show_default=False)
    ] = None
    only: Annotated[
        str | None, typer.Option(metavar="I1,I2,...|FILE", help="Nothing but these items.", show_default=False)
    ] = None
    seen: Annotated[
        Literal["include", "exclude"] | None,
        typer.Option(help="Items of the history in or out. [default: as the log's repeats say]", show_default=False),
    ] = None
    filter: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITION", help="On the catalog's columns: 'price < 20 and stock > 0'.", show_default=False
        ),
    ] = None
    rules: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A TOML file with rules = [...], in place of the run's.", show_default=False),
    ] = None
    strategy: Annotated[
        Literal["model", "confidence", "interest", "context", "combined"] | None,
        typer.Option(help="What orders the items. [default: as the run has it]", show_default=False),
    ] = None

    def asked(self) -> dict[str, Any]:
        """As requests take them, all but k and the context."""
        return {
            "exclude": items_of(self.exclude),
            "only": None if self.only is None else items_of(self.only),
            "seen": None if self.seen is None else self.seen == "include",
            "rules": None if self.rules is None else rules_of(self.rules),
            "strategy": self.strategy,
            "filter": self.filter,
        }


@verb
def recommend(
    run: o.Run,
    asking: Asking = Asking(),
    constraints: Constraints = Constraints(),
    events: Annotated[
        str | None,
        typer.Option(
            "--events", metavar="LOG", help="A newer log, in place of the run's own events.", show_default=False
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="A .csv, .parquet or .jsonl file; - for CSV.", show_default=False
        ),
    ] = None,
    device: o.Device = "cpu",
    json_: o.Json = False,
) -> None:
    """Recommend items, to users or by a history."""
    from horae.recommend.run import load

    asking.check()
    if out is not None:
        check_ending(out)
    check_outputs(out, json_)
    recommender = load(run, device=device)
    if events is not None:
        data = recommender.card.get("data") or {}
        log = Reading(**data.get("reading", {})).events(events, recommender.recipe.data)
        recommender = recommender.with_events(log)
    answers = _answers(recommender, asking, constraints)
    if json_ and out is None:
        _write_json(run, answers)
        return
    notes, rows = _write(recommender, answers, asking, out)
    say_all(notes)
    if json_:
        show_json({"run": str(run), "file": out, "rows": rows, "notes": notes})
    elif out not in (None, "-"):
        say(f"{rows:,} rows: {out}")


def _answers(recommender: Recommender, asking: Asking, constraints: Constraints) -> Iterator[Recommendations]:
    at = moment_of(asking.at)
    asked, context = constraints.asked(), context_of(asking.context)
    profile = context_of(asking.profile, "--profile")
    newcomer = asking.history is None and not (asking.user or asking.users or asking.all_users)
    if asking.history is not None or newcomer:
        history = [] if asking.history is None else history_of(asking.history)
        told: dict[str, Any] = {"context": context, "profile": profile or None, **asked}
        yield recommender.recommend(histories=[history], k=constraints.k, at=at, **told)
        return
    fallback = asking.fallback or bool(profile)
    users = users_of(recommender, asking.user, asking.users, asking.all_users, fallback)
    for block in blocks_of(users, at, constraints.k, context, profile, **asked):
        yield recommender.recommend(block)


def _write(
    recommender: Recommender, answers: Iterator[Recommendations], asking: Asking, out: str | None
) -> tuple[list[str], int]:
    """To a file, or to standard output: a table where a person looks at one list, else CSV."""
    notes: dict[str, None] = {}
    rows = 0
    first = next(answers)
    if out is None and sys.stdout.isatty() and (asking.history or asking.profile or len(asking.user or ()) == 1):
        show(_as_table(first.frame, recommender.catalog))
        return list(first.notes), len(first)
    with table_to(out or "-") as write:
        for answer in (first, *answers):
            write(answer.frame)
            rows += len(answer)
            notes.update(dict.fromkeys(answer.notes))
    return list(notes), rows


def _write_json(run: Path, answers: Iterator[Recommendations]) -> None:
    """One document, written as it comes: lists for everybody never stand in memory as text."""
    first = next(answers)
    notes: dict[str, None] = {}
    sys.stdout.write(f'{{"run": {json.dumps(str(run))}, "recommendations": [')
    separator = "\n"
    for answer in (first, *answers):
        for piece in answer.frame.iter_slices(PIECE):
            lines = (
                json.dumps({"user_id": None, **row}, ensure_ascii=False, allow_nan=False)
                for row in piece.iter_rows(named=True)
            )
            sys.stdout.write(separator + ",\n".join(lines))
            separator = ",\n"
        notes.update(dict.fromkeys(answer.notes))
    sys.stdout.write(f'\n], "notes": {json.dumps(list(notes), ensure_ascii=False)}}}\n')
    say_all(notes)


def _as_table(frame: pl.DataFrame, catalog: pl.DataFrame | None) -> str:
    import polars as pl

    columns = ["rank", "item_id", "score", "source"]
    if "rules" in frame.columns:
        frame = frame.with_columns(pl.col("rules").list.join("; "))
        columns.append("rules")
    if catalog is not None and "title" in catalog.columns:
        frame = frame.join(catalog.select("item_id", "title"), on="item_id", how="left", maintain_order="left")
        columns.append("title")
    return aligned(columns, frame.select(columns).rows())
