"""Bar: recall@10 0.0907, NDCG@10 0.0563; goal 0.1008, 0.0611 (leave-one-out, log order of ties, masked, 3 seeds)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import horae
from benchmarks.quality import means, trained_and_judged

OVERRIDES = ("model.num_layers=1", "train.learning_rate=0.005", "train.batch_tokens=512", "train.patience=6")
"""Near what `tuning` finds best here (one layer, quick steps, small batches), where it differs from the recipe."""


def measure(data: Path) -> dict[str, Any]:
    split = horae.split_leave_one_out(horae.read_events(data / "amazon-beauty-2014/interactions.parquet"))
    runs = [
        trained_and_judged(split, "sasrec", OVERRIDES, seed, ["popularity", "item_knn"] if seed == 0 else ())
        for seed in range(3)
    ]
    return {
        "protocol": "leave-one-out, log order of ties, full ranking, seen masked",
        "mean": means(runs),
        "runs": runs,
    }
