"""Where a figure comes from: commit, machine, versions, command."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parent.parent


def commit(*, allow_dirty: bool = False) -> str:
    """The commit; refuses a tree whose code is not what was committed (results may lie about)."""
    status = subprocess.run(
        ["git", "status", "--porcelain", "--", "src", "benchmarks/*.py", "benchmarks/peers", "pyproject.toml"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    ).stdout.strip()  # fmt: skip
    if status and not allow_dirty:
        sys.exit(f"The tree is dirty; commit first, so that the figures have a commit:\n{status}")
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip() + ("-dirty" if status else "")


def machine() -> dict[str, Any]:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ":")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": model.partition(":")[2].strip(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("torch", "numpy", "polars")},
    }


def write(name: str, figures: dict[str, Any], revision: str) -> Path:
    RESULTS.mkdir(exist_ok=True)
    load = round(os.getloadavg()[0], 1)
    document = {
        "claim": name,
        "command": f"python -m benchmarks {name}",
        "commit": revision,
        "machine": machine(),
        "threads": int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0)))),
        "load_at_end": load,
        **figures,
    }
    file = RESULTS / f"{name}.json"
    whole = file.with_suffix(".part")  # renamed when whole: a killed run leaves the old result, not half of a new one
    whole.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    whole.replace(file)
    return file


def fresh(code: str, *arguments: str) -> dict[str, Any]:
    """Run code in a process of its own; it prints one JSON line; wall, CPU and peak memory are added."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT)
    wall = time.perf_counter() - started
    if done.returncode:
        sys.exit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    printed = json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {}
    return {**printed, "process_wall_seconds": round(wall, 3), "process_cpu_seconds": round(cpu, 3)}


def medians(runs: int, once: Callable[[], dict[str, float]]) -> dict[str, Any]:
    """Minimum, median and maximum of each figure over several runs."""
    taken = [once() for _ in range(runs)]
    names = [name for name, value in taken[0].items() if isinstance(value, int | float)]
    return {
        name: {
            "min": min(run[name] for run in taken),
            "median": statistics.median(run[name] for run in taken),
            "max": max(run[name] for run in taken),
        }
        for name in names
    }
