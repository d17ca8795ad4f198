"""Popularity: everybody is offered what most events were on.

In: how often each item was a target. Out: the same scores for every request. It does not know histories or time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor

from horae.models.opponents.by_history import ByHistory, FloatArray, item_counts, longer
from horae.models.opponents.sparse import user_matrix
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Sequences

__all__ = ["Popularity", "PopularitySettings"]


@dataclass(frozen=True)
class PopularitySettings:
    """Keys of `[model]` with `opponent = "popularity"`.

    Attributes:
        count: Target events, or distinct users with a target event (then one user's many repeats count once).
    """

    count: Literal["events", "users"] = "events"


class Popularity(ByHistory):
    """`score(i)` = target events on i (or users who had one).

    Source: the customary first baseline; for example Cremonesi, Koren & Turrin, RecSys 2010, section 3.1.
    Differs: in nothing.
    """

    def __init__(self, settings: PopularitySettings = PopularitySettings()) -> None:
        self.settings = settings

    def fit(self, sequences: Sequences) -> Self:
        """Count."""
        if self.settings.count == "users":
            counts_I = np.bincount(user_matrix(sequences).indices, minlength=sequences.num_items + 1)
        else:
            counts_I = item_counts(sequences)
        self._counts_I = counts_I.astype(np.float32)
        self.num_items = sequences.num_items
        return self

    def arrays(self) -> dict[str, Tensor]:
        """The counts."""
        return {"counts_I": torch.from_numpy(self._counts_I)}

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """See `Opponent.load_arrays`."""
        self._counts_I = arrays["counts_I"].numpy()
        self.num_items = num_items
        return self

    def _grow(self, num: int) -> None:
        self._counts_I = longer(self._counts_I, num)

    def _scores(self, batch: SequenceBatch) -> FloatArray:
        return np.tile(self._counts_I, (len(batch), 1))
