"""`horae data convert`: a raw log in, the cleaned events out."""

from __future__ import annotations

from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.files import check_ending, check_outputs, table_to
from horae.cli.inputs import Reading, data_table
from horae.cli.output import say, show_json
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "convert"]

EXAMPLES = """\b
Examples:
  horae data convert ratings.dat -o events.parquet
  horae data convert events.csv -o clean.csv --set data.min_item_events=5
  horae data convert sqlite:///shop.db --query "select * from orders" -o - | head
"""
BLOCK = 200_000


@verb
def convert(
    events: o.Log,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FILE", help="A .csv, .parquet or .jsonl file, or - for CSV.", show_default=False
        ),
    ],
    reading: Reading = Reading(),
    set_: o.Set = None,
    json_: o.Json = False,
) -> None:
    """Clean a log and write it in another format."""
    check_ending(out)
    check_outputs(out, json_)
    table = data_table(set_)
    log = reading.events(events, table)
    with table_to(out) as write:
        for block in log.frame.iter_slices(BLOCK):
            write(block)
    if json_:
        show_json({"file": out, "events": len(log), "columns": log.frame.columns, "report": log.report.as_dict()})
    elif out != "-":
        say(f"{len(log):,} events: {out}")
