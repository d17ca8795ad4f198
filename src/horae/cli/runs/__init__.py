"""`horae runs`: verbs on run folders."""

from __future__ import annotations

import typer

from horae.cli.runs import list as list_
from horae.cli.runs import show, verify

__all__ = ["verbs"]

verbs = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
verbs.command("list", epilog=list_.EXAMPLES)(list_.list_runs)
verbs.command("show", epilog=show.EXAMPLES, short_help="Show a run: its data, training, metrics.")(show.show_run)
verbs.command("verify", epilog=verify.EXAMPLES, short_help="Check a run's files by their checksums.")(verify.verify)


@verbs.callback()
def runs() -> None:
    """List, show and verify runs."""
