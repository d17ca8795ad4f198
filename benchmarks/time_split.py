"""One set by time: is SASRec ahead of recent popularity and Markov, the interval of the difference above zero?

Early stopping is quicker here than in the recipe, and the epochs are bounded, so that three sets take half an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import horae
from benchmarks.quality import trained_and_judged

OPPONENTS = ("popularity", "recent_popularity", "recent_popularity_live", "markov", "item_knn")


def judged_by_time(file: Path, overrides: Sequence[str]) -> dict[str, Any]:
    split = horae.split_by_time(horae.read_events(file))
    run = trained_and_judged(split, "sasrec", [*overrides, "train.patience=3"], 0, OPPONENTS)
    protocol = "time split 8:1:1, successive targets, full ranking"
    return {"protocol": protocol, "boundary": split.boundary, "facts": split.facts, **run}
