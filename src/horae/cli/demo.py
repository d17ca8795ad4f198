"""`horae demo`: the whole path on a simulated shop, and what to type next."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from horae.cli import options as o
from horae.cli.asking import blocks_of
from horae.cli.files import table_to
from horae.cli.inputs import Cutting, Reading
from horae.cli.output import aligned, say, show, show_json
from horae.cli.place import Place
from horae.cli.train import How, train_run
from horae.cli.verb import verb

if TYPE_CHECKING:
    from horae.recommend.recommender import Recommender

__all__ = ["EXAMPLES", "demo"]

EXAMPLES = """\b
Examples:
  horae demo
  horae demo -o shop --seed 7
"""
SHOP = {"users": 1_500, "items": 400, "events": 60_000, "days": 120}
DIRT = {"gaps": 0.02, "outliers": 0.002, "duplicates": 0.004, "shuffles": 0.01, "missing": 0.002}

QUICK = ("train.epochs=20", "train.learning_rate=0.003", "model.max_len=30")


@verb
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where all of it is written.")] = Path(
        "demo"
    ),
    seed: o.Seed = 0,
    json_: o.Json = False,
) -> None:
    """Run the whole path on a simulated shop."""
    from horae.recipe import load_recipe
    from horae.training.train import check

    place = Place(out / "run", overwrite=True)
    place.prepare()
    log = _simulate(out / "shop", seed)
    _step(2, "Reading and cleaning it, as if it were yours")
    reading = Reading()
    recipe = check(load_recipe("sasrec", QUICK))
    recipe = replace(recipe, data=reading.table(recipe.data))
    split = Cutting().cut(reading.events(str(log["events"]), recipe.data), seed)
    _step(3, "Training a causal Transformer, judging it, training again on all events")
    how = How(seed=seed, catalog=str(log["catalog"]), refit=True)
    recommender = train_run(recipe, split, place, how, reading)
    _step(4, "Ten items for everybody")
    lists = out / "recommendations.csv"
    _recommend(recommender, lists)
    if json_:
        evaluation = recommender.card["evaluation"]
        show_json(
            {
                "run": str(place.run),
                "recommendations": str(lists),
                "report": str(place.run / "report.html"),
                "evaluation": evaluation,
            }
        )
    else:
        show(_told(recommender, out, place.run, lists))


def _step(number: int, sentence: str) -> None:
    say(f"\n[{number}/4] {sentence}")


def _simulate(folder: Path, seed: int) -> dict[str, Path]:
    from horae.data.simulate import ShopSettings, simulate, write_shop

    _step(1, f"Simulating a shop's log in {folder}, with dirt in it")
    settings: dict[str, Any] = {**SHOP, **DIRT}
    return write_shop(simulate(ShopSettings(**settings), seed), folder)


def _recommend(recommender: Recommender, file: Path) -> None:
    with table_to(str(file)) as write:
        for block in blocks_of(recommender.sequences.users.all, None, 10):
            write(recommender.recommend(block).frame)


def _told(recommender: Recommender, out: Path, run: Path, lists: Path) -> str:
    from horae.evaluation.table import as_text

    user = str(recommender.sequences.users.all[0])
    folder = shlex.quote(str(out))
    places = [
        ("the log", f"{out / 'shop' / 'events.csv'} (its truth beside it: truth.json)"),
        ("the lists", str(lists)),
        ("the report", f"{run / 'report.html'} (open it in a browser)"),
        ("the run", f"{run} (try: horae recommend {folder}/run --user {user})"),
    ]
    return "\n".join(
        [
            as_text(recommender.card["evaluation"]),
            "",
            aligned(("", ""), places).strip("\n"),
            "",
            "Now your own log (any table with a user, an item and a time):",
            "  horae train YOUR.csv -o runs/first",
            "  horae evaluate runs/first",
            "  horae recommend runs/first --user ID -k 10",
        ]
    )
