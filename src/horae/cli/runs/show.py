"""`horae runs show`."""

from __future__ import annotations

from typing import Any

from horae.cli import options as o
from horae.cli.output import show, show_json
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "show_run"]

EXAMPLES = """\b
Examples:
  horae runs show runs/first
  horae runs show runs/first --json
"""


@verb
def show_run(run: o.Run, json_: o.Json = False) -> None:
    """Show what a run is: its data, training, metrics and versions."""
    from horae.recommend.run import read_card

    card = read_card(run)
    if json_:
        show_json({"run": str(run), "card": card})
        return
    data, training = card.get("data") or {}, card["training"]
    metrics = (card.get("evaluation") or {}).get("metrics", {})
    lines = {
        "run": str(run),
        "recipe": card.get("recipe"),
        "created": card.get("created"),
        "command": card.get("command"),
        "data": f"{data.get('source')}: {data.get('events'):,} events, {data.get('users'):,} users" if data else None,
        "span": f"{data.get('first')} to {data.get('last')}" if data.get("first") else None,
        "items": f"{card['items']:,} that can be recommended; seen ones {'in' if card['include_seen'] else 'left out'}",
        "training": f"best epoch {training['best_epoch']} of {training['epochs']}, {training['train_seconds']:,.1f} s",
        "validation": _in_words(training["validation"] or {}),
        "test": _in_words({name: metrics[name]["mean"] for name in ("ndcg@10", "recall@10") if name in metrics}),
        "refit": "trained again on all events after judging" if card["refit"] else "no",
        "versions": ", ".join(f"{name} {version}" for name, version in card["versions"].items()),
    }
    show("\n".join(f"{name:<11} {text}" for name, text in lines.items() if text))


def _in_words(metrics: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items() if value is not None)
