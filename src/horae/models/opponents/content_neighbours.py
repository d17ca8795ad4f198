"""Content neighbours: items that say or show what the history's items did, whoever had them.

In: the items' content and a history, newer items weighing more. Out: summed similarities. It learns nothing from other
people, so an item of which only the content is known is at home from its first moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from horae.features.content.of_items import ItemContent
from horae.models.opponents.by_history import ByHistory, FloatArray, in_range, item_shares, longer, popular_last
from horae.models.opponents.sparse import history_matrix, recency_weights
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Sequences

__all__ = ["ContentNeighbours", "ContentNeighboursSettings"]


@dataclass(frozen=True)
class ContentNeighboursSettings:
    """Keys of `[model]` with `opponent = "content_neighbours"`.

    Attributes:
        half_life_events: The weight of a history's item halves every so many events back; 0: all weigh 1.
    """

    half_life_events: float = 2.0

    def __post_init__(self) -> None:
        in_range("half_life_events", self.half_life_events, least=0)


class ContentNeighbours(ByHistory):
    """`score(j) = sum_i w_i cos(c_i, c_j)` over the history's items i; `c` is all that is known of an item's content.

    Items without content come last, by popularity; and all of them do where nothing is known of the history's items.

    Source: content-based filtering as in Lops, de Gemmis & Semeraro 2011 (Recommender Systems Handbook, chapter 3).
    Differs: the profile is a recency-weighted sum of the newest events, whatever was thought of them.
    """

    def __init__(self, settings: ContentNeighboursSettings = ContentNeighboursSettings()) -> None:
        self.settings = settings
        self._unit_IC = np.zeros((0, 1), dtype=np.float32)

    def read(self, content: ItemContent) -> Self:
        """Take the items' content; modalities stand beside each other."""
        whole_IC = np.concatenate(list(content.vectors.values()), axis=1)
        length_I1 = np.linalg.norm(whole_IC, axis=1, keepdims=True)
        self._unit_IC = np.asarray(whole_IC / np.where(length_I1 > 0, length_I1, 1.0), dtype=np.float32)
        return self

    def grow(self, num: int, content: ItemContent | None = None, trained: int | None = None) -> None:
        """See `Growing`."""
        super().grow(num)
        if content is not None:
            self.read(content)

    def fit(self, sequences: Sequences) -> Self:
        """Count popularity, for what content cannot tell."""
        self._share_I = item_shares(sequences)
        self.num_items = sequences.num_items
        if not len(self._unit_IC):
            self._unit_IC = np.zeros((self.num_items + 1, 1), dtype=np.float32)
        return self

    def arrays(self) -> dict[str, Tensor]:
        """Content and popularity."""
        return {"unit_IC": torch.from_numpy(self._unit_IC), "share_I": torch.from_numpy(self._share_I)}

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """See `Opponent.load_arrays`."""
        self._unit_IC, self._share_I = arrays["unit_IC"].numpy(), arrays["share_I"].numpy()
        self.num_items = num_items
        return self

    def _grow(self, num: int) -> None:
        self._share_I = longer(self._share_I, num)
        self._unit_IC = np.pad(self._unit_IC, ((0, num), (0, 0)))

    def _scores(self, batch: SequenceBatch) -> FloatArray:
        weight_BL = recency_weights(batch, self.settings.half_life_events)
        profile_BC = history_matrix(batch, self.num_items, weight_BL) @ self._unit_IC
        scores_BI = np.asarray(profile_BC @ self._unit_IC.T, dtype=np.float32)
        lowest_B1 = -np.abs(profile_BC).sum(axis=1, keepdims=True) - 1  # below any sum of cosines
        unknown_I = ~self._unit_IC.any(axis=1)
        scores_BI[:, unknown_I] = lowest_B1 - 1 + self._share_I[unknown_I]
        nobody_B = ~profile_BC.any(axis=1)
        scores_BI[nobody_B] = 0
        return popular_last(scores_BI, self._share_I)
