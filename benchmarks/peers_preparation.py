"""10M events from Parquet to what training reads: ours (cleaning included) against RePlay's encoding and grouping.

RePlay is asked in its documented way, `SequenceTokenizer`, and in the quickest that its parts allow: encoder and
grouping without the pandas objects between. It checks and cleans nothing, and reads three columns of five.
Bars: 2/3 of RePlay's CPU seconds, and less memory; goals 1/3 and half. The log is that of `prepare`; the process, with
its imports, is counted from the first line after them; memory includes them. One thread.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.peers.contest import OURS, in_turn, ratios, rounds, spread
from benchmarks.peers.environments import ask, ask_ours, versions
from benchmarks.prepare import log


def measure(data: Path) -> dict[str, Any]:
    times = rounds(2)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.parquet"
        log().write_parquet(file)
        told = in_turn(
            {
                OURS: partial(ask_ours, "prepare", file, {}),
                "replay, tokenizer": partial(ask, "replay", "prepare", file, {"behind": folder, "way": "tokenizer"}),
                "replay, encoder alone": partial(ask, "replay", "prepare", file, {"behind": folder, "way": "encoder"}),
            },
            times,
        )
    return {
        "threads": 1,
        "rounds": times,
        "versions": {"replay": versions("replay", ("replay-rec", "polars"))},
        "sides": {name: spread(runs) for name, runs in told.items()},
        "cpu_ratio": ratios(told, "cpu_seconds"),
        "memory_ratio": ratios(told, "peak_memory_mb"),
    }
