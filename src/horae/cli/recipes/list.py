"""`horae recipes list`."""

from __future__ import annotations

from horae.cli import options as o
from horae.cli.output import aligned, show, show_json
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "list_recipes"]

EXAMPLES = """\b
Examples:
  horae recipes list
"""


@verb
def list_recipes(json_: o.Json = False) -> None:
    """List the recipes by name."""
    from horae.recipe import load_recipe, recipe_names

    about = {name: load_recipe(name).about for name in recipe_names()}
    if json_:
        show_json({"recipes": [{"name": name, "about": text} for name, text in about.items()]})
    else:
        show(aligned(("recipe", "about"), about.items()))
