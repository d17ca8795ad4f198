"""Bars: `import horae` under 0.2 s without torch, `horae --help` under 0.5 s."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.record import medians

IMPORT = (
    "import time, sys; t = time.perf_counter(); import horae; print(time.perf_counter() - t, 'torch' in sys.modules)"
)


def measure(data: Path) -> dict[str, Any]:
    command = shutil.which("horae", path=str(Path(sys.executable).parent))
    assert command

    def once() -> dict[str, float]:
        done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
        seconds, torch = done.stdout.split()
        started = time.perf_counter()
        subprocess.run([command, "--help"], capture_output=True, check=True)
        return {
            "import_seconds": float(seconds),
            "import_loads_torch": int(torch == "True"),
            "help_seconds": time.perf_counter() - started,
        }

    return {"runs": 9, **medians(9, once)}
