"""Item neighbours: what the people who had the history's items also had.

In: the history's items, newer ones weighing more if asked. Out: summed similarities. It does not know order in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from scipy import sparse
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

__all__ = ["ItemKNN", "ItemKNNSettings"]

ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class ItemKNNSettings:
    """Keys of `[model]` with `opponent = "item_knn"`.

    Attributes:
        similarity: `cosine` of the items' columns of users; `tfidf` lets users with many items say less about each.
        neighbors: Most similar items kept of each item, itself among them.
        shrinkage: Added to the product of the two columns' lengths: similarities that few users support shrink.
        half_life_events: The weight of a history's item halves every so many events back; 0: all weigh 1.
    """

    similarity: Literal["cosine", "tfidf"] = "tfidf"
    neighbors: int = 100
    shrinkage: float = 20.0
    half_life_events: float = 5.0

    def __post_init__(self) -> None:
        in_range("neighbors", self.neighbors, least=1)
        in_range("shrinkage", self.shrinkage, least=0)
        in_range("half_life_events", self.half_life_events, least=0)


class ItemKNN(ByHistory):
    """`score(j) = sum_i w_i s_ij` over the history's items i that have j among their neighbours.

    `s_ij = x_i . x_j / (|x_i| |x_j| + shrinkage)`, x_i the column of users who had a target event on i, weighted by
    `log(items) - log(1 + user's items)` with tf-idf; `w_i` from the newest event on i. Items that nothing speaks for
    come last, by popularity.

    Source: Sarwar et al., WWW 2001, section 3 (cosine); Deshpande & Karypis, TOIS 2004, section 4 (top-N lists);
        shrinkage as in Bell & Koren, KDD Cup 2007, section 2.
    Differs: newer items weigh more; shrinkage = 0 and half_life_events = 0 give the numbers of the library `implicit`.
    """

    def __init__(self, settings: ItemKNNSettings = ItemKNNSettings()) -> None:
        self.settings = settings

    def fit(self, sequences: Sequences) -> Self:
        """Compare all pairs of items that share a user, a block of items at a time."""
        items = Csr(user_matrix(sequences).T.tocsr())
        if self.settings.similarity == "tfidf":
            items = scaled(items, idf(items, sequences.num_items))
        self._similar = _neighbors(items, self.settings.neighbors, self.settings.shrinkage)
        self._share_I = item_shares(sequences)
        self.num_items = sequences.num_items
        return self

    def arrays(self) -> dict[str, Tensor]:
        """Similarities and popularity."""
        return {**to_tensors("similar", self._similar), "share_I": torch.from_numpy(self._share_I)}

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """See `Opponent.load_arrays`."""
        self._similar = from_tensors("similar", arrays, num_items + 1)
        self._share_I = arrays["share_I"].numpy()
        self.num_items = num_items
        return self

    def _grow(self, num: int) -> None:
        self._similar = wider(self._similar, num, square=True)
        self._share_I = longer(self._share_I, num)

    def _scores(self, batch: SequenceBatch) -> FloatArray:
        weight_BL = recency_weights(batch, self.settings.half_life_events)
        history = history_matrix(batch, self.num_items, weight_BL)
        scores_BI = (history @ self._similar).toarray()
        return popular_last(np.asarray(scores_BI, dtype=np.float32), self._share_I)


def _neighbors(items: Csr, k: int, shrinkage: float) -> Csr:
    """The k most similar rows of each row, `[I + 1, I + 1]`."""
    if shrinkage == 0:
        items = row_normalised(items)
    length_I = np.sqrt(np.asarray(items.multiply(items).sum(axis=1), dtype=np.float64)).ravel()
    other = items.T.tocsr()
    blocks = []
    for start in range(0, items.shape[0], ROWS_AT_ONCE):
        block = Csr(items[start : start + ROWS_AT_ONCE] @ other)
        if shrinkage > 0:
            row_N = np.repeat(np.arange(start, start + block.shape[0]), np.diff(block.indptr))
            block.data /= (length_I[row_N] * length_I[block.indices] + shrinkage).astype(np.float32)
        block.eliminate_zeros()
        blocks.append(keep_largest(block, k))
    return Csr(sparse.vstack(blocks, format="csr"))
