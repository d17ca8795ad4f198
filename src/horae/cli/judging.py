"""A run judged: the evaluation, the report, and both kept in the run folder."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from horae.cli.output import say

if TYPE_CHECKING:
    from horae.data.split import Split
    from horae.evaluation.protocol import Evaluation
    from horae.page import Page
    from horae.recommend.recommender import Recommender
    from horae.sequences.prepared_split import AnySplit

__all__ = ["commands_of", "first_report", "judge", "keep", "known_opponents", "report_of"]


def judge(
    recommender: Recommender, split: Split, opponents: str | None = None, *, cold: bool = False, **how: Any
) -> Evaluation:
    """Evaluate beside opponents: all, those named with commas between, or `none`; with `cold`, new people and items.

    Raises:
        typer.BadParameter: There is no such opponent.
        DataError: See `evaluate_cold`.
    """
    from horae.evaluation.cold_protocol import evaluate_cold

    started = evaluate_cold(recommender, split, **_sampling(how)).as_dict() if cold else None
    return replace(_judged(recommender, split, opponents, **how), cold_protocol=started)


def _sampling(how: dict[str, Any]) -> dict[str, Any]:
    return {name: how[name] for name in ("max_users", "bootstrap", "seed") if name in how}


def _judged(recommender: Recommender, split: Split, opponents: str | None, **how: Any) -> Evaluation:
    from horae.evaluation.opponents import opponents_of
    from horae.evaluation.protocol import evaluate

    names = known_opponents(opponents)
    if names is None:
        say("Judging it beside its opponents ...")
        return evaluate(recommender, split, **how)
    say(f"Judging it beside {', '.join(names)} ..." if names else "Judging it ...")
    own = recommender if recommender.events is split.events else recommender.with_events(split.events)
    return evaluate(recommender, split, opponents=opponents_of(own, split, names), **how)


def known_opponents(opponents: str | None) -> list[str] | None:
    """Names as typed, with commas between; None where nobody said, nothing for `none`.

    Raises:
        typer.BadParameter: There is no such opponent.
    """
    from horae.evaluation.opponents import LIVE
    from horae.models.opponents import OPPONENTS

    if opponents is None:
        return None
    known = [*OPPONENTS, LIVE]
    names = [name.strip() for name in opponents.split(",")] if opponents != "none" else []
    for name in names:
        if name not in known:
            raise typer.BadParameter(
                f"{name!r}: expected none, or some of {', '.join(known)}.", param_hint="--opponents"
            )
    return names


def keep(run: Path, recommender: Recommender, split: Split, evaluation: Evaluation) -> dict[str, Any]:
    """Put an evaluation on the run's card and its report into the run folder; return the evaluation's document."""
    from horae.recommend.run import read_card, update

    document = {**evaluation.as_dict(), "run": str(run)}
    recommender.card["evaluation"] = document
    text = json.dumps({**read_card(run), "evaluation": document}, indent=1, ensure_ascii=False, allow_nan=False)
    update(run, {"card.json": text + "\n", "report.html": report_of(run, recommender, split, document).html()})
    return document


def report_of(run: Path, recommender: Recommender, split: Split, document: dict[str, Any]) -> Page:
    """The page for people, of an evaluation's document."""
    from horae.data.checks import describe
    from horae.evaluation.examples import examples_of
    from horae.evaluation.report import report_page

    card = recommender.card
    return report_page(
        card,
        document,
        description=describe(split.events).as_dict(),
        history=recommender.log,
        examples=examples_of(recommender, split, seed=card["seed"]),
        commands=commands_of(run, recommender),
    )


def first_report(run: Path, recommender: Recommender, split: AnySplit) -> Page:
    """The page of a run that was trained and is not judged yet: how the training went, and its log where it has one."""
    from horae.data.checking.pages import describe_page
    from horae.data.checks import describe
    from horae.data.split import Split
    from horae.evaluation.figures import training
    from horae.page import Page

    events = split.events if isinstance(split, Split) else None
    page = Page(str(run), "trained from a prepared log") if events is None else describe_page(events, describe(events))
    page.heading("Training")
    if events is None:
        page.text(f"{run} is trained and not judged yet. It holds no events: horae evaluate {run} EVENTS judges it.")
    else:
        page.text(
            f"{run} is trained and not judged yet; `horae evaluate {run}` puts its report in the place of this page."
        )
    if recommender.log:
        page.plot(*training(recommender.log))
    page.table(["cost", "value"], [(name, str(value)) for name, value in recommender.card["training"].items()])
    page.bullets(commands_of(run, recommender))
    return page


def commands_of(run: Path, recommender: Recommender) -> list[str]:
    """What was typed to make the run, and what to type next."""
    from horae.recommend.foretell import upcoming_of

    users, folder = recommender.sequences.users, shlex.quote(str(run))
    known, log = (len(users) > 0, "") if recommender.events is not None else (False, " EVENTS")
    asked = f"--user {shlex.quote(str(users.all[0]))}" if known else f"--history {recommender.items.all[0]}"
    made = [recommender.card["command"]] if "command" in recommender.card else []
    evaluate = f"horae evaluate {folder}{log}"
    if upcoming_of(recommender) is not None and len(recommender.items) == 1:  # lists would say nothing
        return [*made, evaluate, f"horae forecast {folder} {asked}", f"horae forecast {folder} -o FILE"]
    return [*made, evaluate, f"horae recommend {folder} {asked} -k 10", f"horae serve {folder}"]
