"""From 1M to 100M events: Parquet to arrays on disk in bounded memory, and a short training on the largest.

HORAE_SCALE names other sizes, in millions: HORAE_SCALE=1,3 python -m benchmarks scale --allow-dirty.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.record import fresh

SIZES = tuple(int(size) for size in os.environ.get("HORAE_SCALE", "1,3,10,30,100").split(","))
FILE_EVENTS, EVENTS_PER_USER, ITEMS, MEMORY_GB = 1_000_000, 50, 100_000, 2.0

PREPARE = """
import json, resource, sys, time
import horae
started = time.perf_counter(), time.process_time()
prepared = horae.prepare_large(sys.argv[1], sys.argv[2], memory_gb=float(sys.argv[3]))
seconds, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
millions = len(prepared) / 1e6
print(json.dumps({
    "events": len(prepared), "users": prepared.sequences.num_users, "items": prepared.sequences.num_items,
    "seconds": seconds, "cpu_seconds": cpu,
    "seconds_per_million": seconds / millions, "cpu_seconds_per_million": cpu / millions,
    "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
}))
"""

TRAIN = """
import json, resource, sys, time
import numpy as np, torch
import horae
from horae.models.compose import compose
from horae.recipe import load_recipe
from horae.sequences.framing import windows
from horae.training.objectives import make_objective
prepared = horae.open_large(sys.argv[1], verify=False)
started = time.perf_counter(), time.process_time()
train = prepared.before(0.9)
cut_seconds = time.perf_counter() - started[0]
torch.manual_seed(0)
recipe = load_recipe("sasrec", ["model.dim=32", "model.max_len=50", "model.num_layers=1"])
network = compose(recipe.model, train.num_items, len(train.behaviors))
objective = make_objective(network, "sampled_softmax", 256, "uniform", count_I=torch.ones(train.num_items + 1), seed=0)
optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
rng = np.random.default_rng(0)
cut = windows(train, network.max_len, "last", rng)
losses, positions = [], 0
began = time.perf_counter(), time.process_time()
for step in range(int(sys.argv[2])):
    framed = network.framing.frame(cut.take(np.sort(rng.integers(0, len(cut), 40))), rng)
    for parameters, loss in objective.steps(network, framed):
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    losses.append(float(loss))
    positions += framed.target_BL.numel()
seconds, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
print(json.dumps({
    "events_before": len(train), "windows": len(cut), "cut_seconds": cut_seconds, "steps": len(losses),
    "first_loss": float(np.mean(losses[:20])), "last_loss": float(np.mean(losses[-20:])),
    "seconds": seconds, "cpu_seconds": cpu, "positions_per_second": positions / seconds,
    "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
}))
"""


def write_log(folder: Path, millions: int) -> None:
    """Shuffled events, 50 of a user on average; item popularity falls as 1 / rank. One file per million."""
    weight = np.cumsum(1 / np.arange(1, ITEMS + 1))
    users = millions * 1_000_000 // EVENTS_PER_USER
    folder.mkdir()
    for number in range(millions):
        rng = np.random.default_rng([millions, number])
        frame = pl.DataFrame(
            {
                "user_id": rng.integers(1, users + 1, FILE_EVENTS),
                "item_id": np.searchsorted(weight, rng.random(FILE_EVENTS) * weight[-1]) + 1,
                "behavior": np.array(["view", "cart", "purchase"])[rng.choice(3, FILE_EVENTS, p=[0.85, 0.1, 0.05])],
                "timestamp": rng.integers(1_600_000_000, 1_630_000_000, FILE_EVENTS),
                "value": rng.gamma(2.0, 10.0, FILE_EVENTS).round(2),
            }
        )
        frame.write_parquet(folder / f"{number:03}.parquet")


def measure(data: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {"memory_gb_given": MEMORY_GB, "sizes": []}
    for millions in SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_log(folder / "log", millions)
            arguments = (str(folder / "log"), str(folder / "prepared"), str(MEMORY_GB))
            figures["sizes"].append({"millions": millions, **fresh(PREPARE, *arguments)})
            if millions == max(SIZES):
                figures["training_on_the_largest"] = fresh(TRAIN, str(folder / "prepared"), "300")
    return figures
