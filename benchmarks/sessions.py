"""GRU4Rec and SASRec beside session-kNN and Markov on click sessions: recall@20 and MRR@20, each set's own split.

Published on diginetica-sessions (P@20, MRR@20): SR-GNN 0.5073, 0.1759; GCE-GNN 0.5422, 0.1904. As there, every prefix
of a test session is a request, repeats are targets and nothing seen is masked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import horae
from benchmarks.quality import trained_and_judged
from horae.data.settings import DataSettings

METRICS = ("recall@20", "mrr@20")
SETS = {
    "yoochoose-100k": ("train.batch_tokens=512", "train.average_steps=300", "train.epochs=25"),
    "diginetica-sessions": (
        "train.epochs=5",
        "train.average_steps=500",
        "train.loss=sampled_softmax",
        "train.num_negatives=2048",
    ),
}
SHARED = ('recommend.seen="include"', "model.dropout=0.3", "train.learning_rate=0.002")
LENGTH = {"sasrec": "model.max_len=20", "gru4rec": "model.max_len=20"}


def measure(data: Path) -> dict[str, Any]:
    sets = {}
    for name, own in SETS.items():
        events = horae.read_events(data / name / "interactions.parquet", settings=DataSettings(repeat_targets=True))
        split = horae.split_by_column(events)
        opponents = ("session_knn", "markov", "item_knn", "popularity")
        sets[name] = {
            recipe: trained_and_judged(
                split,
                recipe,
                [*SHARED, LENGTH[recipe], "train.patience=2", *own],
                0,
                opponents if recipe == "gru4rec" else ("session_knn", "markov"),
                METRICS,
            )
            for recipe in ("gru4rec", "sasrec")
        }
    return {
        "protocol": "the set's own split, every prefix a request, repeats are targets, nothing masked",
        "sets": sets,
    }
