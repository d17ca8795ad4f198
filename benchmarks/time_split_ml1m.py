"""ml-1m, users 1 to 2999 by time; see `time_split`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.time_split import judged_by_time


def measure(data: Path) -> dict[str, Any]:
    return judged_by_time(data / "ml-1m/interactions_timestamped_users_1_2999.parquet", ["train.epochs=20"])
