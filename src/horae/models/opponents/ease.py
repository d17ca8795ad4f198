"""EASE: one linear model from the items of a history to all items, in closed form.

In: the history as a set of items. Out: sums of learnt item-to-item weights. It does not know order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
import torch.nn.functional as F
from scipy.linalg import lapack
from torch import Tensor

from horae.errors import DataError
from horae.models.opponents.by_history import ByHistory, FloatArray, in_range
from horae.models.opponents.sparse import Csr, history_matrix, user_matrix
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Sequences

__all__ = ["EASE", "EASESettings"]

MAX_ITEMS: Final = 20_000
"""The weights are a dense square: 1.6 GB in memory and in the run at 20,000 items, and minutes to invert."""

ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class EASESettings:
    """Keys of `[model]` with `opponent = "ease"`.

    Attributes:
        regularization: Added to each item's count of users; larger trusts rare pairs less.
    """

    regularization: float = 200.0

    def __post_init__(self) -> None:
        in_range("regularization", self.regularization, above=0)


class EASE(ByHistory):
    """`score = h B` with `B = I - P diag(P)^-1`, `P = (X^T X + regularization I)^-1`, the diagonal of B zero.

    X holds ones where a user had a target event on an item, h the history's items.

    Source: Steck, WWW 2019 (arXiv:1905.03375), eq. 8 and algorithm 1.
    Differs: float32 throughout and inverted in place by Cholesky, so one square of I x I is the peak of memory.
    """

    def __init__(self, settings: EASESettings = EASESettings()) -> None:
        self.settings = settings

    def fit(self, sequences: Sequences) -> Self:
        """Invert.

        Raises:
            DataError: More items than a dense square of weights allows.
        """
        if sequences.num_items > MAX_ITEMS:
            gigabytes = 4 * (sequences.num_items + 1) ** 2 / 1e9
            raise DataError(
                f"EASE expected at most {MAX_ITEMS:,} items, got {sequences.num_items:,}: its weights would take "
                f"{gigabytes:,.1f} GB, and their inversion hours.",
                hint="Use item_knn (sparse neighbours) or ials (factors), or keep fewer items by min_item_events.",
            )
        self._weight_II = torch.from_numpy(_closed_form(user_matrix(sequences), self.settings.regularization))
        self.num_items = sequences.num_items
        return self

    def arrays(self) -> dict[str, Tensor]:
        """The weights."""
        return {"weight_II": self._weight_II}

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """See `Opponent.load_arrays`."""
        self._weight_II = arrays["weight_II"]
        self.num_items = num_items
        return self

    def _grow(self, num: int) -> None:
        self._weight_II = F.pad(self._weight_II, (0, num, 0, num))

    def _scores(self, batch: SequenceBatch) -> FloatArray:
        history = history_matrix(batch, self.num_items)
        item_N, offset_B1 = (torch.from_numpy(a.astype(np.int64)) for a in (history.indices, history.indptr))
        scores_BI = F.embedding_bag(item_N, self._weight_II, offset_B1, mode="sum", include_last_offset=True)
        return np.asarray(scores_BI.numpy())


def _closed_form(users: Csr, regularization: float) -> FloatArray:
    """B, `[I + 1, I + 1]`; row and column 0 are zero."""
    size = users.shape[1]
    square: FloatArray = np.empty((size, size), dtype=np.float32, order="F")
    by_item = users.T.tocsr()
    for start in range(0, size, ROWS_AT_ONCE):
        square[:, start : start + ROWS_AT_ONCE] = (by_item[start : start + ROWS_AT_ONCE] @ users).toarray().T
    square[np.diag_indices(size)] += np.float32(regularization)
    square, failed = lapack.spotrf(square, lower=1, clean=0, overwrite_a=1)
    assert failed == 0, "X^T X + regularization I is positive definite"
    square, failed = lapack.spotri(square, lower=1, overwrite_c=1)
    assert failed == 0
    _mirror(square)
    square = square.T  # symmetric still, and now its rows lie together, as scoring reads them
    square /= -square.diagonal()
    square[np.diag_indices(size)] = 0.0
    return square


def _mirror(square: FloatArray) -> None:
    """Copy the lower triangle onto the upper one, in place."""
    size = len(square)
    for start in range(0, size, ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, size)
        square[start:stop, stop:] = square[stop:, start:stop].T
        corner = square[start:stop, start:stop]
        corner[:] = np.tril(corner) + np.tril(corner, -1).T
