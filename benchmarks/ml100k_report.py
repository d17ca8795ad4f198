"""Bar: 3 minutes from the raw `u.data` to the report with all opponents and SASRec, by the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def measure(data: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        log = str(data / "ml-100k/raw/u.data")
        train = ["train", log, "-o", str(run), "--recipe", "sasrec", "--split", "leave-one-out", "--json"]
        started = time.perf_counter()
        trained = _horae(train)
        middle = time.perf_counter()
        judged = _horae(["evaluate", str(run), "--json"])
        ended = time.perf_counter()
        report = (run / "report.html").stat().st_size
    return {
        "seconds": round(ended - started, 1),
        "train_command_seconds": round(middle - started, 1),
        "evaluate_command_seconds": round(ended - middle, 1),
        "epochs": trained["epochs"],
        "ndcg@10": judged["metrics"]["ndcg@10"],
        "recall@10": judged["metrics"]["recall@10"],
        "opponents": {
            name: one and {metric: one[metric]["mean"] for metric in ("recall@10", "ndcg@10")}
            for name, one in judged["opponents"].items()
        },
        "report_bytes": report,
    }


def _horae(arguments: list[str]) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "horae", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document
