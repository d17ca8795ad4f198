"""Bar: recall@10 0.0974, NDCG@10 0.0588; goal 0.106, 0.063 (Beauty, leave-one-out in log order, titles, 3 seeds).

The settings are those of `beauty_quality`. The three networks, their scores added, stand beside: one answer that costs
three times as much.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

import horae
from benchmarks.beauty_quality import OVERRIDES
from benchmarks.quality import METRICS, judged_run, means
from horae.models.ensemble import Ensemble
from horae.training.progress import Shown
from horae.training.train import Options

CONTENT = ("content.text=hashed", 'content.columns=["title", "categories"]', "model.id_bound=0.5")


def measure(data: Path) -> dict[str, Any]:
    split = horae.split_leave_one_out(horae.read_events(data / "amazon-beauty-2014/interactions.parquet"))
    catalog = pl.read_parquet(data / "amazon-beauty-2014/items.parquet").select("item_id", "title", "categories")
    overrides = (*OVERRIDES, *CONTENT)
    how = Options(progress=Shown())
    made = [
        horae.train(split, "text-sasrec", overrides=overrides, seed=seed, catalog=catalog, options=how)
        for seed in range(3)
    ]
    runs = [
        judged_run(one, split, overrides, seed, ["item_knn", "content_neighbours"] if seed == 0 else ())
        for seed, one in enumerate(made)
    ]
    added = replace(made[0], model=Ensemble([one.model for one in made], len(made[0].items)).eval(), calibration=None)
    judged = horae.evaluate(added, split, opponents={}).as_dict()["metrics"]
    return {
        "protocol": "leave-one-out, log order of ties, full ranking, seen masked; titles and categories",
        "mean": means(runs),
        "together": {name: judged[name] for name in METRICS},
        "runs": runs,
    }
