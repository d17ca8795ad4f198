"""`horae data`: verbs on logs, before any model."""

from __future__ import annotations

import typer

from horae.cli.data import convert, describe, encode, fetch, merge, prepare, simulate, split

__all__ = ["verbs"]

verbs = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
verbs.command("describe", epilog=describe.EXAMPLES)(describe.describe)
verbs.command("convert", epilog=convert.EXAMPLES)(convert.convert)
verbs.command("merge", epilog=merge.EXAMPLES)(merge.merge)
verbs.command("split", epilog=split.EXAMPLES)(split.split)
verbs.command("prepare", epilog=prepare.EXAMPLES)(prepare.prepare)
verbs.command("encode", epilog=encode.EXAMPLES)(encode.encode)
verbs.command("simulate", epilog=simulate.EXAMPLES)(simulate.simulate)
verbs.command("fetch", epilog=fetch.EXAMPLES)(fetch.fetch)


@verbs.callback()
def data() -> None:
    """Describe, clean, merge, split, prepare, encode, simulate, fetch logs."""
