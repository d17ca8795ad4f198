"""Bar: recall@10 0.086, NDCG@10 0.050; goal 0.090, 0.0525 (leave-one-out, ties shuffled, ids only, 3 seeds)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import horae
from benchmarks.beauty_quality import OVERRIDES
from benchmarks.quality import means, trained_and_judged


def measure(data: Path) -> dict[str, Any]:
    events = horae.read_events(data / "amazon-beauty-2014/interactions.parquet")
    split = horae.split_leave_one_out(events, ties="shuffled", seed=0)
    runs = [
        trained_and_judged(split, "sasrec", OVERRIDES, seed, ["item_knn", "markov"] if seed == 0 else ())
        for seed in range(3)
    ]
    return {
        "protocol": "leave-one-out, ties shuffled (one shuffle), full ranking, seen masked",
        "mean": means(runs),
        "runs": runs,
    }
