"""Top ten for all users of Beauty and ml-1m, after loading: users a CPU second, one thread.

Bar: 2.5 times the fastest neural peer; goal 5 times. RecTools and we leave seen items out; RePlay's own callback does
not, which spares it that work. Tuned: the allocator keeps big blocks, and RePlay's `AdaptiveTrimTransform` cuts
each batch to its longest row. implicit's and LensKit's models know no order; they stand beside, where their
environments were made (LensKit's for the first thousand users).
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import horae
from benchmarks.peers.contest import OURS, in_turn, ratios, rounds, spread
from benchmarks.peers.environments import ask, ask_ours, made, versions
from benchmarks.peers.handed import hand_over
from benchmarks.peers_training import SHAPE

SETS = {"amazon-beauty-2014": 50, "ml-1m": 200}
NEURAL: dict[str, tuple[str, dict[str, Any], bool]] = {
    "rectools, as installed": ("rectools", {}, False),
    "rectools, tuned": ("rectools", {}, True),
    "replay, as installed": ("replay", {}, False),
    "replay, tuned, trimmed": ("replay", {"trimmed": True}, True),
}
COUNTED: dict[str, tuple[str, dict[str, Any]]] = {
    "implicit item_knn": ("implicit", {"model": "item_knn", "dim": 64}),
    "implicit ials": ("implicit", {"model": "ials", "dim": 64}),
    "lenskit ials": ("lenskit", {"model": "ials", "dim": 64, "users": 1000}),
}
PACKAGES = {"rectools": "rectools", "replay": "replay-rec", "implicit": "implicit", "lenskit": "lenskit"}


def measure(data: Path) -> dict[str, Any]:
    times = rounds()
    return {
        "threads": 1,
        "rounds": times,
        "left_out": [name for name in PACKAGES if not made(name)],
        "versions": {name: versions(name, (package,)) for name, package in PACKAGES.items() if made(name)},
        "sets": {name: _one(data / name / "interactions.parquet", SETS[name], times) for name in SETS},
    }


def _one(file: Path, max_len: int, times: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        log = hand_over(horae.split_leave_one_out(horae.read_events(file)), Path(folder) / "log.npz")
        shape = {"dim": 64, "max_len": max_len, "batch": 256}
        sides = {OURS: partial(ask_ours, "answers", file, {"overrides": [*SHAPE, f"model.max_len={max_len}"]})}
        sides |= {
            label: partial(ask, peer, "answers", log, {**shape, **own}, tuned=tuned)
            for label, (peer, own, tuned) in NEURAL.items()
        }
        sides |= {
            label: partial(ask, peer, "answers", log, settings)
            for label, (peer, settings) in COUNTED.items()
            if made(peer)
        }
        told = in_turn(sides, times)
    for runs in told.values():
        for run in runs:
            run["users_per_cpu_second"] = run["users"] / run["cpu_seconds"]
    return {
        "max_len": max_len,
        "sides": {name: spread(runs) for name, runs in told.items()},
        "ratio": ratios(told, "users_per_cpu_second", more_is_better=True),
    }
