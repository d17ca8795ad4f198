"""`horae data split`: a raw log in, its parts and the split's facts out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.files import replacing, table_to
from horae.cli.inputs import Cutting, Reading, data_table
from horae.cli.output import say, show, show_json

__all__ = ["EXAMPLES", "split"]

EXAMPLES = """\b
Examples:
  horae data split events.csv -o parts
  horae data split events.csv -o parts --test 14d --validation 7d
  horae data split events.csv -o parts --split leave-one-out --ties shuffled --seed 1
"""


def split(
    events: o.Log,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the parts are written.", show_default=False)
    ],
    kind: o.Kind = None,
    test: o.Test = None,
    validation: o.Validation = None,
    ties: o.Ties = None,
    seed: o.Seed = 0,
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
    """Cut a log into train, validation and test, and say what that costs."""
    from horae.recipe import Recipe

    table = data_table(Recipe("split").with_overrides(set_ or ()).data, timezone, max_bad)
    log = Reading.of(columns, query, read, strict).events(events, table)
    cut = Cutting(kind, test, validation, ties, seed).split(log)
    files = {}
    for part in ("train", "validation", "test"):
        rows = cut.events.frame.filter(cut.part == part)
        files[part] = str(out / f"{part}.parquet")
        with table_to(files[part]) as write:
            write(rows)
    with replacing(out / "split.json") as file:
        file.write_text(json.dumps(cut.as_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if json_:
        show_json({"files": files, **cut.as_dict()})
    else:
        show(str(cut))
        say(f"The parts: {', '.join(files.values())}")
