"""`horae data describe`: what a log holds, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.inputs import Reading, data_table
from horae.cli.output import say, show, show_json

__all__ = ["EXAMPLES", "describe"]

EXAMPLES = """\b
Examples:
  horae data describe events.csv
  horae data describe events.csv --html events.html
  horae data describe "logs/*.parquet" --columns user_id=customer,item_id=sku
  zcat events.csv.gz | horae data describe - --json
"""


def describe(
    events: o.Log,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the page with plots there too.", show_default=False)
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if there is anything to warn of.")] = False,
    columns: o.Columns = None,
    query: o.Query = None,
    read: o.Read = None,
    timezone: o.Timezone = None,
    max_bad: o.BadShare = None,
    strict: o.Strict = False,
    set_: o.Set = None,
    json_: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Show what a log holds and what to watch out for."""
    from horae.data.checks import describe as describe_events
    from horae.data.checks import describe_page
    from horae.recipe import Recipe

    table = data_table(Recipe("describe").with_overrides(set_ or ()).data, timezone, max_bad)
    log = Reading.of(columns, query, read, strict).events(events, table, quiet=not json_)
    description = describe_events(log)
    if html is not None:
        describe_page(log, description).write(html)
        say(f"The page with plots: {html}")
    if json_:
        show_json(description.as_dict())
    else:
        show(str(description))
    if check and description.warnings:
        raise typer.Exit(1)
