"""Sparse matrices made from batches and logs, cut to their largest entries, and saved as arrays.

In: a batch or sequences. Out: scipy CSR arrays with I + 1 columns (column 0 stays empty). This module does not know
what the entries mean to a method.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Sequences

__all__ = [
    "from_tensors",
    "history_matrix",
    "idf",
    "incidence",
    "keep_first",
    "keep_largest",
    "recency_weights",
    "row_normalised",
    "scaled",
    "to_tensors",
    "user_matrix",
    "wider",
]

Csr: TypeAlias = sparse.csr_array
FloatArray = npt.NDArray[np.float32]


def user_matrix(sequences: Sequences) -> Csr:
    """Who had a target event on what: ones, float32 `[U, I + 1]`, columns ascending in each row."""
    flat = sequences.flat
    rows = sequences.user_of_N()[flat.target_N] - 1
    return incidence(rows, flat.item_N[flat.target_N], (sequences.num_users, sequences.num_items + 1))


def incidence(row_N: npt.NDArray[np.int64], column_N: npt.NDArray[Any], shape: tuple[int, int]) -> Csr:
    """Ones at the given cells, however often they are named; float32, columns ascending in each row."""
    cell_N = np.unique(row_N * np.int64(shape[1]) + column_N)
    row_N, column_N = np.divmod(cell_N, shape[1])
    offset = np.searchsorted(row_N, np.arange(shape[0] + 1))
    return Csr((np.ones(len(cell_N), dtype=np.float32), column_N, offset), shape=shape)


def history_matrix(batch: SequenceBatch, num_items: int, weight_BL: FloatArray | None = None) -> Csr:
    """The batch's histories as float32 `[B, I + 1]`: an item's entry is the weight of its newest event.

    Items that the model does not know (index over `num_items`) and positions of weight 0 are left out.

    Args:
        batch: Histories.
        num_items: I.
        weight_BL: Weight of each position; ones where not given.
    """
    item_BL = batch.item_BL.cpu().numpy()
    known_BL = (item_BL > 0) & (item_BL <= num_items)
    if weight_BL is not None:
        known_BL &= weight_BL != 0
    row_N = np.nonzero(known_BL)[0]
    cell_N = row_N * (num_items + 1) + item_BL[known_BL]
    order = np.argsort(cell_N, kind="stable")  # the newest event of a cell comes last in its run
    cell_N = cell_N[order]
    newest = np.append(cell_N[1:] != cell_N[:-1], True) if len(cell_N) else np.zeros(0, dtype=np.bool_)
    cell_N = cell_N[newest]
    data = np.ones(len(cell_N), np.float32) if weight_BL is None else weight_BL[known_BL][order][newest]
    row_N, column_N = np.divmod(cell_N, num_items + 1)
    offset = np.searchsorted(row_N, np.arange(len(item_BL) + 1))
    return Csr((data, column_N, offset), shape=(len(item_BL), num_items + 1))


def recency_weights(batch: SequenceBatch, half_life_events: float, max_len: int | None = None) -> FloatArray:
    """Weight of each position, halved every `half_life_events` back from the newest; float32 `[B, L]`.

    Args:
        batch: Histories.
        half_life_events: 0: all weigh 1.
        max_len: Older positions weigh 0, as does padding.
    """
    length_B = batch.length_B.cpu().numpy()
    back_BL = length_B[:, None] - 1 - np.arange(batch.item_BL.shape[1])  # 0 at the newest, negative at padding
    halvings_BL = np.maximum(back_BL, 0) / (half_life_events or np.inf)
    used_BL = (back_BL >= 0) if max_len is None else (back_BL >= 0) & (back_BL < max_len)
    return np.asarray(np.where(used_BL, 0.5**halvings_BL, 0.0), dtype=np.float32)


def idf(matrix: Csr, rows: int) -> FloatArray:
    """`log(rows) - log(1 + entries)` of each column, at least 0: a column that every row has says nothing."""
    entries = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return np.asarray(np.maximum(np.log(max(1, rows)) - np.log1p(entries), 0.0), dtype=np.float32)


def scaled(matrix: Csr, weight: FloatArray) -> Csr:
    """Each column times its weight."""
    return Csr((matrix.data * weight[matrix.indices], matrix.indices, matrix.indptr), shape=matrix.shape)


def row_normalised(matrix: Csr) -> Csr:
    """Rows of length 1 (rows of zeros stay)."""
    squares = np.asarray(matrix.multiply(matrix).sum(axis=1), dtype=np.float64).ravel()
    scale = np.where(squares > 0, 1.0 / np.sqrt(np.where(squares > 0, squares, 1.0)), 0.0)
    data = matrix.data * np.repeat(scale, np.diff(matrix.indptr))
    return Csr((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def keep_largest(matrix: Csr, k: int) -> Csr:
    """The k largest entries of each row; among equals the lower columns."""
    keep = np.ones(matrix.nnz, dtype=np.bool_)
    offset = matrix.indptr
    for row in np.flatnonzero(np.diff(offset) > k):
        entries = slice(offset[row], offset[row + 1])
        value = matrix.data[entries]
        least = np.partition(value, len(value) - k)[len(value) - k]
        chosen = value > least
        equal = np.flatnonzero(value == least)
        equal = equal[np.argsort(matrix.indices[entries][equal])]
        chosen[equal[: k - int(chosen.sum())]] = True
        keep[entries] = chosen
    return _kept(matrix, keep)


def keep_first(matrix: Csr, k: int) -> Csr:
    """The first k entries of each row, in the order of their columns."""
    matrix.sort_indices()
    counts = np.diff(matrix.indptr)
    place = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], counts)
    return _kept(matrix, place < k)


def wider(matrix: Csr, num: int, *, square: bool = False) -> Csr:
    """With `num` empty columns more; of a square, rows too."""
    rows, columns = matrix.shape
    end = matrix.indptr[-1:].repeat(num if square else 0)
    offset = np.concatenate([matrix.indptr, end])
    return Csr((matrix.data, matrix.indices, offset), shape=(rows + (num if square else 0), columns + num))


def to_tensors(name: str, matrix: Csr) -> dict[str, Tensor]:
    """A matrix as three tensors whose names begin with `name`."""
    return {
        f"{name}.data": torch.from_numpy(matrix.data),
        f"{name}.indices": torch.from_numpy(matrix.indices),
        f"{name}.indptr": torch.from_numpy(matrix.indptr),
    }


def from_tensors(name: str, arrays: dict[str, Tensor], num_columns: int) -> Csr:
    """The inverse of `to_tensors`."""
    data, indices, indptr = (arrays[f"{name}.{part}"].numpy() for part in ("data", "indices", "indptr"))
    return Csr((data, indices, indptr), shape=(len(indptr) - 1, num_columns))


def _kept(matrix: Csr, keep: npt.NDArray[np.bool_]) -> Csr:
    before = np.concatenate([[0], np.cumsum(keep)])
    return Csr((matrix.data[keep], matrix.indices[keep], before[matrix.indptr]), shape=matrix.shape)
