"""What reviews are worth to the next item: sentiment and vectors of texts as context, against without. No bar.

amazon-musical-instruments-2014 by time, `sasrec`, three seeds; differences paired over users, each user's NDCG@10 being
the mean of the seeds'. What is fitted on texts (components, sentiment) sees nothing of the test part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

import horae
from benchmarks.time_ablations import by_user
from horae.evaluation.intervals import Resamples
from horae.schema import Events
from horae.training.progress import Shown
from horae.training.train import Options

SEEDS: Final = 3
WIDTH: Final = 8
TEXT: Final = "review_text"
VECTORS: Final = [f"text_{number}" for number in range(WIDTH)]
BOUNDED: Final = ("train.epochs=30", "train.patience=5")
WITHOUT: Final = "without"


def measure(data: Path) -> dict[str, Any]:
    file = data / "amazon-musical-instruments-2014/interactions.parquet"
    events = horae.read_events(file)
    ways: dict[str, tuple[Events, list[str]]] = {
        WITHOUT: (events, []),
        "sentiment": (horae.add_sentiment(events, TEXT), ["text_sentiment"]),
        "vectors, hashed": (horae.add_text_vectors(events, TEXT, width=WIDTH), VECTORS),
        "vectors, minilm": (horae.add_text_vectors(events, TEXT, encoder="minilm", width=WIDTH), VECTORS),
    }
    reached = {name: _of_way(*way) for name, way in ways.items()}
    base = reached[WITHOUT]
    told = {}
    for name, own in reached.items():
        assert own.keys() == base.keys()
        difference_U1 = np.array([own[user] - base[user] for user in own])[:, None]
        told[name] = {"users": len(own), "ndcg@10": float(np.mean(list(own.values())))}
        if name != WITHOUT:
            told[name]["against"] = Resamples(len(own)).intervals(difference_U1)[0].as_dict("difference")
    return {"protocol": "time split 8:1:1, successive targets, NDCG@10 per user", "seeds": SEEDS, "ways": told}


def _of_way(events: Events, columns: list[str]) -> dict[Any, float]:
    """Each user's NDCG@10, the mean over seeds."""
    split = horae.split_by_time(events)
    context = [f"model.context={columns}".replace("'", '"')] if columns else []
    runs = [
        horae.train(split, "sasrec", overrides=[*BOUNDED, *context], seed=seed, options=Options(progress=Shown()))
        for seed in range(SEEDS)
    ]
    scores = [by_user(run, split) for run in runs]
    return {user: float(np.mean([one[user] for one in scores])) for user in scores[0]}
