"""Bar: recall@10 0.155, NDCG@10 0.078 (leave-one-out, ties in the order of `u.data`, seen masked, mean of 5 seeds)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import horae
from benchmarks.quality import means, trained_and_judged


def measure(data: Path) -> dict[str, Any]:
    split = horae.split_leave_one_out(horae.read_events(data / "ml-100k/raw/u.data"))
    runs = [trained_and_judged(split, "sasrec", [], seed) for seed in range(5)]
    return {
        "protocol": "leave-one-out, log order of ties, full ranking, seen masked",
        "mean": means(runs),
        "runs": runs,
    }
