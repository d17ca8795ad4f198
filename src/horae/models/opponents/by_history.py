"""What all opponents share: the frame of `score`, popularity for what nothing else speaks for, checks of settings.

In: a batch. Out: scores as `Model.score` promises them. This module does not know any method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from horae.errors import NotTrainedError, RecipeError
from horae.features.content.of_items import ItemContent
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Sequences

__all__ = ["ByHistory", "in_range", "item_counts", "item_shares", "longer", "popular_last"]

FloatArray = npt.NDArray[np.float32]
Entry = TypeVar("Entry", bound=np.generic)


class ByHistory(ABC):
    """A method that turns histories into scores; subclasses write `_scores` and leave column 0 to this class.

    Attributes:
        num_items: I, without padding; 0 until fitted or loaded.
        max_len: Newest events that it looks at; None for all.
    """

    num_items: int = 0
    max_len: int | None = None

    @abstractmethod
    def fit(self, sequences: Sequences) -> Self:
        """Learn from all of `sequences`."""

    @abstractmethod
    def arrays(self) -> dict[str, Tensor]:
        """Everything that is needed to score again."""

    @abstractmethod
    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """The inverse of `arrays`."""

    def grow(self, num: int, content: ItemContent | None = None, trained: int | None = None) -> None:
        """See `Growing`: of new items nothing was counted."""
        self._grow(num)
        self.num_items += num

    @abstractmethod
    def _grow(self, num: int) -> None:
        """Make room for `num` more items in what was counted."""

    @abstractmethod
    def _scores(self, batch: SequenceBatch) -> FloatArray:
        """Finite scores `[B, I + 1]`, in an array of its own; what stands in column 0 does not matter."""

    def score(self, batch: SequenceBatch, items_N: Tensor | None = None) -> Tensor:
        """See `Model.score`.

        Raises:
            NotTrainedError: Neither `fit` nor `load_arrays` has been called.
        """
        if self.num_items == 0:
            raise NotTrainedError(
                f"{type(self).__name__} was asked for scores before it was fitted.", hint="Call fit(sequences) first."
            )
        scores_BI = self._scores(batch)
        assert scores_BI.shape == (len(batch), self.num_items + 1) and scores_BI.dtype == np.float32
        scores_BI[:, 0] = -np.inf
        scores = torch.from_numpy(scores_BI).to(batch.item_BL.device)
        return scores if items_N is None else scores[:, items_N]


def in_range(key: str, value: float, *, least: float | None = None, above: float | None = None) -> None:
    """Check a number of `[model]`; infinity is none, as a recipe could not say it.

    Raises:
        RecipeError: It is under `least`, not above `above`, or not finite.
    """
    if not np.isfinite(value) or (least is not None and value < least) or (above is not None and value <= above):
        bound = f"at least {least}" if least is not None else f"a number above {above}"
        raise RecipeError(f"[model] {key} = {value}: expected {bound}.", hint=f"Leave {key} out for its default.")


def longer(count_I: npt.NDArray[Entry], num: int) -> npt.NDArray[Entry]:
    """With `num` zeros more, for new items."""
    return np.concatenate([count_I, np.zeros(num, dtype=count_I.dtype)])


def item_counts(sequences: Sequences) -> npt.NDArray[np.int64]:
    """Target events of each item, `[I + 1]`."""
    flat = sequences.flat
    return np.asarray(np.bincount(flat.item_N[flat.target_N], minlength=sequences.num_items + 1), dtype=np.int64)


def item_shares(sequences: Sequences) -> FloatArray:
    """Each item's share of all target events, `[I + 1]`."""
    counts_I = item_counts(sequences)
    return np.asarray(counts_I / max(1, counts_I.sum()), dtype=np.float32)


def popular_last(scores_BI: FloatArray, share_I: FloatArray) -> FloatArray:
    """Put the items whose score is 0 behind all others, the most popular first, at `share - 1`; in place.

    So a short history still gets a sensible full list, and an empty one the popular items.
    """
    np.copyto(scores_BI, share_I - np.float32(1.0), where=scores_BI == 0)
    return scores_BI
