"""One training and its judgement, for the claims about ranking quality."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import polars as pl

import horae
from horae.data.split import Split
from horae.evaluation.opponents import opponents_of
from horae.recommend.recommender import Recommender
from horae.training.progress import Shown
from horae.training.train import Options

METRICS = ("recall@10", "ndcg@10")


def trained_and_judged(
    split: Split,
    recipe: str,
    overrides: Sequence[str],
    seed: int,
    opponents: Sequence[str] = (),
    metrics: Sequence[str] = METRICS,
    catalog: pl.DataFrame | None = None,
) -> dict[str, Any]:
    """The figures of one run; opponents are fitted on everything before the test and compared pair by pair."""
    how = Options(progress=Shown())
    started = time.perf_counter(), time.process_time()
    recommender = horae.train(split, recipe, overrides=overrides, seed=seed, catalog=catalog, options=how)
    return judged_run(recommender, split, overrides, seed, opponents, metrics, started)


def judged_run(
    recommender: Recommender,
    split: Split,
    overrides: Sequence[str],
    seed: int,
    opponents: Sequence[str] = (),
    metrics: Sequence[str] = METRICS,
    started: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """The figures of a trained network; `started`: the clock and the CPU seconds when its training began."""
    started = started or (time.perf_counter(), time.process_time())
    cost = recommender.card["training"]
    beside = opponents_of(recommender, split, opponents)
    judged = horae.evaluate(recommender, split, opponents=beside, seed=seed).as_dict()
    return {
        "seed": seed,
        "recipe": recommender.recipe.name,
        "overrides": list(overrides),
        "model": dict(recommender.recipe.model),
        "train": dict(recommender.recipe.train),
        "chosen": recommender.card.get("chosen"),
        "content": (recommender.card.get("content") or {}).get("settings"),
        "users": judged["users"],
        "requests": judged["requests"],
        "epochs": cost["epochs"],
        "best_epoch": cost["best_epoch"],
        "validation": cost["validation"],
        "curve": [
            [line["cpu_seconds"], line["validation"]["ndcg@10"]] for line in recommender.log if line.get("validation")
        ],
        "train_cpu_seconds": cost["cpu_seconds"],
        "train_seconds": cost["train_seconds"],
        "padding_share": cost["padding_share"],
        "peak_memory_mb": cost["peak_memory_mb"],
        "metrics": {name: judged["metrics"][name] for name in metrics},
        "opponents": {
            name: one and {metric: one[metric]["mean"] for metric in metrics}
            for name, one in judged["opponents"].items()
        },
        "against": {name: {m: one[m] for m in metrics} for name, one in judged["against"].items()},
        "leak_audit": judged["leak_audit"]["passed"],
        "seconds": round(time.perf_counter() - started[0], 1),
        "cpu_seconds": round(time.process_time() - started[1], 1),
    }


def means(runs: Sequence[dict[str, Any]], metrics: Sequence[str] = METRICS) -> dict[str, Any]:
    """Mean and standard deviation of each metric over the runs."""
    taken = {name: [run["metrics"][name]["mean"] for run in runs] for name in metrics}
    return {
        name: {"mean": statistics.mean(values), "sd": statistics.stdev(values) if len(values) > 1 else None}
        for name, values in taken.items()
    }
