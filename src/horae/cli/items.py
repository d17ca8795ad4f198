"""`horae items`: what can be done with a run's items; `add` takes new ones in, without training."""

from __future__ import annotations

from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.inputs import read_table_of
from horae.cli.output import say_all, show, show_json
from horae.cli.verb import verb

__all__ = ["add", "verbs"]

EXAMPLES = """\b
Examples:
  horae items add runs/first new_items.csv
  horae items add runs/first --vectors sound.parquet
  horae items add runs/first items.csv --change --json
"""
verbs = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Add new items to a run.")


@verb
def add(
    run: o.Run,
    items: Annotated[
        str | None,
        typer.Argument(
            metavar="[ITEMS]", help="A table: item_id and the columns of the run's catalog.", show_default=False
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Vectors by item_id, as [content] vectors of the run.", show_default=False),
    ] = None,
    change: Annotated[
        bool,
        typer.Option("--change", help="Items that are there take what is given here.", show_default=False),
    ] = False,
    json_: o.Json = False,
) -> None:
    """Take new items in, without training: the run folder is updated, all or nothing.

    A network places a new item by its content. Items that are there already stay as they are, unless --change is given.
    """
    from horae.recommend.run import load, save_again

    if items is None and vectors is None:
        raise typer.BadParameter("give a table of items, or --vectors.", param_hint="ITEMS")
    recommender = load(run)
    catalog = None if items is None else read_table_of(items, "item_id")
    told = recommender.add_items(catalog, vectors, change=change)
    if told.added or told.changed:
        save_again(recommender, run)
    if json_:
        ids = {"added": list(told.added), "changed": list(told.changed), "kept": len(told.kept)}
        show_json({"run": str(run), **ids, "items": len(recommender.items), "notes": list(told.notes)})
    else:
        show(str(told).splitlines()[0])
        say_all(told.notes)


verbs.command("add", epilog=EXAMPLES)(add)
