"""`horae evaluate`: what a run is worth, beside its opponents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from horae.cli import options as o
from horae.cli.backtesting import Backtesting, events_of, keep_backtest, page_of, run_backtest
from horae.cli.inputs import Cutting, Reading, read_table_of
from horae.cli.judging import judge, keep, known_opponents, report_of
from horae.cli.output import say, show, show_json
from horae.cli.verb import verb
from horae.errors import DataError, StoreError

if TYPE_CHECKING:
    from horae.data.split import Split
    from horae.evaluation.protocol import Evaluation
    from horae.recommend.recommender import Recommender

__all__ = ["EXAMPLES", "evaluate"]

EXAMPLES = """\b
Examples:
  horae evaluate runs/first
  horae evaluate runs/first --opponents popularity,markov --json
  horae evaluate runs/first newer.csv     # events after those that it learned from
  horae evaluate runs/first --profiles users.csv
  horae evaluate runs/first --targets next-7d     # one list, judged by a week
  horae evaluate runs/first --cold    # new people and new items, too
  horae evaluate runs/first --backtest --folds 8 --window 7d    # how often to retrain?
"""


@dataclass(frozen=True)
class Judging:
    """How to judge."""

    opponents: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...", help="Which opponents stand beside it, or none. [default: all]", show_default=False
        ),
    ] = None
    ks: Annotated[str, typer.Option("--ks", metavar="K,K,...", help="Lengths of lists to judge.")] = "1,5,10,20"
    targets: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="successive: each test event after the other; last: each user's last one; next-7d: one list at the "
            "boundary, all that comes within 7 days. [default: as split]",
            show_default=False,
        ),
    ] = None
    max_users: Annotated[
        int | None, typer.Option(min=1, help="Judge a sample of so many users.", show_default=False)
    ] = None
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples behind the intervals.")] = 1000
    profiles: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Users' attributes by user_id; each becomes a slice.", show_default=False),
    ] = None
    cold: Annotated[
        bool,
        typer.Option(
            "--cold",
            help="Judge, too, people of whom 0, 1, 3, 5 events are known, and items that came after training.",
            show_default=False,
        ),
    ] = False
    seed: o.Seed = 0

    def check(self) -> None:
        """Refuse before the run is loaded.

        Raises:
            typer.BadParameter: No such targets, or no such opponent.
        """
        from horae.evaluation.cut import horizon_of

        try:
            horizon_of(self.targets or "successive")
        except DataError as error:
            raise typer.BadParameter(f"{error.message} {error.hint}", param_hint="--targets") from error
        known_opponents(self.opponents)

    def options(self) -> dict[str, Any]:
        """For `horae.evaluate`."""
        try:
            ks = tuple(int(k) for k in self.ks.split(","))
        except ValueError:
            ks = (0,)
        if min(ks) < 1:
            raise typer.BadParameter(f"{self.ks!r}: expected numbers from 1, as in 1,5,10.", param_hint="--ks")
        profiles = None if self.profiles is None else read_table_of(self.profiles, "user_id")
        named = {"targets": self.targets, "max_users": self.max_users, "bootstrap": self.bootstrap, "seed": self.seed}
        return {"opponents": self.opponents, "ks": ks, "profiles": profiles, "cold": self.cold, **named}


@verb
def evaluate(
    run: o.Run,
    events: o.OptionalLog = None,
    judging: Judging = Judging(),
    cutting: Cutting = Cutting(),
    backtesting: Backtesting = Backtesting(),
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report there, too.", show_default=False)
    ] = None,
    device: o.Device = "cpu",
    json_: o.Json = False,
) -> None:
    """Judge a run beside its opponents.

    On the run's own test part, or on a newer log. Exits with 1 if the leak audit fails: then an answer depends on
    what came after its request, and no number can be trusted. With --backtest the run itself is not judged: its recipe
    is fitted anew in window after window, and older models are held against fresh ones.
    """
    from horae.recommend.run import load

    cutting.check()
    backtesting.check()
    options, refused = judging.options(), None
    judging.check()
    if backtesting.backtest:
        _backtest(run, events, options, cutting, backtesting, html, device, json_)
        return
    recommender = load(run, device=device)
    recommender.profiles = options["profiles"] if recommender.by_profile is not None else None
    if events is None and recommender.card.get("refit"):
        document = _stored(run, recommender)
    else:
        split = _split_of(recommender, events, cutting)
        evaluation = judge(recommender, split, **options)
        document = {**evaluation.as_dict(), "run": str(run)}
        if events is None:
            refused = _kept(run, recommender, split, evaluation)
        if html is not None:
            report_of(run, recommender, split, document).write(html)
            say(f"Report: {html}")
    if json_:
        show_json(document)
    else:
        from horae.evaluation.table import as_text

        show(as_text(document))
    if not document["passed"]:
        say("error: the leak audit failed: an answer depends on events after its request.")
        raise typer.Exit(1)
    if refused is not None:
        raise refused


def _backtest(
    run: Path,
    events: str | None,
    options: dict[str, Any],
    cutting: Cutting,
    backtesting: Backtesting,
    html: Path | None,
    device: str,
    json_: bool,
) -> None:
    """Judge the run's recipe over time; the run keeps the result."""
    from horae.recommend.run import load

    if cutting.asked:
        raise typer.BadParameter("a backtest makes its own splits: see --folds and --window.", param_hint="--split")
    if options.pop("profiles") is not None:
        raise typer.BadParameter("it has no effect with --backtest.", param_hint="--profiles")
    if options.pop("cold"):
        raise typer.BadParameter("it has no effect with --backtest.", param_hint="--cold")
    opponents, seed, refused = options.pop("opponents"), options.pop("seed"), None
    settings = backtesting.settings(**options)
    recommender = load(run, device=device)
    log = events_of(recommender, events)
    tested = run_backtest(recommender, log, settings, opponents, seed, device)
    document = {"run": str(run), "source": log.report.source, **tested.as_dict()}
    try:
        keep_backtest(run, document)
    except StoreError as error:
        refused = error
    if html is not None:
        page_of(run, document).write(html)
        say(f"Page: {html}")
    if json_:
        show_json(document)
    else:
        from horae.evaluation.backtest.table import backtest_text

        show(backtest_text(document))
    if not tested.passed:
        say("error: the leak audit failed: an answer depends on events after its request.")
        raise typer.Exit(1)
    if refused is not None:
        raise refused


