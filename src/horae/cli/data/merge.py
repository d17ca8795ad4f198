"""`horae data merge`: logs of several platforms in, one log out, people joined by a table."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.files import check_ending, check_outputs, table_to
from horae.cli.inputs import Reading, data_table
from horae.cli.output import say, show_json, wrapped
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "merge"]

EXAMPLES = """\b
Examples:
  horae data merge shop=orders.csv app=clicks.parquet --identity accounts.csv -o events.parquet
  horae data merge de=de.csv fr=fr.csv --shared-items -o events.parquet
"""
BLOCK = 200_000
ONE_LOG = ("timezone", "max_bad", "earliest", "latest")
"""Keys of `[data]` that say how a log is read; the others are for the merged log."""


@verb
def merge(
    logs: Annotated[list[str], typer.Argument(metavar="NAME=EVENTS...", help="Logs, each with its platform's name.")],
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FILE", help="A .csv, .parquet or .jsonl file, or - for CSV.", show_default=False
        ),
    ],
    identity: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="platform, user_id, person_id, maybe valid_from and valid_to: whose each account is.",
            show_default=False,
        ),
    ] = None,
    shared_items: Annotated[
        bool, typer.Option("--shared-items", help="Equal item ids mean one item.", show_default=False)
    ] = False,
    reading: Reading = Reading(),
    set_: o.Set = None,
    json_: o.Json = False,
) -> None:
    """Merge the logs of several platforms into one."""
    check_ending(out)
    check_outputs(out, json_)
    named = _named(logs)
    table = reading.table(data_table(set_))
    from horae.data.merge import merge_logs
    from horae.data.settings import DataSettings

    one = {key: value for key, value in table.items() if key in ONE_LOG}
    read = {name: reading.events(source, one, quiet=True) for name, source in named.items()}
    merged = merge_logs(read, identity, shared_items=shared_items, settings=DataSettings(**table))
    say(wrapped(str(merged)))
    with table_to(out) as write:
        for block in merged.frame.iter_slices(BLOCK):
            write(block)
    if json_:
        document = {"file": out, "events": len(merged), "users": merged.frame["user_id"].n_unique()}
        show_json({**document, "columns": merged.frame.columns, "report": merged.report.as_dict()})
    elif out != "-":
        say(f"{len(merged):,} events: {out}")


def _named(logs: list[str]) -> dict[str, str]:
    """Sources by the platforms' names.

    Raises:
        typer.BadParameter: One without a name, or two of one name.
    """
    found: dict[str, str] = {}
    for one in logs:
        name, equals, source = one.partition("=")
        if not equals or not source or not re.fullmatch(r"[\w.-]+", name):
            raise typer.BadParameter(f"{one!r}: expected NAME=EVENTS, such as shop=orders.csv.", param_hint="EVENTS")
        if name in found:
            raise typer.BadParameter(f"two logs are called {name!r}.", param_hint="EVENTS")
        found[name] = source
    return found
