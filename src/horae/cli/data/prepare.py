"""`horae data prepare`: a Parquet log larger than memory in, a folder of mapped arrays out."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.inputs import data_table
from horae.cli.output import say, show_json, wrapped
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "prepare"]

EXAMPLES = """\b
Examples:
  horae data prepare "logs/*.parquet" -o prepared
  horae data prepare events.parquet -o prepared --memory-gb 8 --columns user_id=customer,item_id=sku
"""


@verb
def prepare(
    events: Annotated[
        str, typer.Argument(metavar="EVENTS", help="The log: a Parquet file, folder or glob.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the arrays are written.", show_default=False)
    ],
    memory_gb: Annotated[
        float, typer.Option("--memory-gb", min=0.0, help="About what the process may take at its peak.")
    ] = 2.0,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COLUMN,...", help="Which column is which: user_id=customer,item_id=sku.", show_default=False
        ),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN", help="Keep a column of context, for [model] context; may be repeated.", show_default=False
        ),
    ] = None,
    overwrite: o.Overwrite = False,
    set_: o.Set = None,
    json_: o.Json = False,
) -> None:
    """Clean a Parquet log of any length in bounded memory and lay it out for training."""
    from horae.data.columns import parse_mapping
    from horae.data.settings import DataSettings
    from horae.recipe import settings
    from horae.sequences.prepared import prepare_large

    prepared = prepare_large(
        events,
        out,
        columns=parse_mapping(",".join(columns or ())),
        settings=settings(DataSettings, data_table(set_), "[data]"),
        memory_gb=memory_gb,
        overwrite=overwrite,
        now=datetime.now(UTC),
        context=tuple(context or ()),
    )
    say(wrapped(str(prepared.report), sys.stderr))
    if json_:
        s = prepared.sequences
        facts = {"events": len(prepared), "users": s.num_users, "items": s.num_items, "behaviors": s.behaviors}
        show_json({"folder": str(out), **facts, "report": prepared.report.as_dict()})
    else:
        say(str(prepared))