def _kept(run: Path, recommender: Recommender, split: Split, evaluation: Evaluation) -> StoreError | None:
    """Put it into the run folder; should storage refuse, the result is shown all the same."""
    try:
        keep(run, recommender, split, evaluation)
    except StoreError as error:
        return error
    say(f"Report: {run / 'report.html'}")
    return None


def _stored(run: Path, recommender: Recommender) -> dict[str, Any]:
    say(f"note: {run} was trained again on all its events after it was judged; these are the judged metrics.")
    document: dict[str, Any] = recommender.card["evaluation"]
    return document


def _split_of(recommender: Recommender, events: str | None, cutting: Cutting) -> Split:
    """The run's own split, or a newer log cut where the run's knowledge ends."""
    from horae.data.stand_in import with_stand_in
    from horae.recommend.foretell import upcoming_of

    if events is None:
        if cutting.asked:
            raise typer.BadParameter("a run keeps the split that it was trained on; give EVENTS.", param_hint="--split")
        if recommender.split is None:
            raise DataError("This run holds no events to judge it on.", hint="Give a log: horae evaluate RUN EVENTS")
        return recommender.split
    card = recommender.card
    log = Reading(**card["data"]["reading"]).events(events, recommender.recipe.data)
    if not cutting.asked:
        cutting = Cutting("time", _end_of_knowledge(card)) if log.times != "none" else Cutting("leave-one-out")
    split = cutting.cut(log, card["seed"])
    without = not split.events.has_items and upcoming_of(recommender) is not None and len(recommender.items) == 1
    return with_stand_in(split) if without else split  # as `train` did


def _end_of_knowledge(card: dict[str, Any]) -> str | None:
    """What the run has not learned from begins here."""
    if card["refit"]:
        return (datetime.fromisoformat(card["data"]["last"]) + timedelta(microseconds=1)).isoformat()
    boundary: str | None = card["data"]["boundary"]
    return boundary
