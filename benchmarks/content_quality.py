"""Bar: recall@10 0.0974, NDCG@10 0.0588; goal 0.106, 0.063 (Beauty, leave-one-out in log order, titles, 3 seeds).

`HORAE_SEEDS=0` runs some seeds only, into the same file; the settings are those of `beauty_quality`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import polars as pl

import horae
from benchmarks.beauty_quality import OVERRIDES
from benchmarks.quality import means, trained_and_judged
from benchmarks.record import RESULTS

OWN = RESULTS / "content_quality.json"
CONTENT = ("content.text=hashed", 'content.columns=["title", "categories"]', "model.id_bound=0.5")


def measure(data: Path) -> dict[str, Any]:
    split = horae.split_leave_one_out(horae.read_events(data / "amazon-beauty-2014/interactions.parquet"))
    catalog = pl.read_parquet(data / "amazon-beauty-2014/items.parquet").select("item_id", "title", "categories")
    seeds = [int(seed) for seed in os.environ.get("HORAE_SEEDS", "0;1;2").split(";")]
    known = {run["seed"]: run for run in json.loads(OWN.read_text())["runs"]} if OWN.exists() else {}
    for seed in seeds:
        beside = ["item_knn", "content_neighbours"] if seed == 0 else ()
        known[seed] = trained_and_judged(split, "text-sasrec", (*OVERRIDES, *CONTENT), seed, beside, catalog=catalog)
    runs = [known[seed] for seed in sorted(known)]
    return {
        "protocol": "leave-one-out, log order of ties, full ranking, seen masked; titles and categories",
        "mean": means(runs),
        "runs": runs,
    }
