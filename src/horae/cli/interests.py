"""`horae interests`: what users like more than others do, in words, from a run with a catalog."""

from __future__ import annotations

from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.asking import history_of, moment_of, users_of
from horae.cli.files import check_ending, check_outputs, table_to
from horae.cli.output import say, say_all, show, show_json
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "interests"]

EXAMPLES = """\b
Examples:
  horae interests runs/first --user 196
  horae interests runs/first --users ids.txt --at 2024-05-31 -o interests.csv
  horae interests runs/first --history 50,181,174 --json
"""


@verb
def interests(
    run: o.Run,
    user: Annotated[
        list[str] | None,
        typer.Option("--user", "-u", metavar="ID", help="A user; may be repeated.", show_default=False),
    ] = None,
    users: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Many users: one id on each line, or a table; - for input.", show_default=False
        ),
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(metavar="I1,I2,...", help="What somebody did, oldest first; JSON list, too.", show_default=False),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="As of a time: only events before it count. [default: all]", show_default=False
        ),
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="How many interests of each.")] = 10,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="A .csv, .parquet or .jsonl file; - for CSV.", show_default=False
        ),
    ] = None,
    json_: o.Json = False,
) -> None:
    """Tell what users like more than others do.

    Shares of a user's newest events, by category, brand and words of titles, against everybody's.
    """
    from horae.recommend.interests import interests as told
    from horae.recommend.run import load

    if sum((bool(user), users is not None, history is not None)) != 1:
        raise typer.BadParameter("give one of --user, --users and --history.")
    if out is not None:
        check_ending(out)
    check_outputs(out, json_)
    recommender, when = load(run), moment_of(at)
    if history is not None:
        found = told(recommender, at=when, histories=[history_of(history)], most=most)
    else:
        found = told(recommender, users_of(recommender, user, users, False, False), when, most=most)
    if out is not None:
        with table_to(out) as write:
            write(found.frame)
        say_all(found.notes)
        say(f"{len(found):,} rows: {out}")
    if json_:
        rows = {} if out else {"interests": found.frame.to_dicts()}
        show_json({"run": str(run), "file": out, **rows, "words": list(found.words()), "notes": list(found.notes)})
    elif out is None:
        show(str(found))
