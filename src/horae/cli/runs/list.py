"""`horae runs list`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from horae.cli import options as o
from horae.cli.output import aligned, say, show, show_json
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "list_runs"]

EXAMPLES = """\b
Examples:
  horae runs list
  horae runs list experiments --json
"""


@verb
def list_runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the runs lie.")] = Path("runs"),
    json_: o.Json = False,
) -> None:
    """List the runs in a folder, newest first."""
    found = [_facts(card) for card in folder.glob("*/card.json") if not card.parent.name.startswith(".")]
    found.sort(key=lambda facts: str(facts["created"]), reverse=True)
    if json_:
        show_json({"folder": str(folder), "runs": found})
    elif found:
        show(aligned(tuple(found[0]), [tuple(facts.values()) for facts in found]))
    else:
        say(f"There are no runs in {folder}. Make one: horae train EVENTS -o {folder / 'first'}")


def _facts(file: Path) -> dict[str, Any]:
    """What tells runs apart; a card that cannot be read is listed too, for `runs verify` to explain."""
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        card = {}
    metrics = (card.get("evaluation") or {}).get("metrics", {})
    return {
        "run": str(file.parent),
        "recipe": card.get("recipe"),
        "created": card.get("created"),
        "events": (card.get("data") or {}).get("events"),
        "ndcg@10": (metrics.get("ndcg@10") or {}).get("mean"),
    }
