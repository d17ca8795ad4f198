"""`horae data fetch`: the public sets, by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.output import say, show, show_json

__all__ = ["EXAMPLES", "fetch"]

EXAMPLES = """\b
Examples:
  horae data fetch --list
  horae data fetch ml-100k -o data
  HORAE_DATA=/srv/sets horae data fetch ml-1m -o data    # from a local folder
"""


def fetch(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Which set.", show_default=False)] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Where it is put.", show_default=False)
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the sets.")] = False,
    json_: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Fetch a public data set, check it and say its licence."""
    from horae.data.public import PUBLIC_SETS
