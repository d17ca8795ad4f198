"""Lists of a block in, the same with places kept for new items out.

A network that learned from events ranks what nobody has touched yet behind everything else. So a declared share of each
list goes to new items, the best of them by content: those that say or show what the newest events of the history do;
and by what everybody turned to lately, in a log that goes on. An item that is in the list by its own score takes one of
these places where it stands; the others come last. What may not be shown was taken out before. This module does not
know models or rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from horae.features.content.of_items import ItemContent
from horae.models.opponents.recent_popularity import LiveRecentPopularity
from horae.models.opponents.sparse import history_matrix, recency_weights
from horae.recommend.rank import MINUS_INFINITY, Scores
from horae.schema import IndexArray
from horae.sequences.batch import encode
from horae.sequences.history import Histories

__all__ = ["Slot"]

BoolArray = npt.NDArray[np.bool_]
NEWEST = 50
"""Events of a history that are looked at."""


@dataclass(frozen=True, eq=False)
class Slot:
    """Places for new items.

    Attributes:
        share: Of a list.
        content: What all items say.
        new_I: Which items are new, `[I + 1]`.
        half_life_events: The weight of a history's item halves every so many events back; 0: all weigh 1.
        model_weight: Of the model's own score beside content, both in standard deviations over the new items.
        live: Counts of all events up to each request; None: what others did lately is unknown.
        live_weight: Of the logarithm of these counts beside content, likewise.
    """

    share: float
    content: ItemContent
    new_I: BoolArray
    half_life_events: float
    model_weight: float = 0.0
    live: LiveRecentPopularity | None = None
    live_weight: float = 0.0

    def places(self, k: int) -> int:
        """How many of k: the share, rounded, at least 1 and never the whole list; none in a list of one."""
        return 0 if k < 2 or self.share <= 0 else min(max(1, round(self.share * k)), k - 1)

    def match(self, histories: Histories) -> Scores:
        """`[B, N]`: the weighted mean cosine of each new item to the newest events; NaN where nothing is known."""
        batch = encode(histories, NEWEST)
        history = history_matrix(batch, self.content.num_items, recency_weights(batch, self.half_life_events))
        scaled_BI = history.multiply(self._scale_I[None, :]).tocsr()
        match_BN = np.zeros((len(batch), len(self._new_N)), dtype=np.float32)
        for name, vector_IC in self.content.vectors.items():
            match_BN += np.asarray(scaled_BI @ vector_IC) @ self._unit[name].T
        weight_B1 = np.asarray(history @ (self._scale_I > 0).astype(np.float32))[:, None]
        return np.where(weight_B1 > 0, match_BN / np.maximum(weight_B1, 1e-12), np.nan).astype(np.float32)

    def fill(
        self, items_BK: IndexArray, scores_BI: Scores, histories: Histories, k: int, why: list[list[list[str]]]
    ) -> BoolArray:
        """Give the places of the first k to new items, in place.

        Args:
            items_BK: Best first, 0 where shorter; beyond k whoever gave way comes first.
            scores_BI: Every item's score; minus infinity where it may not be shown.
            histories: Of the block.
            k: Length of the list that is shared.
            why: What moved each item; who was put there by a rule gives way last.

        Returns:
            `[B, K]`: which items are there by content.
        """
        filled_BK = np.zeros(items_BK.shape, dtype=np.bool_)
        k = min(k, items_BK.shape[1])
        places = self.places(k)
        if not places or not len(self._new_N):
            return filled_BK
        match_BN = self._by(histories, scores_BI[:, self._new_N])
        for row in range(len(items_BK)):
            own_K = items_BK[row, :k]
            left = places - int(self.new_I[own_K].sum())
            if left <= 0 or not own_K[-1]:  # a list that is short holds every item there is
                continue
            best = self._best(match_BN[row], scores_BI[row], own_K, left)
            if len(best):
                _swap(items_BK[row], why[row], best, k, self.new_I)
                filled_BK[row, k - len(best) : k] = True
        return filled_BK

    @cached_property
    def _new_N(self) -> IndexArray:
        return np.flatnonzero(self.new_I & self.content.known_any())

    @cached_property
    def _scale_I(self) -> npt.NDArray[np.float32]:
        """One over the length of an item's content; 0 where nothing is known."""
        squares_I = sum(np.einsum("ic,ic->i", one, one) for one in self.content.vectors.values())
        return np.where(squares_I > 0, 1 / np.sqrt(np.maximum(squares_I, 1e-12)), 0.0).astype(np.float32)

    @cached_property
    def _unit(self) -> dict[str, npt.NDArray[np.float32]]:
        """Of the new items, by modality."""
        scale_N1 = self._scale_I[self._new_N, None]
        return {name: vector_IC[self._new_N] * scale_N1 for name, vector_IC in self.content.vectors.items()}

    def _by(self, histories: Histories, own_BN: Scores) -> Scores:
        """What the new items are ordered by."""
        match_BN = self.match(histories)
        if self.model_weight:
            match_BN = _standard(match_BN) + self.model_weight * _standard(own_BN)
        if self.live is not None and self.live_weight:
            count_BN = self.live.score(encode(histories, 1)).numpy()[:, self._new_N]
            match_BN = _standard(match_BN) + self.live_weight * _standard(np.log1p(count_BN))
        return match_BN

    def _best(self, match_N: Scores, score_I: Scores, own_K: IndexArray, most: int) -> IndexArray:
        """New items by content, the best so many that may be shown and are not there; the best by score first."""
        may_N = ~np.isnan(match_N) & (score_I[self._new_N] > MINUS_INFINITY) & ~np.isin(self._new_N, own_K)
        best = np.lexsort((self._new_N, -np.where(may_N, match_N, MINUS_INFINITY)))[: min(most, int(may_N.sum()))]
        items = self._new_N[best]
        return items[np.lexsort((items, -score_I[items]))]


def _swap(items_K: IndexArray, why: list[list[str]], best: IndexArray, k: int, new_I: BoolArray) -> None:
    """Put `best` into the last places of the first k; who stood there comes after them."""
    old = items_K[items_K > 0].tolist()
    reasons = dict(zip(old, why, strict=True))
    able = [item for item in old[:k] if not new_I[item]]
    moved = sorted(able, key=lambda item: (not reasons[item], old.index(item)))[-len(best) :]
    stay = [item for item in old[:k] if item not in moved]
    rest = [item for item in old if item not in stay and item not in best]
    whole = [*stay, *best.tolist(), *rest][: len(items_K)]
    items_K[: len(whole)] = whole
    why[:] = [reasons.get(item, []) for item in whole]


def _standard(value_BN: Scores) -> Scores:
    """Less the mean, over the standard deviation, of what there is; what there is not stays so."""
    there_BN = np.isfinite(value_BN)
    count_B1 = np.maximum(there_BN.sum(axis=1, keepdims=True), 1)
    mean_B1 = np.where(there_BN, value_BN, 0.0).sum(axis=1, keepdims=True) / count_B1
    apart_BN = np.where(there_BN, value_BN - mean_B1, 0.0)
    deviation_B1 = np.sqrt((apart_BN**2).sum(axis=1, keepdims=True) / count_B1)
    standard_BN = apart_BN / np.where(deviation_B1 > 1e-12, deviation_B1, 1.0)
    return np.where(there_BN, standard_BN, np.nan).astype(np.float32)
