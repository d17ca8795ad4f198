"""Item vectors to begin with: items that stand near each other in histories begin near each other.

In: the training events as flat arrays. Out: a vector per item, or None where there is nothing to count or too much.
A network that begins here has its first epochs, in which items only find their neighbours, behind it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from horae.models.network import Network
from horae.schema import IndexArray
from horae.sequences.history import Sequences

__all__ = ["EVENTS_AT_MOST", "begin_near_neighbours", "neighbour_vectors"]

EVENTS_AT_MOST = 10_000_000
"""Above it, pairs would take gigabytes, and an epoch has steps enough to find neighbours by itself."""

WINDOW = 5
"""Places that two events of a history may lie apart to count as near; a pair counts one over the distance."""

SMOOTHING = 0.75
"""The power of an item's share as a context: without it, rare items would be everybody's nearest."""

LENGTH = 0.5
"""Mean length of the vectors."""

SPARE = 16
"""Directions looked at beside those kept, so that the kept ones are found exactly enough."""


def begin_near_neighbours(network: Network, sequences: Sequences, seed: int) -> bool:
    """Give the network's items their first vectors; items that are near no other keep what they were drawn.

    Returns:
        Whether it was done: False where the log is too large or says nothing.
    """
    vector_ID = neighbour_vectors(sequences, network.items.dim, seed)
    if vector_ID is None:
        return False
    network.items.begin_near(vector_ID)
    return True


def neighbour_vectors(sequences: Sequences, dim: int, seed: int = 0) -> Tensor | None:
    """`e_ID`, float32, row 0 zero: the leading directions of the positive pointwise mutual information of near items.

        M_ij = max(0, log(n_ij sum_k n_k^a / (n_i n_j^a))),    M ~ U S V',    e = U sqrt(S), made 0.5 long on average

    Args:
        sequences: The training events, nothing later.
        dim: D; columns beyond the number of items are zero.
        seed: Of the random directions that the decomposition begins with.

    Source: Levy & Goldberg 2014 (NeurIPS 27, "Neural word embedding as implicit matrix factorization"), sections 3 and
        5; Levy, Goldberg & Dagan 2015 (TACL 3), section 3 for the smoothing and the distance; Halko, Martinsson &
        Tropp 2011 (arXiv:0909.4061) for the decomposition, by `torch.svd_lowrank`.
    Differs: items of a history in the place of words of a sentence; the decomposition is a randomised one.
    """
    if len(sequences.flat) > EVENTS_AT_MOST:
        return None
    size = sequences.num_items + 1
    first_P, second_P, near_P = _near_pairs(sequences, size)
    if len(near_P) == 0:
        return None
    count_I = np.bincount(first_P, near_P, minlength=size)
    context_I = count_I**SMOOTHING
    chance_P = count_I[first_P] * context_I[second_P] / context_I.sum()
    information_P = np.log(near_P / chance_P).clip(min=0).astype(np.float32)
    index_2P = torch.from_numpy(np.stack([first_P, second_P]))
    matrix_II = torch.sparse_coo_tensor(index_2P, torch.from_numpy(information_P), (size, size), check_invariants=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        u_IQ, s_Q, _ = torch.svd_lowrank(matrix_II.coalesce(), q=min(dim + SPARE, size), niter=3)
    vector_ID = torch.zeros(size, dim)
    width = min(dim, len(s_Q))
    vector_ID[:, :width] = u_IQ[:, :width] * s_Q[:width].sqrt()
    near_I = torch.from_numpy(np.bincount(first_P, information_P, minlength=size) > 0)
    if not near_I.any():
        return None
    vector_ID[~near_I] = 0.0  # the decomposition leaves dust there
    vector_ID *= LENGTH / vector_ID[near_I].norm(dim=1).mean()
    return vector_ID


def _near_pairs(sequences: Sequences, size: int) -> tuple[IndexArray, IndexArray, npt.NDArray[np.float64]]:
    """Every pair of items that stood near each other, both ways round, and how often, weighted by nearness."""
    item_N, user_N = sequences.flat.item_N.astype(np.int64), sequences.user_of_N()
    keys, weights = [], []
    for apart in range(1, WINDOW + 1):
        same_N = user_N[apart:] == user_N[:-apart]
        one_P, other_P = item_N[:-apart][same_N], item_N[apart:][same_N]
        keys.append(np.minimum(one_P, other_P) * size + np.maximum(one_P, other_P))
        weights.append(np.full(len(one_P), 1 / apart))
    key_P, place_P = np.unique(np.concatenate(keys), return_inverse=True)
    near_P = np.bincount(place_P, np.concatenate(weights), minlength=len(key_P))
    low_P, high_P = np.divmod(key_P, size)
    apart_P = low_P != high_P
    first_P = np.concatenate([low_P, high_P[apart_P]])
    return first_P, np.concatenate([high_P, low_P[apart_P]]), np.concatenate([near_P, near_P[apart_P]])
