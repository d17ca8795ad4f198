"""Items in, unit vectors out whose dot products say how alike they are.

Three ways: a network's item vectors, the users that items share, the entries that the catalog gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from horae.recommend.rules.columns import Lists

__all__ = ["Likeness", "of_entries", "of_users", "of_vectors"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]


class Likeness(Protocol):
    """How alike items are."""

    def __call__(self, item_N: IndexArray) -> FloatArray:
        """Cosines [N, N]; 1 on the diagonal."""
        ...


def of_vectors(e_ID: npt.NDArray[np.float32]) -> Likeness:
    """By vectors, one row for each item."""

    def likeness(item_N: IndexArray) -> FloatArray:
        e_ND = e_ID[item_N].astype(np.float64)
        e_ND /= np.linalg.norm(e_ND, axis=1, keepdims=True) + 1e-12
        return _whole(e_ND @ e_ND.T)

    return likeness


def of_entries(columns: Sequence[Lists]) -> Likeness:
    """By what the catalog says: items that share all entries are alike, those that share none are not."""
    widths = np.cumsum([0, *(len(lists.names) for lists in columns)])

    def likeness(item_N: IndexArray) -> FloatArray:
        found = [lists.among(item_N) for lists in columns]
        place_E = np.concatenate([place for place, _ in found])
        code_E = np.concatenate([code + start for (_, code), start in zip(found, widths[:-1], strict=True)])
        few, code_E = np.unique(code_E, return_inverse=True)  # dense over what the pool has: faster than sparse
        entries_NE = np.zeros((len(item_N), max(len(few), 1)))
        entries_NE[place_E, code_E] = 1.0
        entries_NE /= np.sqrt(np.maximum(entries_NE.sum(axis=1, keepdims=True), 1.0))
        return _whole(entries_NE @ entries_NE.T)

    return likeness


def of_users(item_E: IndexArray, user_E: IndexArray, num_items: int) -> Likeness:
    """By the users that items share: the cosine of their sets of users.

    Args:
        item_E: Item indices of events.
        user_E: Their users, numbered from 0.
        num_items: I.
    """
    shape = (num_items + 1, int(user_E.max(initial=0)) + 1)
    users_IU = csr_matrix((np.ones(len(item_E)), (item_E, user_E)), shape=shape)
    users_IU.data[:] = 1.0  # several events of one user on one item are one
    return _of_sparse(users_IU)


def _of_sparse(entries_IE: Any) -> Likeness:
    length_I = np.sqrt(np.asarray(entries_IE.multiply(entries_IE).sum(axis=1)).ravel())
    unit_IE = entries_IE.multiply(1.0 / np.maximum(length_I, 1e-12)[:, None]).tocsr()

    def likeness(item_N: IndexArray) -> FloatArray:
        part = unit_IE[item_N]
        return _whole((part @ part.T).toarray())

    return likeness


def _whole(cosine_NN: FloatArray) -> FloatArray:
    """An item is as like itself as can be, even one of which nothing is known."""
    np.fill_diagonal(cosine_NN, 1.0)
    return cosine_NN
