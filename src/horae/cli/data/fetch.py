"""`horae data fetch`: the public sets, by name."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.output import aligned, say, show, show_json
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "fetch"]

EXAMPLES = """\b
Examples:
  horae data fetch --list
  horae data fetch ml-100k -o sets
  HORAE_DATA=../sets horae data fetch ml-100k    # from a folder of prepared sets
"""


@verb
def fetch(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which set.", show_default=False)] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where downloads are put.")] = Path("sets"),
    list_: Annotated[bool, typer.Option("--list", help="List the sets.", show_default=False)] = False,
    json_: o.Json = False,
) -> None:
    """Fetch a public data set, check it and say its licence."""
    from horae.data.public import PUBLIC_SETS
    from horae.data.public import fetch as fetch_set

    if list_ == (name is not None):
        raise typer.BadParameter("give the name of a set, or --list.", param_hint="NAME")
    if name is None and json_:
        show_json({"sets": {known: asdict(public) for known, public in PUBLIC_SETS.items()}})
    elif name is None:
        show(aligned(("set", "about"), [(known, public.about) for known, public in PUBLIC_SETS.items()]))
    else:
        fetched = fetch_set(name, out, local=os.environ.get("HORAE_DATA"), progress=_Told())
        if json_:
            show_json({"name": name, "file": str(fetched.path), "source": fetched.source, "licence": fetched.licence})
        else:
            show(str(fetched.path))
            say(f"Licence: {fetched.licence}")


class _Told:
    """Says how much has come, a line for each tenth."""

    def __init__(self) -> None:
        self._told = -1

    def __call__(self, come: int, whole: int | None) -> None:
        tenth = come * 10 // whole if whole else come // (10 << 20)
        if tenth > self._told:
            self._told = tenth
            say(f"{come / 1e6:,.1f} MB" + (f" of {whole / 1e6:,.1f}" if whole else ""))
