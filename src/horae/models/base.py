"""What every model is: a batch of histories in, scores out.

Two kinds fulfil it: opponents (`fit` by counting or in closed form) and networks (trained by an objective). Nothing
above this room asks which kind it has, except to train it. This module does not know vocabularies, ranking or files.
"""

from __future__ import annotations

from typing import Protocol, Self, runtime_checkable

from torch import Tensor

from horae.features.content.of_items import ItemContent
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Sequences

__all__ = ["Following", "Growing", "Model", "Opponent", "Reading"]


@runtime_checkable
class Model(Protocol):
    """Scores items for histories; knows nobody by name, so people never seen are at home.

    Attributes:
        num_items: I, without padding.
        max_len: Newest events that it looks at; None for all. A batch may hold more or fewer.
    """

    num_items: int
    max_len: int | None

    def score(self, batch: SequenceBatch, items_N: Tensor | None = None) -> Tensor:
        """Scores of all items, or of chosen ones; larger is better, comparable within one request.

        Args:
            batch: What each request is asked from, and nothing else: not the user, not the clock.
            items_N: Item indices; the answer then equals these columns of the full one.

        Returns:
            float32 `[B, I + 1]` with column 0 at minus infinity, or `[B, N]`.
        """
        ...

    def arrays(self) -> dict[str, Tensor]:
        """Everything that is needed to score again, as safetensors takes it."""
        ...

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """The inverse of `arrays`: after it, scores are the same to the last bit."""
        ...


@runtime_checkable
class Opponent(Model, Protocol):
    """A simple method that every network is measured against."""

    def fit(self, sequences: Sequences) -> Self:
        """Learn from all of `sequences`; what it may not see must not be in there."""
        ...


@runtime_checkable
class Reading(Protocol):
    """An opponent that looks at what items say and show."""

    def read(self, content: ItemContent) -> Self:
        """Take it, before the fit."""
        ...


@runtime_checkable
class Growing(Protocol):
    """A model that takes new items in without being trained again."""

    def grow(self, num: int, content: ItemContent | None = None, trained: int | None = None) -> None:
        """Take `num` more items in, after the last; what was learned of the others stays.

        Args:
            num: How many; 0 where only the content of some is another.
            content: Of all items, the new ones included; None: nothing is known.
            trained: The first so many items are those that something was learned of; None: all but the new ones.
        """
        ...


@runtime_checkable
class Following(Protocol):
    """A model that knows what everybody did up to each request, in a log that goes on after training."""

    def following(self, sequences: Sequences) -> Model:
        """The same model over this log; a request sees only what is strictly before its time."""
        ...

    def note(self, item: int, time: float) -> None:
        """An event that came since: the item's index, 0 where unknown, and its second, NaN where unknown."""
        ...
