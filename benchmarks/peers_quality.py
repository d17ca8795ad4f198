"""CPU seconds of training until the peer's own best validation NDCG@10; leave-one-out, everybody, seen items masked.

Each peer trains with its defaults (dim 64, 2 layers, 2 heads, length 50), stops when ten epochs in a row are no better,
within 45 minutes of CPU time; its allocator is tuned, and RePlay on Beauty computes its full softmax the cheapest way
(`LogInCE`, length buckets). One piece of code judges both peers and gives what ours gives; no judging is counted.
A peer's curve depends on its pinned version, not on our commit: it is kept beside its environment and used again
(delete the folder `curves` there to measure it anew); ours is measured at each run. Bars: a fifth of the peer's time
on ml-100k, a tenth on Beauty; goals a tenth and a twentieth. `HORAE_SETS=ml-100k` measures that set alone, into the
same file.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import horae
from benchmarks.beauty_quality import OVERRIDES
from benchmarks.peers.environments import ask, ask_ours, folder, versions
from benchmarks.peers.handed import hand_over
from benchmarks.record import RESULTS

FILES = {"ml-100k": "ml-100k/raw/u.data", "amazon-beauty-2014": "amazon-beauty-2014/interactions.parquet"}
OURS: dict[str, list[str]] = {
    "ml-100k": ["train.learning_rate=0.003", "model.ffn_multiple=1"],
    "amazon-beauty-2014": list(OVERRIDES),
}
SEEDS = {"ml-100k": (0, 1, 2), "amazon-beauty-2014": (0,)}
SHAPE = {"dim": 64, "max_len": 50, "batch": 128}
STOP = {"patience": 10, "cpu_limit": 2700}
CHEAP = {"loss": "login_ce", "bucket": 32}
PEERS: dict[str, dict[str, dict[str, Any]]] = {
    "ml-100k": {"rectools": {}, "replay": {}},
    "amazon-beauty-2014": {"replay": CHEAP},
}
BEST = "validation_ndcg@10"


def measure(data: Path) -> dict[str, Any]:
    chosen = os.environ.get("HORAE_SETS", ",".join(FILES)).split(",")
    kept = RESULTS / "peers_quality.json"
    earlier = json.loads(kept.read_text(encoding="utf-8"))["sets"] if kept.exists() else {}
    before = {name: earlier.get(name) for name in FILES if name in chosen or name in earlier}
    return {
        "threads": 1,
        "protocol": "leave-one-out, log order of ties, full ranking, seen masked",
        "versions": {
            "rectools": versions("rectools", ("rectools", "torch")),
            "replay": versions("replay", ("replay-rec", "torch")),
        },
        "sets": {name: one if name not in chosen else _one(data / FILES[name], name) for name, one in before.items()},
    }


def _one(file: Path, name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        log = hand_over(horae.split_leave_one_out(horae.read_events(file)), Path(place) / "log.npz")
        peers = {peer: _curve(peer, name, log, own) for peer, own in PEERS[name].items()}
        usual = {peer: ask(peer, "steps", log, {**SHAPE, "count": 5})["epoch_cpu_seconds"] for peer in peers}
    ours = [ask_ours("curve", file, {"overrides": OURS[name], "seed": seed}) for seed in SEEDS[name]]
    return {
        "seeds": list(SEEDS[name]),
        "overrides": OURS[name],
        "horae": ours,
        "peers": peers,
        "to_the_best_of": {peer: _compared(one, usual[peer], ours) for peer, one in peers.items()},
    }


def _curve(peer: str, name: str, log: Path, own: dict[str, Any]) -> dict[str, Any]:
    """The peer's curve: kept from an earlier run with the same settings and versions, or measured."""
    kept = folder() / "curves" / f"{name}-{peer}.json"
    made_of = {"settings": {**SHAPE, **STOP, **own}, "versions": versions(peer, ("torch",))}
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        if {key: found[key] for key in made_of} == made_of:
            return found
    kept.parent.mkdir(parents=True, exist_ok=True)
    settings = {**made_of["settings"], "out": str(kept.with_suffix(".running"))}
    told = {**made_of, **ask(peer, "curve", log, settings, tuned=True)}
    kept.write_text(json.dumps(told, indent=1), encoding="utf-8")
    return told


def _compared(peer: dict[str, Any], usual_epoch: float, ours: list[dict[str, Any]]) -> dict[str, Any]:
    """Their seconds to their best, and ours to the same; `as_installed`: the same epochs at the usual epoch's cost."""
    best = max(peer["points"], key=lambda point: point[BEST])
    reached = [reaches(one["points"], best[BEST]) for one in ours]
    all_reached = [seconds for seconds in reached if seconds is not None]
    median = statistics.median(all_reached) if len(all_reached) == len(ours) else None
    return {
        "best": best,
        "ended": peer["ended"],
        "cpu_seconds": best["cpu_seconds"],
        "cpu_seconds_as_installed": usual_epoch * best["epoch"],
        "horae_cpu_seconds": reached,
        "ratio": median and best["cpu_seconds"] / median,
        "ratio_low": median and best["cpu_seconds"] / max(all_reached),
        "ratio_high": median and best["cpu_seconds"] / min(all_reached),
        "ratio_as_installed": median and usual_epoch * best["epoch"] / median,
    }


def reaches(points: list[dict[str, float]], quality: float) -> float | None:
    """CPU seconds after the first epoch whose validation is as good; None: never."""
    return next((point["cpu_seconds"] for point in points if point[BEST] >= quality), None)
