"""Bar: 1M events in seconds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.record import medians
from horae.data.simulate import ShopSettings, simulate


def measure(data: Path) -> dict[str, Any]:
    settings = ShopSettings(users=20_000, items=5_000, events=1_000_000)

    def once() -> dict[str, float]:
        started, cpu = time.perf_counter(), time.process_time()
        rows = simulate(settings, seed=1).frame.height
        return {"rows": rows, "seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}

    return medians(3, once)
