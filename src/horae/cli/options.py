"""The options that several verbs have, each worded once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Catalog", "Device", "Json", "Log", "OptionalLog", "Overwrite", "Run", "Seed", "Set", "Trainable"]

SOURCES = "a file (CSV, JSON lines, Parquet; packed too), folder, glob, database URL, or - for standard input."

Trainable = Annotated[
    str,
    typer.Argument(
        metavar="EVENTS", help=f"The log: {SOURCES} Or a folder that `horae data prepare` wrote.", show_default=False
    ),
]
Log = Annotated[str, typer.Argument(metavar="EVENTS", help=f"The log: {SOURCES}", show_default=False)]
OptionalLog = Annotated[
    str | None, typer.Argument(metavar="EVENTS", help=f"Another log: {SOURCES}", show_default=False)
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `horae train` wrote.", show_default=False)]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; all else goes to standard error.", show_default=False)
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a recipe's key: train.epochs=5, model.dim=64, data.min_item_events=5. May be repeated.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Same input and seed: same result.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...")]
Catalog = Annotated[
    str | None,
    typer.Option("--catalog", metavar="FILE", help="Items' attributes by item_id, such as title.", show_default=False),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what stands there already.", show_default=False)]
