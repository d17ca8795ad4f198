"""`horae train`: from a log to a run that can be evaluated, asked and served."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from horae.cli import options as o
from horae.cli.inputs import Cutting, Reading, read_table_of
from horae.cli.judging import commands_of, first_report, judge, keep
from horae.cli.output import if_stopped, say, show, show_json
from horae.cli.place import Place
from horae.cli.prepared import facts_of, split_of
from horae.cli.verb import verb

if TYPE_CHECKING:
    from horae.data.split import Split
    from horae.recipe import Recipe
    from horae.recommend.recommender import Recommender
    from horae.sequences.prepared_split import AnySplit

__all__ = ["EXAMPLES", "How", "train", "train_run"]

EXAMPLES = """\b
Examples:
  horae train events.csv -o runs/first
  horae train events.csv -o runs/first --recipe gru4rec --set train.epochs=5
  horae train events.csv -o runs/first --recipe auto
  horae train u.data -o runs/paper --split leave-one-out --json
  horae train "logs/*.parquet" -o runs/first --columns user_id=customer,item_id=sku
  horae train events.csv -o runs/first --refit    # judge, then learn from all events
  horae train events.csv --recipe hstu-large --estimate
  horae train prepared -o runs/first              # from what `horae data prepare` wrote
"""


@dataclass(frozen=True)
class How:
    """How the training itself runs."""

    seed: o.Seed = 0
    device: o.Device = "auto"
    catalog: o.Catalog = None
    profiles: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Users' attributes by user_id: what people alike turn to, for users without events. Not kept.",
            show_default=False,
        ),
    ] = None
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Judge it, then train once more on all events.", show_default=False),
    ] = False
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was stopped.", show_default=False)
    ] = False
    overwrite: o.Overwrite = False
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate",
            help="Say what memory and time it will need, from some steps of it, and write nothing.",
            show_default=False,
        ),
    ] = False
    no_events: Annotated[
        bool, typer.Option("--no-events", help="Leave the events out of the run folder.", show_default=False)
    ] = False
    start: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="RUN", help="Take over what a run of the same recipe has learned.", show_default=False
        ),
    ] = None
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write TensorBoard event files there.", show_default=False)
    ] = None


@verb
def train(
    events: o.Trainable,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="RUN", help="The run folder to write.", show_default=False)
    ] = None,
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="A recipe's name, a TOML file, or auto: one that suits the log.")
    ] = "sasrec",
    set_: o.Set = None,
    cutting: Cutting = Cutting(),
    how: How = How(),
    reading: Reading = Reading(),
    json_: o.Json = False,
) -> None:
    """Train a recommender on a log.

    Writes a run folder: weights, events, card, report. Ctrl-C keeps the best weights so far.
    """
    from horae.data.folder import is_prepared
    from horae.evaluation.table import as_text
    from horae.training.check import check
    from horae.training.choose import AUTO, asked

    cutting.check()
    if out is None and not how.estimate:
        raise typer.BadParameter("name the run folder to write: -o RUN; or ask with --estimate.", param_hint="--out")
    place = Place(out or Path(), how.resume, how.overwrite)
    if not how.estimate:
        place.prepare()
    chosen = asked(recipe, set_ or ())
    chosen = chosen if chosen.name == AUTO else check(chosen)  # that one waits for the log
    split: AnySplit
    if is_prepared(events):
        if how.refit:
            raise typer.BadParameter("a prepared log holds no events to judge the run on first.", param_hint="--refit")
        split = split_of(events, chosen, cutting, reading)
    else:
        chosen = replace(chosen, data=reading.table(chosen.data))
        split = cutting.cut(reading.events(events, chosen.data), how.seed)
    if how.estimate:
        tell_estimate(chosen, split, how, json_)
        return
    recommender = train_run(chosen, split, place, how, reading)
    document = {"run": str(place.run), **recommender.card["training"], "refit": recommender.card["refit"]}
    if json_:
        show_json(document | {"metrics": (recommender.card.get("evaluation") or {}).get("metrics")})
    else:
        if how.refit and not document["interrupted"]:
            show(as_text(recommender.card["evaluation"]))
        show(_told(place.run, recommender))
    if document["interrupted"]:
        raise KeyboardInterrupt(
            f"Stopped by hand: {place.run} holds the best weights so far (epoch {document['best_epoch']}). "
            "The same command with --resume goes on."
        )
    if not (recommender.card.get("evaluation") or {"passed": True})["passed"]:
        raise typer.Exit(1)


def train_run(recipe: Recipe, split: AnySplit, place: Place, how: How, reading: Reading) -> Recommender:
    """Train, write the run, and where asked judge it and refit; at any moment the run on disk is whole."""
    from horae.data.split import Split
    from horae.recommend.run import load, update
    from horae.training.progress import progress_for
    from horae.training.train import Options
    from horae.training.train import refit as refit_run
    from horae.training.train import train as train_recommender

    start = None if how.start is None else load(how.start, device=how.device)
    options = Options(how.device, place.checkpoints, how.resume, progress_for(True), how.tensorboard, start)
    catalog = None if how.catalog is None else read_table_of(how.catalog, "item_id")
    profiles = None if how.profiles is None else read_table_of(how.profiles, "user_id")
    with if_stopped(_kept(place)):
        recommender = train_recommender(
            split, recipe, seed=how.seed, catalog=catalog, profiles=profiles, options=options
        )
    split = recommender.split or split  # a log without items was given one
    recommender.card |= _origin(place.run, recommender.recipe, split, reading)
    recommender.save(place.run, events=not how.no_events, overwrite=True)
    update(place.run, {"report.html": first_report(place.run, recommender, split).html()})
    if recommender.card["training"]["interrupted"]:
        return recommender
    if how.refit:
        assert isinstance(split, Split)
        with if_stopped(f"Stopped by hand: {place.run} holds the trained run, not refitted."):
            keep(place.run, recommender, split, judge(recommender, split, seed=how.seed))
            judged = (place.run / "report.html").read_text(encoding="utf-8")  # its lists are the judged model's
            say("Training once more, on all events ...")
            recommender = refit_run(recommender, options=options)
            recommender.save(place.run, events=not how.no_events, overwrite=True)
            update(place.run, {"report.html": judged})
    place.clear()
    return recommender


def tell_estimate(recipe: Recipe, split: AnySplit, how: How, json_: bool) -> None:
    """Print what the training will need."""
    from horae.training.estimate import estimate
    from horae.training.options import Options

    say("Timing some steps ...")
    catalog = None if how.catalog is None else read_table_of(how.catalog, "item_id")
    found = estimate(split, recipe, seed=how.seed, catalog=catalog, options=Options(how.device))
    if json_:
        show_json(found.as_dict())
    else:
        show(str(found))


def _kept(place: Place) -> str:
    return f"Stopped by hand; no run was written. Checkpoints, if any, are in {place.checkpoints}: --resume goes on."


def _origin(run: Path, recipe: Recipe, split: AnySplit, reading: Reading) -> dict[str, Any]:
    """Where a run comes from, for its card; passwords of databases are not kept."""
    from horae.data.split import Split

    facts = _facts(split) if isinstance(split, Split) else facts_of(split)
    data = {**facts, "boundary": split.boundary, "reading": asdict(reading)}
    command = re.sub(r"://([^:@/\s]+):[^@/\s]+@", r"://\1:***@", shlex.join(["horae", *sys.argv[1:]]))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return {"run": run.name, "recipe": recipe.name, "created": created, "command": command, "data": data}


def _facts(split: Split) -> dict[str, Any]:
    frame = split.events.frame
    first, last = frame["timestamp"].min(), frame["timestamp"].max()
    return {
        "source": split.events.report.source,
        "events": frame.height,
        "users": frame["user_id"].n_unique(),
        "items": frame["item_id"].n_unique(),
        "first": first.isoformat() if isinstance(first, datetime) else None,
        "last": last.isoformat() if isinstance(last, datetime) else None,
    }


def _told(run: Path, recommender: Recommender) -> str:
    training, card = recommender.card["training"], recommender.card
    metrics = "  ".join(f"{name} {value:.4f}" for name, value in (training["validation"] or {}).items())
    epochs = f"best epoch {training['best_epoch']} of {training['epochs']}, " if training["epochs"] else ""
    judged = (card.get("evaluation") or {}).get("metrics", {}).get("ndcg@10")
    lines = [
        "",
        f"Run         {run}",
        f"Recipe      {recommender.recipe.name}, {epochs}{training['train_seconds']:,.1f} s",
        *([f"Validation  {metrics}"] if metrics else []),
        *([f"Test        ndcg@10 {judged['mean']:.4f}, then trained again on all events"] if judged else []),
        f"Seen items  {'stay in' if recommender.include_seen else 'are left out of'} the lists",
        f"Report      {run / 'report.html'}",
        "",
        "Next:",
        *(f"  {command}" for command in commands_of(run, recommender)[-3:]),
    ]
    return "\n".join(lines)
