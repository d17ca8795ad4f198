"""amazon-beauty-2014 by time; see `time_split`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.time_split import judged_by_time


def measure(data: Path) -> dict[str, Any]:
    return judged_by_time(
        data / "amazon-beauty-2014/interactions.parquet",
        ["model.dropout=0.5", "train.batch_tokens=1024", "train.epochs=25"],
    )
