"""`python -m benchmarks list | NAME... [--allow-dirty]`; public data through HORAE_DATA."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait do not burn the core of those that work

from benchmarks import record

CLAIMS = {
    "start": "import horae, horae --help: seconds and what they load",
    "prepare": "10M events, Parquet and CSV, to sequences in memory: seconds and peak memory",
    "ml100k_report": "ml-100k: from u.data to the report with all opponents and SASRec",
    "ml100k_quality": "ml-100k, leave-one-out, SASRec, 5 seeds",
    "beauty_quality": "amazon-beauty-2014, leave-one-out in log order, SASRec with full softmax",
    "time_split_foursquare": "foursquare-nyc, time split: SASRec against its opponents, paired",
    "time_split_beauty": "the same on amazon-beauty-2014",
    "time_split_ml1m": "the same on ml-1m, users 1 to 2999",
    "answers": "recommendations for all users of ml-1m; one unseen history of 50 events among 12k items",
    "simulate": "a shop's log of 1M events: seconds",
}


def main() -> None:
    names = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    if not names or names == ["list"]:
        for name, claim in CLAIMS.items():
            print(f"{name:<16} {claim}")
        return
    for name in names:
        if name not in CLAIMS:
            sys.exit(f"There is no benchmark {name!r}; see: python -m benchmarks list")
        revision = record.commit(allow_dirty="--allow-dirty" in sys.argv)
        data = Path(os.environ.get("HORAE_DATA", "")).resolve()
        figures = importlib.import_module(f"benchmarks.{name}").measure(data)
        file = record.write(name, figures, revision)
        print(json.dumps(figures, indent=1), f"\nwritten to {file.relative_to(record.ROOT)}")


if __name__ == "__main__":
    main()
