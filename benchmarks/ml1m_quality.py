"""Bar: recall@10 0.306, NDCG@10 0.1766 at dim 64; goal 0.3369, 0.2007 (leave-one-out, length 200, no request time)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import horae
from benchmarks.quality import means, trained_and_judged

OVERRIDES = ("model.max_len=200", "train.patience=3", "train.validation_requests=6040")


def measure(data: Path) -> dict[str, Any]:
    split = horae.split_leave_one_out(horae.read_events(data / "ml-1m/interactions.parquet"))
    runs = [trained_and_judged(split, "sasrec", OVERRIDES, 0, ["item_knn", "markov"])]
    return {
        "protocol": "leave-one-out, log order of ties, full ranking of all 3,706 items, seen masked, no request time",
        "mean": means(runs),
        "runs": runs,
    }
