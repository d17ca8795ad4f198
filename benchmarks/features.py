"""Features as of each of 10M events, streamed to Parquet. Bars on 2 cores: of users, count, sum, mean, deviation, rate,
decay and recency in 60 s and 4 GB; then the rest of them, and those of items, in 240 s at most.

HORAE_FEATURES names another size: HORAE_FEATURES=200000 python -m benchmarks features --allow-dirty.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.record import fresh

EVENTS = int(os.environ.get("HORAE_FEATURES", "10000000"))
EVENTS_PER_USER, ITEMS = 50, 50_000
FIRST = "windows,decay,recency"
REST = "distinct,extremes,gaps,bursts,session,context"
"""Context is the behavior, the device and the price."""

STEPS = """
import json, resource, sys, time
import horae
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
source, by, groups, out = sys.argv[1:]
began = time.perf_counter()
events = horae.read_events(source)
read_seconds, read_peak = time.perf_counter() - began, peak()
started = time.perf_counter(), time.process_time()
rows = horae.write_features(events, out, by, settings=horae.FeatureSettings(groups.split(",") if groups else None))
seconds, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
import pyarrow.parquet
file = pyarrow.parquet.ParquetFile(out)
print(json.dumps({
    "by": by, "groups": groups or "all", "rows": rows, "columns": file.metadata.num_columns,
    "file_gb": sum(file.metadata.row_group(n).total_byte_size for n in range(file.metadata.num_row_groups)) / 1e9,
    "read_seconds": read_seconds, "peak_memory_after_reading_gb": read_peak,
    "seconds": seconds, "cpu_seconds": cpu, "peak_memory_gb": peak(),
}))
"""


def log(events: int, seed: int = 0) -> pl.DataFrame:
    """Shuffled events, 50 of a user on average; item popularity falls as 1 / rank."""
    rng = np.random.default_rng(seed)
    weight = np.cumsum(1 / np.arange(1, ITEMS + 1))
    return pl.DataFrame(
        {
            "user_id": rng.integers(1, max(events // EVENTS_PER_USER, 1) + 1, events),
            "item_id": np.searchsorted(weight, rng.random(events) * weight[-1]) + 1,
            "behavior": np.array(["view", "cart", "purchase"])[rng.choice(3, events, p=[0.85, 0.1, 0.05])],
            "timestamp": rng.integers(1_600_000_000, 1_630_000_000, events),
            "value": rng.gamma(2.0, 10.0, events).round(2),
            "device": np.array(["phone", "desk", "tablet"])[rng.choice(3, events, p=[0.6, 0.3, 0.1])],
            "price": rng.gamma(2.0, 10.0, events).round(2),
        }
    )


def measure(data: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        source, out = f"{folder}/events.parquet", f"{folder}/features.parquet"
        log(EVENTS).write_parquet(source)
        first = [fresh(STEPS, source, "user", FIRST, out) for _ in range(3)]
        rest = fresh(STEPS, source, "user", REST, out)
        items = fresh(STEPS, source, "item", "", out)
    return {
        "events": EVENTS,
        "users_first": first,
        "users_rest": rest,
        "items_all": items,
        "rest_and_items_seconds": rest["seconds"] + items["seconds"],
    }
