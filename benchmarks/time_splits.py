"""Bar: the best recipe ahead of windowed popularity, the paired interval above zero, on six sets split by time.

deskdrop with a weekly refit; `auto` beside fixed recipes on all six, one seed.

Everybody in a table was fitted on everything before the test: opponents by counting, networks by `train.relearn`.
Epochs are bounded and early stopping is quicker than in the recipes, so that thirty trainings take an afternoon.
`python -m benchmarks time_splits` runs all; `HORAE_SETS=foursquare-nyc,deskdrop` only some,
and `HORAE_RECIPES=lru` one recipe, into the same file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import horae
from benchmarks.quality import trained_and_judged
from benchmarks.record import RESULTS
from horae.data.split import Split, split_rolling
from horae.training.choose import choose_recipe

SETS = {
    "ml-1m-users-1-2999": "ml-1m/interactions_timestamped_users_1_2999.parquet",
    "amazon-beauty-2014": "amazon-beauty-2014/interactions.parquet",
    "foursquare-nyc": "foursquare-nyc/interactions.parquet",
    "online-retail": "online-retail/interactions.parquet",
    "yoochoose-100k": "yoochoose-100k/interactions.parquet",
    "deskdrop": "deskdrop/interactions.parquet",
}
WEEKS = 8
MIXED = {
    "recency and neighbours": ("recent-popularity", "recent-popularity", "item-knn"),
    "sasrec, live recency, neighbours": ("sasrec", "live-popularity", "item-knn"),
}
"""For a log whose items are new every week; a member that stands twice counts twice. `live-popularity` knows what
everybody did up to each request, as a running service does; so does the opponent `recent_popularity_live`."""
AS_IT_IS = ("auto", "bsarec", "lru", "gru4rec", "hstu")
"""Where `auto` takes `sasrec` as it is shipped."""
RECIPES = {
    "ml-1m-users-1-2999": ("auto", "sasrec", "lru", "gru4rec", "hstu"),
    "amazon-beauty-2014": ("auto", "sasrec", "lru", "gru4rec", "hstu"),
    "foursquare-nyc": AS_IT_IS,
    "online-retail": AS_IT_IS,
    "yoochoose-100k": ("auto", "sasrec", "lru", "gru4rec", "hstu"),
    "deskdrop": ("auto", "sasrec", "lru", "gru4rec", "hstu", *MIXED),
}
OWN = RESULTS / "time_splits.json"
OPPONENTS = ("popularity", "recent_popularity", "recent_popularity_live", "markov", "item_knn")
BOUNDED = ("train.epochs=10", "train.patience=3", "train.validation_requests=3000")


def measure(data: Path) -> dict[str, Any]:
    chosen = [name for name in os.environ.get("HORAE_SETS", ",".join(SETS)).split(",") if name]
    only = [name for name in os.environ.get("HORAE_RECIPES", "").split(",") if name]
    sets = json.loads(OWN.read_text())["sets"] if OWN.exists() else {}
    for name in chosen:
        events = horae.read_events(data / SETS[name])
        splits = split_rolling(events, WEEKS, "7d") if name == "deskdrop" else [horae.split_by_time(events)]
        new = {recipe: _over(splits, recipe) for recipe in RECIPES[name] if not only or recipe in only}
        known = {**sets.get(name, {}), **new}
        sets[name] = {recipe: known[recipe] for recipe in RECIPES[name] if recipe in known}
    sets = {name: sets[name] for name in SETS if name in sets}
    return {"protocol": "time split 8:1:1 (deskdrop: weekly refit, last 8 weeks), successive targets", "sets": sets}


def _over(splits: Sequence[Split], recipe: str) -> dict[str, Any]:
    """One recipe over the windows of a set; its figures are means over users of all windows."""
    members = MIXED.get(recipe, ())
    own = [f"model.ensemble={json.dumps(members)}"] if members else []
    counted = (
        "ensemble" in choose_recipe(splits[0]).recipe.model if recipe == "auto" else members and "sasrec" not in members
    )
    bounded = () if counted else BOUNDED
    name = "ensemble" if members else recipe
    runs = [trained_and_judged(split, name, [*own, *bounded], 0, OPPONENTS) for split in splits]
    if len(runs) == 1:
        return runs[0]
    users = sum(run["users"] for run in runs)
    weights = [run["users"] / users for run in runs]
    return {
        "users": users,
        "train_cpu_seconds": sum(run["train_cpu_seconds"] for run in runs),
        "metrics": {m: {"mean": _mean(runs, weights, "metrics", m)} for m in ("recall@10", "ndcg@10")},
        "against": {name: {"ndcg@10": _pooled(runs, weights, name)} for name in runs[0]["against"]},
        "windows": runs,
    }


def _mean(runs: Sequence[dict[str, Any]], weights: Sequence[float], table: str, metric: str) -> float:
    return sum(weight * run[table][metric]["mean"] for run, weight in zip(runs, weights, strict=True))


def _pooled(runs: Sequence[dict[str, Any]], weights: Sequence[float], opponent: str) -> dict[str, float]:
    """The weighted mean of the windows' differences; windows taken as independent, intervals as normal."""
    gaps = [run["against"][opponent]["ndcg@10"] for run in runs]
    mean = sum(weight * gap["difference"] for gap, weight in zip(gaps, weights, strict=True))
    half = sum((weight * (gap["high"] - gap["low"]) / 2) ** 2 for gap, weight in zip(gaps, weights, strict=True)) ** 0.5
    return {"difference": mean, "low": mean - half, "high": mean + half}
