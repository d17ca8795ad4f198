"""Relevance and likeness of a pool of items in; what each would add to the list so far out.

A gain is asked for, the greedy chooser takes an item, the gains of the others change. This module does not know rules.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Dpp", "Gains", "Mmr", "Relevance", "relevance"]

FloatArray = npt.NDArray[np.float64]
NO_VOLUME = 1e-9
"""Below this an item says nothing that the list does not say already."""


class Gains(Protocol):
    """What each item of the pool would add."""

    def gains(self) -> FloatArray:
        """One number for each item of the pool; larger is better."""
        ...

    def take(self, place: int) -> None:
        """An item is in the list."""
        ...


class Relevance:
    """The score alone."""

    def __init__(self, relevance_N: FloatArray) -> None:
        self._gain_N = relevance_N

    def gains(self) -> FloatArray:
        """The scores."""
        return self._gain_N

    def take(self, place: int) -> None:
        """Nothing changes."""


class Mmr:
    """Maximal marginal relevance: `t * relevance - (1 - t) * max cosine with what is in the list`.

    Source: Carbonell and Goldstein 1998, The use of MMR, diversity-based reranking. Differs: relevance is scaled to
    0..1 over the pool.
    """

    def __init__(self, relevance_N: FloatArray, cosine_NN: FloatArray, trade_off: float) -> None:
        self._own_N = trade_off * relevance_N
        self._cosine_NN, self._weight = cosine_NN, 1.0 - trade_off
        self._nearest_N: FloatArray | None = None

    def gains(self) -> FloatArray:
        """Relevance less the likeness to the most alike in the list."""
        return self._own_N if self._nearest_N is None else self._own_N - self._weight * self._nearest_N

    def take(self, place: int) -> None:
        """The others are as near as the nearest."""
        cosine_N = self._cosine_NN[place]
        self._nearest_N = cosine_N if self._nearest_N is None else np.maximum(self._nearest_N, cosine_N)


class Dpp:
    """Greedy search for the most probable list of a determinantal point process, one Cholesky row per item taken.

    The kernel is `q_i * cosine_ij * q_j` with `q = exp(t / (2 (1 - t)) * relevance)`, so that the log of a list's
    probability weighs relevance by t against the volume that its items span by 1 - t. Items that add no volume come
    last, by relevance.

    Source: Chen, Zhang and Zhou 2018, Fast greedy MAP inference for determinantal point process, algorithm 1 and
    equation 14. Differs: relevance is scaled to 0..1 over the pool, and t below 1 is bounded by 0.999.
    """

    def __init__(self, relevance_N: FloatArray, cosine_NN: FloatArray, trade_off: float) -> None:
        weight = min(trade_off, 0.999) / (2 * (1 - min(trade_off, 0.999)))
        self._log_quality_N = 2 * weight * relevance_N
        self._relevance_N = relevance_N
        self._cosine_NN = cosine_NN
        self._volume_N = np.ones(len(relevance_N))
        self._rows: list[FloatArray] = []

    def gains(self) -> FloatArray:
        """The logarithm by which the list's probability grows."""
        fresh_N = self._volume_N > NO_VOLUME
        logarithm_N = np.log(np.where(fresh_N, self._volume_N, 1.0))
        return np.where(fresh_N, self._log_quality_N + logarithm_N, self._relevance_N - 1e9)

    def take(self, place: int) -> None:
        """One more row of the Cholesky factor of the cosines."""
        if self._volume_N[place] <= NO_VOLUME:
            return
        before_N = np.zeros(len(self._volume_N))
        for row_N in self._rows:
            before_N += row_N[place] * row_N
        row_N = (self._cosine_NN[place] - before_N) / np.sqrt(self._volume_N[place])
        self._rows.append(row_N)
        self._volume_N = np.maximum(self._volume_N - row_N**2, 0.0)


def relevance(score_N: FloatArray) -> FloatArray:
    """Scores scaled to 0..1 over a pool."""
    low, high = float(score_N.min(initial=0.0)), float(score_N.max(initial=0.0))
    if len(score_N):
        low, high = float(score_N.min()), float(score_N.max())
    return (score_N - low) / (high - low) if high > low else np.zeros(len(score_N))
