"""`horae runs verify`."""

from __future__ import annotations

import typer

from horae.cli import options as o
from horae.cli.output import say, show, show_json
from horae.cli.verb import verb
from horae.errors import RunError

__all__ = ["EXAMPLES", "verify"]

EXAMPLES = """\b
Examples:
  horae runs verify runs/first && echo whole
"""


@verb
def verify(run: o.Run, json_: o.Json = False) -> None:
    """Check every file of a run against its checksums; exit with 1 if one is not what was written."""
    from horae.data.folder import MANIFEST
    from horae.recommend.run import verify as verify_run

    is_run = (run / MANIFEST).is_file()
    try:
        files, problem, hint = sorted(verify_run(run)["files"]), None, ""
    except RunError as error:
        if not is_run:
            raise
        files, problem, hint = [], error.message, error.hint
    if json_:
        show_json({"run": str(run), "whole": problem is None, "files": files, "problem": problem})
    elif problem is None:
        show(f"{run} is whole: {len(files)} files are what was written.")
    if problem is not None:
        say(f"{problem}\n{hint}")
        raise typer.Exit(1)
