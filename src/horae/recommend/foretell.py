"""Histories in, what the run's other heads say of the next event out: batched, in the order of the requests.

The same encoding as for recommendations; see `horae.models.upcoming`. This module knows no metric and no clock.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from horae.errors import NotTrainedError
from horae.models.ensemble import Ensemble
from horae.models.network import Network
from horae.models.upcoming.heads import Told
from horae.models.upcoming.mixing import Heads, mixed
from horae.recommend.recommender import Recommender
from horae.sequences.batch import bucket, encode
from horae.sequences.history import Histories

__all__ = ["foretell", "upcoming_of"]

BATCH_TOKENS = 16_384


def upcoming_of(recommender: Recommender) -> Heads | None:
    """What must be known of the heads that a run has beside its items'; None where its recipe asks nothing more."""
    found = [network.upcoming for network in _telling(recommender) if network.upcoming is not None]
    return Heads.of(found) if found else None


def foretell(recommender: Recommender, histories: Histories) -> Told:
    """What is told after each history, in float64 on the CPU. An empty history gets an answer without meaning.

    An ensemble tells the mean of those members that tell anything.

    Raises:
        NotTrainedError: The run was not asked to learn it.
    """
    networks = _telling(recommender)
    if not networks:
        raise NotTrainedError(
            f"The run of {recommender.recipe.name} tells items only: it was not asked what comes next, or when.",
            hint="Train with --recipe which-what-when, or add also = [...] to [model] of a network's recipe.",
        )
    told = [(network.upcoming, _told_by(network, histories, recommender.device)) for network in networks]
    return mixed([(upcoming, one) for upcoming, one in told if upcoming is not None])


def _telling(recommender: Recommender) -> list[Network]:
    """The run's network, or its members, as far as they have such heads."""
    model = recommender.model
    members: Sequence[object] = model.members if isinstance(model, Ensemble) else [model]
    return [one for one in members if isinstance(one, Network) and one.upcoming is not None]


def _told_by(model: Network, histories: Histories, device: torch.device) -> Told:
    batches = bucket(np.minimum(histories.lengths, model.max_len), BATCH_TOKENS)
    model.eval()
    with torch.inference_mode():
        parts = [model.told(encode(histories.take(rows), model.max_len, device)) for rows in batches]
    if not parts:
        parts = [_nobody(model)]
    order = np.argsort(np.concatenate(batches)) if batches else np.empty(0, np.int64)
    return Told.joined(parts).take(torch.from_numpy(order))


def _nobody(model: Network) -> Told:
    upcoming = model.upcoming
    assert upcoming is not None
    told: Told = upcoming(torch.zeros(0, model.items.dim), torch.zeros(0, upcoming.facts.width))
    return told
