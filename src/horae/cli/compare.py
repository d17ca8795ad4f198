"""`horae compare`: several recipes on one split, or on several splits over time."""

from __future__ import annotations

from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.inputs import Cutting, Reading, read_table_of
from horae.cli.output import show, show_json
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "compare"]

EXAMPLES = """\b
Examples:
  horae compare events.csv --recipes sasrec,gru4rec,lstm-attention
  horae compare events.csv --recipes auto,sasrec,popularity
  horae compare events.csv --recipes sasrec,mine.toml --folds 4 --json
  horae compare events.csv --recipes sasrec,text-sasrec --catalog items.csv
"""


@verb
def compare(
    events: o.Log,
    recipes: Annotated[
        str,
        typer.Option("--recipes", metavar="A,B,...", help="Names, TOML files, or auto.", show_default=False),
    ],
    cutting: Cutting = Cutting(),
    folds: Annotated[
        int | None, typer.Option(min=2, help="Cross-validation over time: so many test windows.", show_default=False)
    ] = None,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    catalog: o.Catalog = None,
    reading: Reading = Reading(),
    set_: o.Set = None,
    json_: o.Json = False,
) -> None:
    """Train several recipes on one log and rank them."""
    from horae.training.check import check
    from horae.training.choose import AUTO, asked
    from horae.training.compare import compare as compare_recipes
    from horae.training.progress import progress_for
    from horae.training.train import Options

    cutting.check()
    names = [name.strip() for name in recipes.split(",") if name.strip()]
    if not names:
        raise typer.BadParameter("give at least one.", param_hint="--recipes")
    if folds is not None and cutting.asked:
        raise typer.BadParameter("it cannot go with the options of one split.", param_hint="--folds")
    cleaning = [one for one in set_ or () if one.strip().startswith("data.")]
    chosen = [asked(name, cleaning) for name in names]
    for one in chosen:
        if one.name != AUTO:  # that one waits for the log
            check(one)
    if len({str(recipe.data) for recipe in chosen}) > 1:
        raise typer.BadParameter("they clean the log differently; compare them one by one.", param_hint="--recipes")
    items = None if catalog is None else read_table_of(catalog, "item_id")
    log = reading.events(events, chosen[0].data)
    options = Options(device=device, progress=progress_for(True))
    data = log if folds is not None else cutting.cut(log, seed)
    comparison = compare_recipes(
        data, chosen, overrides=set_ or (), seed=seed, catalog=items, options=options, folds=folds
    )
    if json_:
        show_json(comparison.as_dict())
    else:
        show(str(comparison))
