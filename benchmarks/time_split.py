"""Bar: SASRec ahead of recent popularity and Markov, interval of the paired difference above zero, on three sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import horae
from benchmarks.quality import trained_and_judged

SETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "foursquare-nyc": ("foursquare-nyc/interactions.parquet", ()),
    "amazon-beauty-2014": (
        "amazon-beauty-2014/interactions.parquet",
        ("model.dropout=0.5", "train.batch_tokens=1024"),
    ),
    "ml-1m users 1 to 2999": ("ml-1m/interactions_timestamped_users_1_2999.parquet", ("train.batch_tokens=4096",)),
}
PATIENCE = "train.patience=3"
OPPONENTS = ("popularity", "recent_popularity", "recent_popularity_live", "markov", "item_knn")


def measure(data: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, (file, overrides) in SETS.items():
        split = horae.split_by_time(horae.read_events(data / file))
        run = trained_and_judged(split, "sasrec", [*overrides, PATIENCE], 0, OPPONENTS)
        figures[name] = {"boundary": split.boundary, "facts": split.facts, **run}
    return {"protocol": "time split 8:1:1, successive targets, full ranking", "sets": figures}
