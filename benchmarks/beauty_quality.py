"""Bar: recall@10 0.0907, NDCG@10 0.0563; goal 0.1008, 0.0611 (leave-one-out, log order of ties, seen masked)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import horae
from benchmarks.quality import means, trained_and_judged

OVERRIDES = (
    "model.dropout=0.5",
    "train.learning_rate=0.003",
    "train.weight_decay=0.1",
    "train.average_steps=300",
    "train.batch_tokens=1024",
    "train.patience=4",
)


def measure(data: Path) -> dict[str, Any]:
    split = horae.split_leave_one_out(horae.read_events(data / "amazon-beauty-2014/interactions.parquet"))
    runs = [trained_and_judged(split, "sasrec", OVERRIDES, 0, ["popularity", "item_knn"])]
    return {
        "protocol": "leave-one-out, log order of ties, full ranking, seen masked",
        "mean": means(runs),
        "runs": runs,
    }
