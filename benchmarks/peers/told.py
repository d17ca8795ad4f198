"""What the peers' scripts share: the log handed over, the clock, the judge. In a peer's environment: numpy only.

In: an `.npz` that `benchmarks.peers.handed` wrote. Out: one JSON line on stdout. It knows neither Horae nor any peer.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

TRAIN, VALIDATION, TEST = 0, 1, 2
WARM_UP = 3


class Log:
    """Everybody's events in order: `item_N` from 0, -1 where the item is in no training; `part_N`; users by offsets."""

    def __init__(self, file: str) -> None:
        with np.load(file, allow_pickle=False) as held:
            self.item_N = held["item_N"]
            self.part_N = held["part_N"]
            self.offset_U = held["offset_U"]
            self.num_items = int(held["num_items"])
        self.num_users = len(self.offset_U) - 1

    def histories(self, until: int) -> list[np.ndarray]:
        """What each user did in the parts before `until`, with the items that training knows."""
        kept_N = (self.part_N < until) & (self.item_N >= 0)
        spans = zip(self.offset_U[:-1], self.offset_U[1:], strict=True)
        return [self.item_N[a:b][kept_N[a:b]] for a, b in spans]

    def targets(self, part: int) -> np.ndarray:
        """The event of that part, user by user; -1 where there is none, or it is of an unknown item: a miss."""
        target_U = np.full(self.num_users, -1)
        user_N = np.repeat(np.arange(self.num_users), np.diff(self.offset_U))
        chosen = self.part_N == part
        target_U[user_N[chosen]] = self.item_N[chosen]
        return target_U

    def asked(self, part: int) -> np.ndarray:
        """The users who have an event in that part."""
        user_N = np.repeat(np.arange(self.num_users), np.diff(self.offset_U))
        return np.unique(user_N[self.part_N == part])


def judged(top_UK: np.ndarray, target_U: np.ndarray) -> dict[str, float]:
    """Recall and NDCG of lists of ten, one target a user.

    Source: Jarvelin & Kekalainen 2002, section 2.2, with one relevant item: 1 / log2(1 + rank).
    """
    hit_UK = top_UK[:, :10] == target_U[:, None]
    gain_K = 1 / np.log2(np.arange(hit_UK.shape[1]) + 2)
    return {"recall@10": float(hit_UK.any(1).mean()), "ndcg@10": float((hit_UK * gain_K).sum(1).mean())}


def top_unseen(score_BI: np.ndarray, seen: list[np.ndarray], k: int = 10) -> np.ndarray:
    """The k best items of each row that its history does not hold; ties by index."""
    for row, items in enumerate(seen):
        score_BI[row, items] = -np.inf
    best_BK = np.sort(np.argpartition(-score_BI, k, axis=1)[:, :k], axis=1)
    order_BK = np.argsort(-np.take_along_axis(score_BI, best_BK, 1), axis=1, kind="stable")
    return np.take_along_axis(best_BK, order_BK, 1)


class Clock:
    """CPU and wall seconds since it was made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"seconds": time.perf_counter() - self.wall, "cpu_seconds": time.process_time() - self.cpu}


class Steps:
    """Notes the CPU time at the start of each step and after the last: loading, forward, backward, update."""

    def __init__(self) -> None:
        self.cpu: list[float] = []
        self.wall: list[float] = []

    def note(self) -> None:
        self.cpu.append(time.process_time())
        self.wall.append(time.perf_counter())

    def told(self, steps_per_epoch: int) -> dict[str, Any]:
        """Median step after the warm-up, times the steps of an epoch."""
        cpu, wall = np.diff(self.cpu)[WARM_UP:], np.diff(self.wall)[WARM_UP:]
        return {
            "timed_steps": len(cpu),
            "step_cpu_seconds": [round(float(one), 4) for one in cpu],
            "steps_per_epoch": steps_per_epoch,
            "epoch_cpu_seconds": float(np.median(cpu)) * steps_per_epoch,
            "epoch_seconds": float(np.median(wall)) * steps_per_epoch,
        }


class Curve:
    """Quality after each epoch beside the CPU seconds of training so far; the judging's own are not counted."""

    def __init__(self, file: str, patience: int, cpu_limit: float, judge: Callable[[], dict[str, float]]) -> None:
        self.file, self.patience, self.cpu_limit, self.judge = Path(file), patience, cpu_limit, judge
        self.points: list[dict[str, float]] = []
        self.cpu, self.started = 0.0, time.process_time()

    def epoch(self) -> bool:
        """Judge the epoch that has just ended; True: train no more."""
        self.cpu += time.process_time() - self.started
        self.points.append({"epoch": len(self.points) + 1, "cpu_seconds": round(self.cpu, 2), **self.judge()})
        whole = self.file.with_suffix(".part")
        whole.write_text(json.dumps(self.told()), encoding="utf-8")
        os.replace(whole, self.file)
        self.started = time.process_time()
        return self.ended is not None

    @property
    def ended(self) -> str | None:
        best = max(self.points, key=lambda point: point["validation_ndcg@10"])["epoch"]
        if len(self.points) - best >= self.patience:
            return "early stopping"
        return "limit of CPU seconds" if self.cpu >= self.cpu_limit else None

    def told(self) -> dict[str, Any]:
        return {"points": self.points, "ended": self.ended or "running", "peak_memory_mb": peak_memory_mb()}


def judged_both(log: Log, top_of: Callable[[list[np.ndarray], np.ndarray], np.ndarray]) -> dict[str, float]:
    """Validation and test figures; `top_of` answers histories (of the users named) with ten unseen items each."""
    figures = {}
    for name, part in (("validation", VALIDATION), ("test", TEST)):
        users = log.asked(part)
        histories = log.histories(part)
        one = judged(top_of([histories[user] for user in users], users), log.targets(part)[users])
        figures.update({f"{name}_{metric}": value for metric, value in one.items()})
    return figures


def peak_memory_mb() -> float:
    """Highest resident memory of this process, from the kernel; `ru_maxrss` would inherit the parent's."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(**verbs: Callable[..., dict[str, Any]]) -> None:
    """`script VERB LOG SETTINGS`: run the verb, print what it tells as the last line."""
    verb, file, given = sys.argv[1:4]
    print(json.dumps({**verbs[verb](file, **json.loads(given)), "peak_memory_mb": round(peak_memory_mb(), 1)}))


def steps_in(rows: int, batch: int) -> int:
    return math.ceil(rows / batch)
