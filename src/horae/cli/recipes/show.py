"""`horae recipes show`."""

from __future__ import annotations

from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.output import show, show_json
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "show_recipe"]

EXAMPLES = """\b
Examples:
  horae recipes show sasrec
  horae recipes show sasrec --set model.dim=128 > mine.toml
  horae train events.csv -o runs/mine --recipe mine.toml
"""


@verb
def show_recipe(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A name, or a TOML file.", show_default=False)],
    set_: o.Set = None,
    json_: o.Json = False,
) -> None:
    """Show a recipe with every default filled in; the output is itself a recipe."""
    from dataclasses import asdict

    from horae.data.clean import DataSettings
    from horae.recipe import TABLES, load_recipe, settings, to_toml
    from horae.training.train import check

    chosen = check(load_recipe(recipe, set_ or ()))
    tables = {table: getattr(chosen, table) for table in TABLES}
    tables["data"] = asdict(settings(DataSettings, chosen.data, "[data]"))
    if json_:
        show_json({"name": chosen.name, "about": chosen.about, **{name: dict(table) for name, table in tables.items()}})
    else:
        show(to_toml({"name": chosen.name, "about": chosen.about, **tables}).rstrip())
