"""Histories in, what the run's other heads say of the next event out: batched, in the order of the requests.

The same encoding as for recommendations; see `horae.models.upcoming`. This module knows no metric and no clock.
"""

from __future__ import annotations

import numpy as np
import torch

from horae.errors import NotTrainedError
from horae.models.network import Network
from horae.models.upcoming.heads import Told, Upcoming
from horae.recommend.recommender import Recommender
from horae.sequences.batch import bucket, encode
from horae.sequences.history import Histories

__all__ = ["foretell", "upcoming_of"]

BATCH_TOKENS = 16_384


def upcoming_of(recommender: Recommender) -> Upcoming | None:
    """The heads that a run has beside its items'; None where its recipe asks nothing more."""
    return recommender.model.upcoming if isinstance(recommender.model, Network) else None


def foretell(recommender: Recommender, histories: Histories) -> Told:
    """What is told after each history, in float64 on the CPU. An empty history gets an answer without meaning.

    Raises:
        NotTrainedError: The run was not asked to learn it.
    """
    model = recommender.model
    if not isinstance(model, Network) or model.upcoming is None:
        raise NotTrainedError(
            f"The run of {recommender.recipe.name} tells items only: it was not asked what comes next, or when.",
            hint="Train with --recipe which-what-when, or add also = [...] to [model] of a network's recipe.",
        )
    batches = bucket(np.minimum(histories.lengths, model.max_len), BATCH_TOKENS)
    model.eval()
    with torch.inference_mode():
        parts = [model.told(encode(histories.take(rows), model.max_len, recommender.device)) for rows in batches]
    if not parts:
        parts = [_nobody(model)]
    order = np.argsort(np.concatenate(batches)) if batches else np.empty(0, np.int64)
    return Told.joined(parts).take(torch.from_numpy(order))


def _nobody(model: Network) -> Told:
    upcoming = model.upcoming
    assert upcoming is not None
    told: Told = upcoming(torch.zeros(0, model.items.dim), torch.zeros(0, upcoming.facts.width))
    return told
