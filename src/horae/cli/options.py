"""The options that several verbs have, each worded once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horae.cli.failures import want_traceback

__all__ = [
    "BadShare",
    "Catalog",
    "Columns",
    "Debug",
    "Device",
    "Json",
    "Kind",
    "Log",
    "OptionalLog",
    "Overwrite",
    "Query",
    "Read",
    "Run",
    "Seed",
    "Set",
    "Strict",
    "Test",
    "Ties",
    "Timezone",
    "Validation",
]

SOURCES = "A file (CSV, JSON lines, Parquet; packed too), folder, glob, database URL, or - for standard input."

Log = Annotated[str, typer.Argument(metavar="EVENTS", help=f"The log. {SOURCES}", show_default=False)]
OptionalLog = Annotated[
    str | None, typer.Argument(metavar="[EVENTS]", help=f"Another log. {SOURCES}", show_default=False)
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `horae train` wrote.", show_default=False)]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document; everything else goes to standard error.")]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", callback=want_traceback, show_default=False)
]

Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="NAME=COLUMN,...",
        help="Which column is which: user_id=customer,item_id=sku. Names: user_id, item_id, behavior, timestamp, "
        "value, position, session_id.",
        show_default=False,
    ),
]
Query = Annotated[str | None, typer.Option("--query", metavar="SQL", help="What to read, where EVENTS is a database.")]
Read = Annotated[
    list[str] | None,
    typer.Option(
        "--read",
        metavar="KEY=VALUE",
        help="How to read a text file: delimiter=';', encoding=latin-1, header=no. Recognised where not said.",
        show_default=False,
    ),
]
Timezone = Annotated[
    str | None,
    typer.Option("--timezone", metavar="ZONE", help="Zone of times that name none, such as Europe/Berlin. [default: UTC]"),
]
BadShare = Annotated[
    float | None,
    typer.Option("--max-bad", min=0.0, max=1.0, help="Share of unreadable rows that is set aside. [default: 0.01]"),
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse the log for a single unreadable row.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a recipe's key: train.epochs=5, model.dim=64, data.min_item_events=5. May be repeated.",
        show_default=False,
    ),
]

Kind = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="KIND",
        help="time, leave-one-out, column or column=NAME. [default: time where the log has times, else leave-one-out]",
        show_default=False,
    ),
]
Test = Annotated[
    str | None,
    typer.Option(
        "--test", metavar="WHEN", help="Test part of a time split: 0.1, 7d, 2024-05-31. [default: 0.1]", show_default=False
    ),
]
Validation = Annotated[
    str | None,
    typer.Option(
        "--validation", metavar="WHEN", help="Validation part, before it, in the same ways. [default: 0.1]", show_default=False
    ),
]
Ties = Annotated[
    str | None,
    typer.Option(
        "--ties", metavar="HOW", help="Equal times in a leave-one-out split: log or shuffled. [default: log]", show_default=False
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same log, recipe and seed: same result.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...")]
Catalog = Annotated[
    str | None,
    typer.Option("--catalog", metavar="FILE", help="Items' attributes by item_id, such as titles.", show_default=False),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what stands there already.")]
