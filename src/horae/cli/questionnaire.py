"""`horae questionnaire`: what to ask a newcomer about, and the first list from the answers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from horae.cli import options as o
from horae.cli.asking import items_of
from horae.cli.output import aligned, say_all, show, show_json
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "questionnaire"]

EXAMPLES = """\b
Examples:
  horae questionnaire runs/first --size 8
  horae questionnaire runs/first --json
  horae questionnaire runs/first --liked 50,181 --not-liked 258 -k 10
"""


@verb
def questionnaire(
    run: o.Run,
    size: Annotated[int, typer.Option("--size", min=1, help="How many items to ask about.")] = 8,
    pool: Annotated[int, typer.Option("--pool", min=1, help="Ask about the best known so many items only.")] = 200,
    liked: Annotated[
        str | None, typer.Option(metavar="I1,I2,...", help="Answers: these are liked.", show_default=False)
    ] = None,
    not_liked: Annotated[
        str | None, typer.Option(metavar="I1,I2,...", help="Answers: these are not.", show_default=False)
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many items to recommend, once there are answers.")] = 10,
    seed: o.Seed = 0,
    json_: o.Json = False,
) -> None:
    """Choose the items whose answers tell most about a newcomer.

    With --liked or --not-liked, recommend from the answers instead.
    """
    from horae.recommend.questionnaire import questionnaire as made
    from horae.recommend.run import load

    if size > pool:
        raise typer.BadParameter(f"{size} of {pool} items cannot be asked.", param_hint="--size")
    form = made(load(run), size, pool=pool, seed=seed)
    if liked is None and not_liked is None:
        rows = form.frame.to_dicts()
        show_json({"run": str(run), "groups": form.groups, "items": rows}) if json_ else show(str(form))
        return
    answers: dict[Any, Any] = dict.fromkeys(items_of(liked), "liked")
    twice = sorted(set(map(str, answers)) & set(map(str, items_of(not_liked))))
    if twice:
        raise typer.BadParameter(f"{twice[0]!r} is among the liked, too.", param_hint="--not-liked")
    found = form.recommend(answers | dict.fromkeys(items_of(not_liked), "not"), k)
    rows = found.frame.to_dicts()
    if json_:
        show_json({"run": str(run), "recommendations": rows, "notes": list(found.notes)})
        return
    columns = ["rank", "item_id", "score", "source"]
    show(aligned(columns, found.frame.select(columns).rows()))
    say_all(found.notes)
