"""An epoch of SASRec, full softmax: dim 64, 2 layers, 2 heads, feed-forward 64-64 everywhere; CPU seconds, one thread.

The peers' epoch is the median of timed steps times the steps of an epoch; ours is run whole. Every side learns from the
newest `max_len + 1` events of each user before validation. Bars: 1/10 of the fastest peer on Beauty as installed, 1/6
tuned; 1/2 on ml-1m; peak memory below every peer. Peers run as installed and tuned: the allocator keeps big blocks;
RePlay also with its length-bucketed encoder and `LogInCE`, its full softmax of the real targets alone. The sampled
softmax of RePlay and RecTools is another loss and stands beside for orientation. Our `precision = "auto"` makes the
softmax's products in bfloat16 where the machine has them; float32 stands beside. bfloat16 does not help the peers: with
length buckets RePlay refuses it, without it was no quicker.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import horae
from benchmarks.peers.contest import OURS, in_turn, ratios, rounds, spread
from benchmarks.peers.environments import ask, ask_ours, versions
from benchmarks.peers.handed import hand_over

SETS = {"amazon-beauty-2014": 50, "ml-1m": 200}
SHAPE = ("model.dim=64", "model.num_layers=2", "model.num_heads=2", "model.ffn_multiple=1")
SAME_WORK = (*SHAPE, "train.loss=softmax", "train.windows=last")
BATCH = {"amazon-beauty-2014": ("train.batch_tokens=1024",), "ml-1m": ("train.batch_tokens=2048",)}
OURS_FLOAT32 = f"{OURS}, float32"
SAMPLED = {"loss": "ce_sampled", "negatives": 256, "bucket": 32}

Side = tuple[str, dict[str, Any], bool]
PEERS: dict[str, Side] = {
    "rectools, as installed": ("rectools", {}, False),
    "rectools, tuned": ("rectools", {}, True),
    "replay, as installed": ("replay", {}, False),
    "replay, tuned": ("replay", {}, True),
    "replay, tuned, LogInCE, length buckets": ("replay", {"loss": "login_ce", "bucket": 32}, True),
    "recbole, as installed": ("recbole", {"batch": 256}, False),
}
ANOTHER_LOSS: dict[str, Side] = {
    "rectools, tuned, 256 sampled negatives": ("rectools", {"loss": "sampled_softmax", "negatives": 256}, True),
    "replay, tuned, 256 sampled negatives, length buckets": ("replay", SAMPLED, True),
}
LEFT_OUT = {"ml-1m": {"recbole, as installed": "one padded row per target, L 200: hours an epoch, 7 GB"}}
STEPS = 6


def measure(data: Path) -> dict[str, Any]:
    times = rounds()
    return {
        "threads": 1,
        "rounds": times,
        "seed": 0,
        "steps_timed": STEPS,
        "overrides": list(SAME_WORK),
        "versions": {name: versions(name, (package, "torch")) for name, package in PACKAGES.items()},
        "left_out": LEFT_OUT,
        "sets": {name: _one(data / name / "interactions.parquet", name, times) for name in SETS},
    }


PACKAGES = {"rectools": "rectools", "replay": "replay-rec", "recbole": "recbole"}


def _one(file: Path, name: str, times: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        split = horae.split_leave_one_out(horae.read_events(file))
        log = hand_over(split, Path(folder) / "log.npz")
        del split
        overrides = [*SAME_WORK, f"model.max_len={SETS[name]}", *BATCH[name]]
        sides: dict[str, Callable[[], dict[str, Any]]] = {
            OURS: partial(ask_ours, "epoch", file, {"overrides": overrides}),
            OURS_FLOAT32: partial(ask_ours, "epoch", file, {"overrides": [*overrides, "train.precision=float32"]}),
        }
        for label, (peer, settings, tuned) in (PEERS | ANOTHER_LOSS).items():
            if label not in LEFT_OUT.get(name, {}):
                shape = {"dim": 64, "max_len": SETS[name], "batch": 128, "count": STEPS, **settings}
                sides[label] = partial(ask, peer, "steps", log, shape, tuned=tuned)
        told = in_turn(sides, times)
    same = {label: runs for label, runs in told.items() if label not in (*ANOTHER_LOSS, OURS_FLOAT32)}
    return {
        "max_len": SETS[name],
        "sides": {label: spread(runs) for label, runs in told.items()},
        "cpu_ratio": ratios(same, "epoch_cpu_seconds"),
        "memory_ratio": ratios(same, "peak_memory_mb"),
        "another_loss": list(ANOTHER_LOSS),
    }
