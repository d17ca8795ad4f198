"""Bar: content with ids against ids, split by time, paired over users: better on 2 of 3 sets; goal on 3.

Texts in the network's item vectors; the scores of that network and of the one by ids, added; and the network with texts
where every item of the catalog was added at the boundary, three places of ten kept for new ones. Two networks by ids,
added, stand beside: what adding is worth without any text. On ml-1m also plots with posters against plots alone. Of
each, too: what it is worth to people who came after training, by their events (bar: with one event NDCG@10 1.5 times
that of popularity; goal 2 times). `HORAE_SETS=online-retail` runs some sets only, `HORAE_WAYS="ids;ids and texts"` some
trainings only and what is made of them, into the same file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import horae
from benchmarks.record import RESULTS
from benchmarks.time_ablations import by_user
from horae.evaluation.intervals import Resamples
from horae.models.ensemble import Ensemble
from horae.recommend.recommender import Recommender
from horae.training.progress import Shown
from horae.training.train import Options

OWN = RESULTS / "content_splits.json"
BOUNDED = ("train.epochs=10", "train.patience=3", "train.validation_requests=3000")
PLACES = 0.3
"""The best of 0.1, 0.2 and 0.3 on the training part of amazon-beauty-2014, split by time itself."""
ADDED = {
    "ids and ids, added": ("ids", "ids, another seed"),
    "ids, and ids and texts, added": ("ids", "ids and texts"),
    "ids, and ids and texts of another seed, added": ("ids", "ids and texts, another seed"),
}
"""Networks whose scores are added; those of one seed begin alike, so that a second seed is worth more."""
AGAINST = ("ids", "ids and ids, added", "ids and texts")
SETS = {
    "amazon-beauty-2014": ("amazon-beauty-2014/interactions.parquet", ["title", "categories"]),
    "ml-1m-users-1-2999": ("ml-1m/interactions_timestamped_users_1_2999.parquet", ["title", "description"]),
    "online-retail": ("online-retail/interactions.parquet", ["title"]),
}


def measure(data: Path) -> dict[str, Any]:
    chosen = [name for name in os.environ.get("HORAE_SETS", ",".join(SETS)).split(",") if name]
    told = json.loads(OWN.read_text())["sets"] if OWN.exists() else {}
    for name in chosen:
        told[name] = told.get(name, {}) | _of_set(data, name)
    return {
        "protocol": "time split 8:1:1, successive targets, NDCG@10 per user; differences paired over users, 95% by "
        "bootstrap; one seed",
        "sets": {name: told[name] for name in SETS if name in told},
    }


def _of_set(data: Path, name: str) -> dict[str, Any]:
    file, columns = SETS[name]
    split = horae.split_by_time(horae.read_events(data / file))
    catalog = pl.read_parquet((data / file).parent / "items.parquet")
    text = ["content.text=minilm", f"content.columns={json.dumps(columns)}"]
    ways: dict[str, tuple[str, list[str], int]] = {
        "ids": ("sasrec", [], 0),
        "ids, another seed": ("sasrec", [], 1),
        "ids and texts": ("text-sasrec", text, 0),
        "ids and texts, another seed": ("text-sasrec", text, 1),
    }
    posters = (data / file).parent / "item_images.parquet"
    if posters.exists():
        pictures = pl.read_parquet(posters).select("item_id", image="jpeg")
        catalog = catalog.join(pictures, on="item_id", how="left")
        ways["ids, texts and posters"] = ("text-sasrec", [*text, "content.image=colors"], 0)
    wanted = os.environ.get("HORAE_WAYS", ";".join(ways)).split(";")
    ways = {way: how for way, how in ways.items() if way in wanted}
    runs, told = {}, {}
    for way, (recipe, overrides, seed) in ways.items():
        how = Options(progress=Shown())
        runs[way] = horae.train(
            split, recipe, overrides=[*overrides, *BOUNDED], catalog=catalog, seed=seed, options=how
        )
        told[way] = {
            "recipe": recipe,
            "overrides": [*overrides, *BOUNDED],
            "seed": seed,
            "train_cpu_seconds": runs[way].card["training"]["cpu_seconds"],
            "known": (runs[way].card.get("content") or {}).get("known"),
        }
    for way, (one, other) in ADDED.items():
        if one in runs and other in runs:
            runs[way] = _added(runs[one], runs[other])
    scores = {}
    for way, run in runs.items():
        scores[way] = by_user(run, split)
        cold = horae.evaluate_cold(run, split).levels
        told.setdefault(way, {})["cold"] = [level.as_dict() for level in cold]
    if "ids and texts" in runs:
        way = "ids and texts, new items in place"
        scores[way] = by_user(_with_new_items(runs["ids and texts"], catalog), split)
        told[way] = {"cold": []}
    for way, one in told.items():
        one |= {"users": len(scores[way]), "ndcg@10": float(np.mean(list(scores[way].values())))}
        others = [] if way.startswith("ids, another") or way == "ids" else AGAINST
        one["against"] = {
            other: _gap(scores[way], scores[other]) for other in others if other != way and other in scores
        }
    return told


def _added(one: Recommender, other: Recommender) -> Recommender:
    """Late fusion: the mean of both networks' standardised scores."""
    return replace(one, model=Ensemble([one.model, other.model], len(one.items)).eval(), calibration=None)


def _with_new_items(run: Recommender, catalog: pl.DataFrame) -> Recommender:
    """It knows what the catalog says of items that nobody had turned to in training; they have places kept."""
    asked = replace(run, recipe=replace(run.recipe, recommend={"new_items": PLACES}))
    told = pl.col("title").str.strip_chars().str.len_chars() > 0  # a network places an item by what is known of it
    asked.add_items(catalog.filter(told & ~pl.col("item_id").is_in(run.items.all.implode())))
    return asked


def _gap(own: Mapping[Any, float], other: Mapping[Any, float]) -> dict[str, Any]:
    assert own.keys() == other.keys()
    difference_U1 = np.array([own[user] - other[user] for user in own])[:, None]
    return Resamples(len(own)).intervals(difference_U1)[0].as_dict("difference")
