"""User neighbours: what the training users most like the history's owner had.

In: the history as a set of items. Out: summed similarities of the neighbours who had each item. It does not know order;
the owner need not be known, and is a neighbour of oneself where one is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor

from horae.models.opponents.by_history import ByHistory, FloatArray, in_range, item_shares, longer, popular_last
from horae.models.opponents.sparse import (
    Csr,
    from_tensors,
    history_matrix,
    idf,
    keep_largest,
    recency_weights,
    row_normalised,
    scaled,
    to_tensors,
    user_matrix,
    wider,
)
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Sequences

__all__ = ["UserKNN", "UserKNNSettings"]

ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class UserKNNSettings:
    """Keys of `[model]` with `opponent = "user_knn"`.

    Attributes:
        similarity: `cosine` of the users' rows of items; `tfidf` lets items that everybody has say less.
        neighbors: Most similar users asked.
        half_life_events: The weight of a history's item halves every so many events back; 0: all weigh 1.
        max_len: Newest events of a history that are compared.
    """

    similarity: Literal["cosine", "tfidf"] = "tfidf"
    neighbors: int = 100
    half_life_events: float = 5.0
    max_len: int = 50

    def __post_init__(self) -> None:
        in_range("neighbors", self.neighbors, least=1)
        in_range("max_len", self.max_len, least=1)
        in_range("half_life_events", self.half_life_events, least=0)


class UserKNN(ByHistory):
    """`score(j) = sum_v cos(h, x_v) [v had j]` over the training users v nearest to the history h.

    Items that no neighbour had come last, by popularity.

    Source: Herlocker et al., SIGIR 1999 (neighbourhood selection); one-class form as in Aiolli, RecSys 2013, section 3.
    Differs: the history is compared with everybody at the time of the request, so its owner need not be known; only
        its newest `max_len` events are, optionally fading.
    """

    def __init__(self, settings: UserKNNSettings = UserKNNSettings()) -> None:
        self.settings = settings
        self.max_len = settings.max_len

    def fit(self, sequences: Sequences) -> Self:
        """Keep everybody's items."""
        self._share_I = item_shares(sequences)
        self.num_items = sequences.num_items
        return self._index(user_matrix(sequences))

    def arrays(self) -> dict[str, Tensor]:
        """Everybody's items, and popularity."""
        return {**to_tensors("users", self._users), "share_I": torch.from_numpy(self._share_I)}

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """See `Opponent.load_arrays`."""
        self._share_I = arrays["share_I"].numpy()
        self.num_items = num_items
        return self._index(from_tensors("users", arrays, num_items + 1))

    def _index(self, users: Csr) -> Self:
        """Rows of length 1, by item: everything else follows from who had what."""
        self._users = users
        weigh = self.settings.similarity == "tfidf"
        self._weight_I = idf(users, users.shape[0]) if weigh else np.ones(users.shape[1], dtype=np.float32)
        self._by_item = Csr(row_normalised(scaled(users, self._weight_I)).T.tocsr())
        return self

    def _grow(self, num: int) -> None:
        self._share_I = longer(self._share_I, num)
        self._index(wider(self._users, num))

    def _scores(self, batch: SequenceBatch) -> FloatArray:
        weight_BL = recency_weights(batch, self.settings.half_life_events, self.max_len)
        history = history_matrix(batch, self.num_items, weight_BL)
        history = row_normalised(scaled(history, self._weight_I))
        scores_BI = np.zeros(history.shape, dtype=np.float32)
        for start in range(0, len(batch), ROWS_AT_ONCE):
            alike = keep_largest(Csr(history[start : start + ROWS_AT_ONCE] @ self._by_item), self.settings.neighbors)
            scores_BI[start : start + ROWS_AT_ONCE] = (alike @ self._users).toarray()
        return popular_last(scores_BI, self._share_I)
