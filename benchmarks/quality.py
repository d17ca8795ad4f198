"""One training and its judgement, for the claims about ranking quality."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import horae
from horae.data.split import Split
from horae.evaluation.opponents import opponents_of
from horae.training.progress import Shown
from horae.training.train import Options

METRICS = ("recall@10", "ndcg@10")


def trained_and_judged(
    split: Split, recipe: str, overrides: Sequence[str], seed: int, opponents: Sequence[str] = ()
) -> dict[str, Any]:
    started = time.perf_counter(), time.process_time()
    recommender = horae.train(split, recipe, overrides=overrides, seed=seed, options=Options(progress=Shown()))
    cost = recommender.card["training"]
    beside = opponents_of(recommender, split, opponents)
    judged = horae.evaluate(recommender, split, opponents=beside, seed=seed).as_dict()
    return {
        "seed": seed,
        "recipe": recipe,
        "overrides": list(overrides),
        "users": judged["users"],
        "requests": judged["requests"],
        "epochs": cost["epochs"],
        "best_epoch": cost["best_epoch"],
        "validation": cost["validation"],
        "train_cpu_seconds": cost["cpu_seconds"],
        "train_seconds": cost["train_seconds"],
        "padding_share": cost["padding_share"],
        "peak_memory_mb": cost["peak_memory_mb"],
        "metrics": {name: judged["metrics"][name] for name in METRICS},
        "opponents": {
            name: one and {metric: one[metric]["mean"] for metric in METRICS}
            for name, one in judged["opponents"].items()
        },
        "against": {name: {m: one[m] for m in METRICS} for name, one in judged["against"].items()},
        "leak_audit": judged["leak_audit"]["passed"],
        "seconds": round(time.perf_counter() - started[0], 1),
        "cpu_seconds": round(time.process_time() - started[1], 1),
    }


def means(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation of each metric over the runs."""
    taken = {name: [run["metrics"][name]["mean"] for run in runs] for name in METRICS}
    return {
        name: {"mean": statistics.mean(values), "sd": statistics.stdev(values) if len(values) > 1 else None}
        for name, values in taken.items()
    }
