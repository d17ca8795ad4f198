"""A run judged: the evaluation, the report, and both kept in the run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from horae.cli.output import say

if TYPE_CHECKING:
    from horae.data.split import Split
    from horae.evaluation.protocol import Evaluation
    from horae.recommend.recommender import Recommender

__all__ = ["judge", "keep"]


def judge(recommender: Recommender, split: Split, opponents: str | None = None, **how: Any) -> Evaluation:
    """Evaluate beside opponents: all, those named with commas between, or `none`.

    Raises:
        typer.BadParameter: There is no such opponent.
    """
    from horae.evaluation.opponents import LIVE, opponents_of
    from horae.evaluation.protocol import evaluate
    from horae.models.opponents import OPPONENTS

    say("Judging it beside its opponents ..." if opponents != "none" else "Judging it ...")
    if opponents is None:
        return evaluate(recommender, split, **how)
    known = [*OPPONENTS, LIVE]
    names = [name.strip() for name in opponents.split(",")] if opponents != "none" else []
    for name in names:
        if name not in known:
            raise typer.BadParameter(
                f"{name!r}: expected none, or some of {', '.join(known)}.", param_hint="--opponents"
            )
    own = recommender if recommender.events is split.events else recommender.with_events(split.events)
    return evaluate(recommender, split, opponents=opponents_of(own, split, names), **how)


def keep(run: Path, recommender: Recommender, evaluation: Evaluation) -> dict[str, Any]:
    """Put an evaluation on the run's card and its report into the run folder; return the evaluation's document."""
    from horae.evaluation.report import report
    from horae.recommend.run import read_card, update

    document = {**evaluation.as_dict(), "run": str(run)}
    card = {**read_card(run), "evaluation": document}
    recommender.card["evaluation"] = document
    text = json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    update(run, {"card.json": text, "report.html": report(recommender, evaluation).html()})
    return document
