"""`horae tune`: 20 pruned trials of SASRec on ml-100k and on amazon-beauty-2014, within a budget, on one thread.

The defaults of the shipped recipes come from these searches; every trial is kept in the result.
`HORAE_SETS=amazon-beauty-2014` searches on one set only, into the same file.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import torch

import horae
from benchmarks.record import RESULTS
from horae.training.progress import Shown
from horae.training.train import Options

TRIALS = 20
OWN = RESULTS / "tuning.json"
SEARCHES = {
    "ml-100k": ("ml-100k/raw/u.data", 20.0, ("train.patience=5", "train.epochs=25")),
    "amazon-beauty-2014": (
        "amazon-beauty-2014/interactions.parquet",
        90.0,
        ("train.patience=3", "train.epochs=12", "train.validation_requests=5000"),
    ),
}
"""File, minutes, and what all trials share: fewer epochs than a training has, so that more of them fit."""

RANGES = (
    "tune.train.learning_rate={low = 5e-4, high = 5e-3, log = true}",
    "tune.train.weight_decay=[0.0, 0.03, 0.1, 0.3]",
    "tune.train.average_steps=[0, 100, 300]",
    "tune.train.batch_tokens=[512, 1024, 2048]",
    "tune.model.dropout={low = 0.2, high = 0.6, step = 0.1}",
    "tune.model.num_layers=[1, 2]",
    "tune.model.ffn_multiple=[1, 4]",
)


def measure(data: Path) -> dict[str, Any]:
    chosen = [name for name in os.environ.get("HORAE_SETS", ",".join(SEARCHES)).split(",") if name]
    known = json.loads(OWN.read_text())["searches"] if OWN.exists() else {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in chosen:
            file, minutes, overrides = SEARCHES[name]
            known[name] = _search(data / file, minutes, overrides)
    finally:
        torch.set_num_threads(threads)
    return {
        "protocol": "leave-one-out, log order of ties, validation NDCG@10 of a full ranking; test not looked at",
        "threads": 1,
        "searches": {name: known[name] for name in SEARCHES if name in known},
    }


def _search(file: Path, minutes: float, overrides: tuple[str, ...]) -> dict[str, Any]:
    split = horae.split_leave_one_out(horae.read_events(file))
    started = time.perf_counter(), time.process_time()
    tuned = horae.tune(
        split,
        "sasrec",
        trials=TRIALS,
        minutes=minutes,
        overrides=[*overrides, *RANGES],
        options=Options(progress=Shown()),
    )
    states = [trial.state for trial in tuned.trials]
    return {
        "minutes_allowed": minutes,
        "overrides": list(overrides),
        **tuned.as_dict(),
        "states": {state: states.count(state) for state in sorted(set(states))},
        "best_recipe": tuned.toml(),
        "gain_over_first": tuned.best.ndcg / tuned.trials[0].ndcg - 1 if tuned.trials[0].ndcg else None,
        "seconds": round(time.perf_counter() - started[0], 1),
        "cpu_seconds": round(time.process_time() - started[1], 1),
    }
