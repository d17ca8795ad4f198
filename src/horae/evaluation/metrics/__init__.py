"""One metric per file. Ranking metrics map `Ranks` and k to one value per request; the others say what they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from horae.evaluation.metrics.f1 import f1
from horae.evaluation.metrics.hit_rate import hit_rate
from horae.evaluation.metrics.map import average_precision
from horae.evaluation.metrics.mrr import mrr
from horae.evaluation.metrics.ndcg import ndcg
from horae.evaluation.metrics.precision import precision
from horae.evaluation.metrics.ranks import FloatArray, Ranks
from horae.evaluation.metrics.recall import recall

__all__ = ["AT_K", "Ranks"]

AT_K: Final[dict[str, Callable[[Ranks, int], FloatArray]]] = {
    "recall": recall,
    "hit_rate": hit_rate,
    "precision": precision,
    "f1": f1,
    "ndcg": ndcg,
    "mrr": mrr,
    "map": average_precision,
}
"""The ranking metrics by the name that reports and JSON use, as in `recall@10`."""
