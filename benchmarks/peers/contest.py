"""Two sides in turn: A B C, A B C, ...; medians with their spread, and the ratio of medians.

In: what each side told, round by round. Out: figures for the result's file. It starts no process itself.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping
from typing import Any, Final

ROUNDS: Final = 3
OURS: Final = "horae"


def rounds(usual: int = ROUNDS) -> int:
    """How often each side runs; `HORAE_ROUNDS` says otherwise, and the result tells."""
    return int(os.environ.get("HORAE_ROUNDS", usual))


def in_turn(sides: Mapping[str, Callable[[], dict[str, Any]]], times: int) -> dict[str, list[dict[str, Any]]]:
    """Every side once a round, so that what else the machine does falls on all of them."""
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for number in range(times):
        for name, run in sides.items():
            told[name].append(run())
            print(f"round {number + 1} of {times}: {name}", flush=True)
    return told


def spread(told: list[dict[str, Any]]) -> dict[str, Any]:
    """Minimum, median and maximum of each number over the rounds; what is not a number as the last round said it."""
    figures: dict[str, Any] = {}
    for key, value in told[-1].items():
        numbers = [one[key] for one in told]
        if isinstance(value, int | float) and not isinstance(value, bool):
            figures[key] = {"min": min(numbers), "median": statistics.median(numbers), "max": max(numbers)}
        else:
            figures[key] = value
    return figures


def ratios(told: Mapping[str, list[dict[str, Any]]], key: str, *, more_is_better: bool = False) -> dict[str, Any]:
    """Each peer over us: the ratio of medians, its lowest and highest over any pair of rounds; above 1 we lead."""
    ours = [one[key] for one in told[OURS]]
    compared = {}
    for name, runs in told.items():
        if name == OURS:
            continue
        theirs = [one[key] for one in runs]
        over, under = (ours, theirs) if more_is_better else (theirs, ours)
        compared[name] = {
            "ratio": statistics.median(over) / statistics.median(under),
            "low": min(over) / max(under),
            "high": max(over) / min(under),
        }
    return compared
