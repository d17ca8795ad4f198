"""Bar: HSTU with the request's time 10% above SASRec in NDCG@10, goal 20% (ml-1m users 1 to 2999, leave-one-out).

In leave-one-out the request's time is the target's own: it is information that a live request has, and that
order-only models do not use. So the same network without it stands beside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import horae
from benchmarks.quality import trained_and_judged

SHARED = (
    "model.max_len=200",
    "train.batch_tokens=1024",
    "train.average_steps=500",
    "train.patience=4",
    "train.epochs=18",
)
RUNS = {
    "hstu, request's time": ("hstu", ('model.time_bias="request"',)),
    "hstu, events' times": ("hstu", ('model.time_bias="event"', 'model.time_inputs=["gap"]')),
    "hstu, no time": ("hstu", ('model.time_bias="none"', "model.time_inputs=[]")),
    "sasrec": ("sasrec", ()),
}


def measure(data: Path) -> dict[str, Any]:
    file = data / "ml-1m/interactions_timestamped_users_1_2999.parquet"
    split = horae.split_leave_one_out(horae.read_events(file))
    runs = {name: trained_and_judged(split, recipe, [*SHARED, *own], 0) for name, (recipe, own) in RUNS.items()}
    base = runs["sasrec"]["metrics"]["ndcg@10"]["mean"]
    return {
        "protocol": "leave-one-out, log order of ties, full ranking, seen masked, length 200, one seed",
        "ndcg@10_over_sasrec": {name: run["metrics"]["ndcg@10"]["mean"] / base - 1 for name, run in runs.items()},
        "runs": runs,
    }
