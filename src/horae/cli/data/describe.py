"""`horae data describe`: what a log holds, on one page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.inputs import Reading, data_table
from horae.cli.output import say, show, show_json, wrapped
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "describe"]

EXAMPLES = """\b
Examples:
  horae data describe events.csv
  horae data describe events.csv --html events.html
  horae data describe "logs/*.parquet" --columns user_id=customer,item_id=sku
  zcat events.csv.gz | horae data describe - --json
"""


@verb
def describe(
    events: o.Log,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the page with plots there too.", show_default=False),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if there is anything to warn of.")] = False,
    reading: Reading = Reading(),
    set_: o.Set = None,
    json_: o.Json = False,
) -> None:
    """Show what a log holds and what to watch out for."""
    from horae.data.clean import DataSettings
    from horae.features.describing import describe as describe_events
    from horae.features.describing import describe_page

    table = data_table(set_)
    log = reading.events(events, table, quiet=True)
    description = describe_events(log, DataSettings(**reading.table(table)))
    if html is not None:
        describe_page(log, description).write(html)
        say(f"The page with plots: {html}")
    if json_:
        show_json(description.as_dict())
    else:
        show(wrapped(str(log.report), sys.stdout) + "\n")
        show(str(description))
    if check and description.warnings:
        raise typer.Exit(1)
