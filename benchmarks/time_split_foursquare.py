"""foursquare-nyc by time; see `time_split`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.time_split import judged_by_time


def measure(data: Path) -> dict[str, Any]:
    return judged_by_time(data / "foursquare-nyc/interactions.parquet", ["train.epochs=30"])
