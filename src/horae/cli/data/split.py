"""`horae data split`: a raw log in, its parts and the split's facts out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.files import replacing, table_to
from horae.cli.inputs import Cutting, Reading, data_table
from horae.cli.output import say, show, show_json, wrapped
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "split"]

EXAMPLES = """\b
Examples:
  horae data split events.csv -o parts
  horae data split events.csv -o parts --test 14d --validation 7d
  horae data split events.csv -o parts --split leave-one-out --ties shuffled --seed 1
"""


@verb
def split(
    events: o.Log,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the parts are written.", show_default=False)
    ],
    cutting: Cutting = Cutting(),
    seed: o.Seed = 0,
    reading: Reading = Reading(),
    set_: o.Set = None,
    json_: o.Json = False,
) -> None:
    """Cut a log into train, validation and test, and say what that costs."""
    cutting.check()
    table = data_table(set_)
    log = reading.events(events, table)
    cut = cutting.cut(log, seed, quiet=True)
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
        show(wrapped(str(cut), sys.stdout))
        say(f"The parts: {', '.join(files.values())}")
