"""`horae recipes`: the recipes that are installed with the package."""

from __future__ import annotations

import typer

from horae.cli.recipes import list as list_
from horae.cli.recipes import show

__all__ = ["verbs"]

verbs = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
verbs.command("list", epilog=list_.EXAMPLES)(list_.list_recipes)
verbs.command("show", epilog=show.EXAMPLES, short_help="Show a recipe, defaults filled in.")(show.show_recipe)


@verbs.callback()
def recipes() -> None:
    """List and show recipes."""
