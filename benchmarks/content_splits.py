"""Bar: content with ids against ids, split by time, paired over users: better on 2 of 3 sets; goal on 3.

On ml-1m also plots with posters against plots alone. Of each, too: what it is worth to people who came after training,
by their events (bar: with one event NDCG@10 1.5 times that of popularity; goal 2 times).
`HORAE_SETS=online-retail` runs some sets only, into the same file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import horae
from benchmarks.record import RESULTS
from benchmarks.time_ablations import by_user
from horae.evaluation.intervals import Resamples
from horae.training.progress import Shown
from horae.training.train import Options

OWN = RESULTS / "content_splits.json"
BOUNDED = ("train.epochs=10", "train.patience=3", "train.validation_requests=3000")
SETS = {
    "amazon-beauty-2014": ("amazon-beauty-2014/interactions.parquet", ["title", "categories"]),
    "ml-1m-users-1-2999": ("ml-1m/interactions_timestamped_users_1_2999.parquet", ["title", "description"]),
    "online-retail": ("online-retail/interactions.parquet", ["title"]),
}


def measure(data: Path) -> dict[str, Any]:
    chosen = [name for name in os.environ.get("HORAE_SETS", ",".join(SETS)).split(",") if name]
    told = json.loads(OWN.read_text())["sets"] if OWN.exists() else {}
    for name in chosen:
        told[name] = _of_set(data, name)
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
    ways: dict[str, tuple[str, list[str]]] = {"ids": ("sasrec", []), "ids and texts": ("text-sasrec", text)}
    against = {"ids and texts": "ids"}
    posters = (data / file).parent / "item_images.parquet"
    if posters.exists():
        pictures = pl.read_parquet(posters).select("item_id", image="jpeg")
        catalog = catalog.join(pictures, on="item_id", how="left")
        ways["ids, texts and posters"] = ("text-sasrec", [*text, "content.image=colors"])
        against["ids, texts and posters"] = "ids and texts"
    scores, told = {}, {}
    for way, (recipe, overrides) in ways.items():
        how = Options(progress=Shown())
        one = horae.train(split, recipe, overrides=[*overrides, *BOUNDED], catalog=catalog, options=how)
        scores[way] = by_user(one, split)
        told[way] = {
            "recipe": recipe,
            "overrides": [*overrides, *BOUNDED],
            "users": len(scores[way]),
            "ndcg@10": float(np.mean(list(scores[way].values()))),
            "train_cpu_seconds": one.card["training"]["cpu_seconds"],
            "cold": [level.as_dict() for level in horae.evaluate_cold(one, split).levels],
            "known": (one.card.get("content") or {}).get("known"),
        }
        if way in against:
            base = scores[against[way]]
            difference_U1 = np.array([scores[way][user] - base[user] for user in base])[:, None]
            told[way]["against"] = {
                against[way]: Resamples(len(base)).intervals(difference_U1)[0].as_dict("difference")
            }
    return told
