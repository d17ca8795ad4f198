"""`horae tune`: the best settings of a recipe for a log, chosen on its validation part."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from horae.cli import options as o
from horae.cli.inputs import Cutting, Reading, read_table_of
from horae.cli.output import if_stopped, say, show, show_json
from horae.cli.verb import verb

if TYPE_CHECKING:
    from horae.training.tune import Tuned

__all__ = ["EXAMPLES", "tune"]

EXAMPLES = """\b
Examples:
  horae tune events.csv -o searches/first
  horae tune events.csv -o searches/first --trials 40 --minutes 60 --resume
  horae tune events.csv -o searches/mine --recipe mine.toml --set train.epochs=30
  horae tune events.csv -o searches/text --recipe text-sasrec --catalog items.csv
  horae train events.csv -o runs/first --recipe searches/first/best.toml
"""


@verb
def tune(
    events: o.Log,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FOLDER", help="Where the search is written.", show_default=False),
    ],
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="A recipe's name, a TOML file, or auto: one that suits the log.")
    ] = "sasrec",
    trials: Annotated[int, typer.Option(min=1, help="Settings to try, those of a search that goes on included.")] = 20,
    minutes: Annotated[float, typer.Option(min=0.01, help="No longer than this, in this call.")] = 30.0,
    set_: o.Set = None,
    cutting: Cutting = Cutting(),
    seed: o.Seed = 0,
    device: o.Device = "auto",
    catalog: o.Catalog = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the search in the folder.", show_default=False)
    ] = False,
    reading: Reading = Reading(),
    json_: o.Json = False,
) -> None:
    """Search a recipe's settings for the best ones.

    What is searched stands in the recipe's table [tune]. Writes trials.jsonl, best.toml and report.html after every
    trial; Ctrl-C keeps them.
    """
    from horae.training.choose import asked
    from horae.training.progress import progress_for
    from horae.training.train import Options
    from horae.training.tune import BY_HAND, ready
    from horae.training.tune import tune as search

    cutting.check()
    chosen = asked(recipe, set_ or ())
    ready(chosen, out, resume)
    chosen = replace(chosen, data=reading.table(chosen.data))
    items = None if catalog is None else read_table_of(catalog, "item_id")
    split = cutting.cut(reading.events(events, chosen.data), seed)
    say(f"Searching the settings of {chosen.name}: {trials} trials, {minutes:g} minutes at most.")
    options = Options(device=device, progress=progress_for(True))
    with if_stopped(f"Stopped by hand before anything was found; --resume goes on in {out}."):
        tuned = search(
            split,
            chosen,
            trials=trials,
            minutes=minutes,
            folder=out,
            seed=seed,
            resume=resume,
            catalog=items,
            options=options,
        )
    if json_:
        show_json(tuned.as_dict())
    else:
        show(_told(tuned, events, out, cutting, catalog))
    if tuned.ended == BY_HAND:
        raise KeyboardInterrupt(f"Stopped by hand: {out} holds what was found. The same command with --resume goes on.")


def _told(tuned: Tuned, events: str, out: Path, cutting: Cutting, catalog: str | None) -> str:
    named = {
        "--catalog": catalog,
        "--split": cutting.split,
        "--test": cutting.test,
        "--validation": cutting.validation,
        "--ties": cutting.ties,
    }
    same = "".join(f" {option} {shlex.quote(value)}" for option, value in named.items() if value is not None)
    best = shlex.quote(str(out / "best.toml"))
    return "\n".join(
        [
            "",
            str(tuned),
            "",
            f"Best        {out / 'best.toml'}: validation ndcg@10 {tuned.best.ndcg:.4f}",
            f"Report      {out / 'report.html'}",
            "",
            "Next:",
            f"  horae train {shlex.quote(events)} -o RUN --recipe {best}{same} --seed {tuned.seed}",
        ]
    )
