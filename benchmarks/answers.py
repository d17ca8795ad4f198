"""Bars: all 6,040 users of ml-1m in 5 s after loading; one unseen history (50 events, 12k items) in 1.0 ms
of CPU, median (goal 0.5). All users of Beauty stand beside; `peers_answers` compares both sets with the peers."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import horae
from horae.recommend.recommender import Recommender
from horae.training.train import Options

# speed does not depend on what the weights are: one short epoch makes a recommender of the right shape
QUICK = ("train.epochs=1", "train.loss=sampled_softmax", "train.windows=last")


def measure(data: Path) -> dict[str, Any]:
    movies = _shaped(data / "ml-1m/interactions.parquet", ("model.max_len=200",))
    started, cpu = time.perf_counter(), time.process_time()
    answer = movies.recommend(users=movies.sequences.users.all, k=10)
    all_users = {
        "users": movies.sequences.num_users,
        "rows": len(answer),
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "max_len": 200,
    }
    beauty = _shaped(data / "amazon-beauty-2014/interactions.parquet", ())
    started, cpu = time.perf_counter(), time.process_time()
    answer = beauty.recommend(users=beauty.sequences.users.all, k=10)
    all_of_beauty = {
        "users": beauty.sequences.num_users,
        "rows": len(answer),
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "max_len": 50,
    }
    ids = beauty.items.all.to_list()
    taken, cpu_taken = [], []
    for number in range(400):
        history = [ids[(number * 131 + step * 37) % len(ids)] for step in range(50)]
        started, cpu = time.perf_counter(), time.process_time()
        beauty.recommend(histories=[history], k=10)
        taken.append(time.perf_counter() - started)
        cpu_taken.append(time.process_time() - cpu)
    milliseconds = sorted(1000 * seconds for seconds in taken[50:])
    return {
        "all_users_of_ml_1m": all_users,
        "all_users_of_beauty": all_of_beauty,
        "one_unseen_history": {
            "items": len(ids),
            "median_ms": statistics.median(milliseconds),
            "p99_ms": milliseconds[int(0.99 * len(milliseconds))],
            "median_cpu_ms": 1000 * statistics.median(cpu_taken[50:]),
        },
    }


def _shaped(file: Path, overrides: tuple[str, ...]) -> Recommender:
    split = horae.split_leave_one_out(horae.read_events(file))
    trained = horae.train(split, "sasrec", overrides=[*overrides, *QUICK], options=Options())
    with tempfile.TemporaryDirectory() as folder:
        return horae.load(trained.save(Path(folder) / "run"))
