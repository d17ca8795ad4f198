"""First-order Markov chain: what came next after the newest item.

In: the newest item of each history. Out: smoothed chances of each next item. It does not know anything older.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from horae.models.opponents.by_history import ByHistory, FloatArray, in_range, item_shares, longer
from horae.models.opponents.sparse import Csr, from_tensors, to_tensors, wider
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Sequences

__all__ = ["Markov", "MarkovSettings"]


@dataclass(frozen=True)
class MarkovSettings:
    """Keys of `[model]` with `opponent = "markov"`.

    Attributes:
        smoothing: Imagined transitions out of every item, spread as the target events are; above 0.
    """

    smoothing: float = 1.0

    def __post_init__(self) -> None:
        in_range("smoothing", self.smoothing, above=0)


class Markov(ByHistory):
    """`score(j | i) = (n_ij + a p_j) / (n_i + a)`: n_ij times j followed i, n_i their sum, p_j popularity, a smoothing.

    A pair counts where the later event is a target; the earlier one may be of any kind. An empty history, or one that
    ends in an item without transitions, gets `p`.

    Source: Rendle, Freudenthaler & Schmidt-Thieme, WWW 2010, section 4 (the maximum likelihood chain, not personal).
    Differs: Dirichlet smoothing towards popularity (MacKay & Peto 1995, eq. 20, with a fixed prior), as sparse logs
        leave most rows nearly empty.
    """

    max_len = 1

    def __init__(self, settings: MarkovSettings = MarkovSettings()) -> None:
        self.settings = settings

    def fit(self, sequences: Sequences) -> Self:
        """Count the transitions."""
        flat, size = sequences.flat, sequences.num_items + 1
        follows_N = flat.target_N.copy()
        first_N = sequences.offset_U1[:-1][np.diff(sequences.offset_U1) > 0]
        follows_N[first_N] = False
        later_N = np.flatnonzero(follows_N)
        cells, counts = np.unique(flat.item_N[later_N - 1] * np.int64(size) + flat.item_N[later_N], return_counts=True)
        row_N, column_N = np.divmod(cells, size)
        self._counts = Csr(sparse.coo_array((counts.astype(np.float32), (row_N, column_N)), shape=(size, size)))
        self._share_I = item_shares(sequences)
        self.num_items = sequences.num_items
        return self

    def arrays(self) -> dict[str, Tensor]:
        """Transition counts and popularity."""
        return {**to_tensors("counts", self._counts), "share_I": torch.from_numpy(self._share_I)}

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """See `Opponent.load_arrays`."""
        self._counts = from_tensors("counts", arrays, num_items + 1)
        self._share_I = arrays["share_I"].numpy()
        self.num_items = num_items
        return self

    def _grow(self, num: int) -> None:
        self._counts = wider(self._counts, num, square=True)
        self._share_I = longer(self._share_I, num)

    def _scores(self, batch: SequenceBatch) -> FloatArray:
        newest_B = (batch.length_B.cpu() - 1).clamp(min=0)
        last_B = batch.item_BL.cpu().gather(1, newest_B[:, None])[:, 0].numpy()
        last_B = np.where(last_B <= self.num_items, last_B, 0)  # row 0 has no transitions
        counts_BI = self._counts[last_B].toarray()
        total_B = counts_BI.sum(axis=1, keepdims=True)
        a = np.float32(self.settings.smoothing)
        counts_BI += a * self._share_I
        counts_BI /= total_B + a
        return np.asarray(counts_BI, dtype=np.float32)
