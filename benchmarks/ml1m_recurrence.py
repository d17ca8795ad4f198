"""The bars of `ml1m_quality` by the linear recurrence: recall@10 0.306, NDCG@10 0.1766; goal 0.3369, 0.2007.

The mean of the weights over the last 500 steps, about an epoch, is judged and kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import horae
from benchmarks.ml1m_quality import OVERRIDES
from benchmarks.quality import means, trained_and_judged


def measure(data: Path) -> dict[str, Any]:
    split = horae.split_leave_one_out(horae.read_events(data / "ml-1m/interactions.parquet"))
    runs = [trained_and_judged(split, "lru", [*OVERRIDES, "train.average_steps=500", "train.epochs=27"], 0)]
    return {
        "protocol": "leave-one-out, log order of ties, full ranking of all 3,706 items, seen masked, no request time",
        "mean": means(runs),
        "runs": runs,
    }
