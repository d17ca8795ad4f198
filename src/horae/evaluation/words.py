"""An evaluation's document in, sentences that a manager can read out. No number is rounded up, no interval left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from horae.evaluation.table import columns_of, standing

__all__ = ["GLOSSARY", "comparison", "headline", "interval", "meaning"]

Document = Mapping[str, Any]

GLOSSARY = {
    "recall": "the share of what really came that stands among the first k",
    "hit_rate": "in how many of all requests at least one of the first k came",
    "precision": "the share of the first k that came; with one target per request it cannot exceed 1 / k",
    "f1": "the harmonic mean of precision and recall",
    "ndcg": "like recall, but a hit at the top counts more than one at place k; 1 is perfect",
    "mrr": "one divided by the place of the first hit",
    "map": "precision averaged over the places of the hits",
    "auc": "the share of all pairs (what came, anything else) in the right order; 0.5 is chance",
    "coverage": "the share of all items that was recommended to anybody",
    "novelty": "how rare the recommended items are, in bits: 10 means one user in a thousand had it",
    "popularity_bias": "how much more popular the list is than the user's own history, in percentiles; 0 is equal",
    "diversity": "how unlike each other a list's items are: 1 = never chosen by the same people",
}


def headline(document: Document) -> str:
    """What the recommender is worth, in one or two sentences."""
    k = columns_of(document["metrics"])[0].split("@")[1]
    hit = document["metrics"][f"hit_rate@{k}"]
    if hit["mean"] is None:
        return "Nobody in the test part had a history, so there is nothing to judge."
    bounds = "" if hit["low"] is None else f" (between {_of_hundred(hit['low'])} and {_of_hundred(hit['high'])})"
    targets = str(document["split"]["targets"])
    if targets.startswith("next-"):
        return (
            f"Of those who came back within {targets.removeprefix('next-')}, {_of_hundred(hit['mean'])} in 100{bounds} "
            f"chose at least one of the {k} items that {document['run']} had recommended beforehand."
        )
    return (
        f"When somebody came back, what they chose next was among the {k} items that {document['run']} recommended "
        f"in {_of_hundred(hit['mean'])} of 100 cases{bounds}."
    )


def comparison(document: Document) -> str:
    """Whom the recommender beats, and who beats it, by intervals and not by means."""
    metric = columns_of(document["metrics"])[0]
    words: dict[str, list[str]] = {"ahead": [], "even": [], "behind": []}
    for name, differences in document["against"].items():
        words.setdefault(standing(differences[metric]), []).append(name)
    sentences = []
    if words["behind"]:
        instead = "that" if len(words["behind"]) == 1 else "one of these"
        sentences.append(f"It is clearly behind {_list(words['behind'])}: use {instead} instead, or train longer.")
    if words["ahead"]:
        sentences.append(f"It is clearly ahead of {_list(words['ahead'])}.")
    if words["even"]:
        sentences.append(f"Against {_list(words['even'])} the data cannot tell who is better.")
    return " ".join(sentences)


def interval(document: Document, digits: int = 3) -> str:
    """`0.123 (0.110 to 0.137)`, or a dash. Where nobody differs from anybody, resampling says nothing: no bounds."""
    value = document.get("mean", document.get("difference"))
    if value is None:
        return "\N{EN DASH}"
    if document["low"] is None or document["low"] == document["high"]:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({document['low']:.{digits}f} to {document['high']:.{digits}f})"


def meaning(metric: str) -> str:
    """A metric in plain words."""
    return GLOSSARY.get(metric.split("@")[0], "")


def _of_hundred(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.1 else f"{100 * share:.1f}"


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
