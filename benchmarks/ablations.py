"""What each part is worth: one thing changed at a time against `sasrec` (ml-100k, leave-one-out, one seed).

One seed tells large differences only: the five of `ml100k_quality` say how far seeds lie apart. No bar.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import horae
from benchmarks.quality import METRICS, trained_and_judged

SEED = 0
BOUNDED = ("train.patience=4", "train.epochs=20")
SAMPLED = "train.loss=sampled_softmax"
POPULAR = (SAMPLED, "train.num_negatives=256", "train.negatives=popularity")

ROWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "base": ("sasrec", ()),
    "items drawn at random": ("sasrec", ('train.item_start="random"',)),
    "the weights as they are, no mean": ("sasrec", ("train.average_steps=0",)),
    "no weight decay": ("sasrec", ("train.weight_decay=0.0",)),
    "one layer": ("sasrec", ("model.num_layers=1",)),
    "batches twice as large": ("sasrec", ("train.batch_tokens=2048",)),
    "l1 1e-6": ("sasrec", ("train.l1=1e-6",)),
    "no dropout": ("sasrec", ("model.dropout=0.0",)),
    "dropout of events": ("sasrec", ("model.dropout_kind=event",)),
    "variational dropout": ("sasrec", ("model.dropout_kind=variational",)),
    "gBCE, 256 negatives": ("gsasrec", ()),
    "sampled softmax, 256 uniform": ("sasrec", (SAMPLED, "train.num_negatives=256")),
    "sampled softmax, 256 by popularity, logQ": ("sasrec", POPULAR),
    "binary, 1 negative": ("sasrec", ("train.loss=binary",)),
    "feed-forward four times as wide": ("sasrec", ("model.ffn_multiple=4",)),
    "float32": ("sasrec", ("train.precision=float32",)),
    "relearned": ("sasrec", ("train.relearn=true",)),
    "item-knn": ("item-knn", ()),
    "three seeds of sasrec": ("ensemble", ('model.ensemble=["sasrec", "sasrec", "sasrec"]',)),
    "sasrec and item-knn": ("ensemble", ('model.ensemble=["sasrec", "item-knn"]',)),
}
"""What a row is called, its recipe, its overrides."""


def measure(data: Path) -> dict[str, Any]:
    split = horae.split_leave_one_out(horae.read_events(data / "ml-100k/raw/u.data"))
    runs = {
        name: trained_and_judged(split, recipe, [*overrides, *(BOUNDED if name != "item-knn" else ())], SEED)
        for name, (recipe, overrides) in ROWS.items()
    }
    return {
        "protocol": "leave-one-out, log order of ties, full ranking, seen masked, one seed",
        "table": {name: _row(run, runs["base"]) for name, run in runs.items()},
        "runs": runs,
    }


def _row(run: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    means = {name: run["metrics"][name]["mean"] for name in METRICS}
    over = {f"{name}_over_base": means[name] / base["metrics"][name]["mean"] - 1 for name in METRICS}
    return {**means, **over, "epochs": run["epochs"], "train_cpu_seconds": run["train_cpu_seconds"]}
