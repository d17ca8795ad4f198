"""10M events, 200k users, 50k items. Bars: Parquet to sequences 10 s, 3 GB; CSV with `data describe` 45 s, 4 GB."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.record import fresh

EVENTS, USERS, ITEMS = 10_000_000, 200_000, 50_000

STEPS = """
import json, resource, sys, time
started = time.perf_counter(), time.process_time()
import horae
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
imported = time.perf_counter()
events = horae.read_events(sys.argv[1])
cleaned = time.perf_counter()
if sys.argv[2] == "describe":
    print(horae.describe(events))
described = time.perf_counter()
sequences = Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))
done = time.perf_counter()
assert len(sequences.flat) == len(events)
print(json.dumps({
    "events": len(events),
    "import_seconds": imported - started[0],
    "read_and_clean_seconds": cleaned - imported,
    "describe_seconds": described - cleaned,
    "sequences_seconds": done - described,
    "seconds": done - started[0],
    "cpu_seconds": time.process_time() - started[1],
    "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
}))
"""


def log(seed: int = 0) -> pl.DataFrame:
    """Shuffled events; item popularity falls as 1 / rank."""
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, ITEMS + 1)
    item = np.searchsorted(np.cumsum(weight / weight.sum()), rng.random(EVENTS)).clip(max=ITEMS - 1)
    behavior = np.array(["view", "cart", "purchase"])[rng.choice(3, EVENTS, p=[0.85, 0.1, 0.05])]
    return pl.DataFrame(
        {
            "user_id": rng.integers(1, USERS + 1, EVENTS),
            "item_id": item + 1,
            "behavior": behavior,
            "timestamp": rng.integers(1_600_000_000, 1_630_000_000, EVENTS),
            "value": rng.gamma(2.0, 10.0, EVENTS).round(2),
        }
    )


def measure(data: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        frame = log()
        frame.write_parquet(f"{folder}/events.parquet")
        frame.write_csv(f"{folder}/events.csv")
        del frame
        parquet = [fresh(STEPS, f"{folder}/events.parquet", "") for _ in range(3)]
        csv = [fresh(STEPS, f"{folder}/events.csv", "describe") for _ in range(2)]
    return {"parquet": parquet, "csv_with_describe": csv}
