"""A model and the kind of index in, what finds its best items out; made anew whenever the model's weights change.

Small catalogs need no layout of their own: scoring every item is as fast there. Models without vectors have none.
This module does not know requests, histories or ids.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from horae.models.base import Model
from horae.recommend.approximate import Approximate
from horae.recommend.rank import Hidden, Scores
from horae.recommend.scan import Scan
from horae.schema import IndexArray
from horae.sequences.batch import SequenceBatch

__all__ = ["SCAN_FROM", "Finder", "Search", "Vectors"]

SCAN_FROM = 50_000
"""Items from which a scan beats scoring every item, for one request and for many."""


@runtime_checkable
class Vectors(Protocol):
    """A model of states and item vectors."""

    @property
    def by_product(self) -> bool:
        """Are its scores their dot products?"""
        ...

    def last(self, batch: SequenceBatch) -> Tensor:
        """`h_BD`: the state that answers each request."""
        ...

    def item_vectors(self) -> Tensor:
        """`e_ID`, row 0 padding."""
        ...


class Finder(Protocol):
    """Finds the best items by their vectors."""

    e_ID: Tensor

    def top(self, h_BD: Tensor, k: int, hidden: Hidden) -> tuple[IndexArray, Scores]:
        """As `horae.recommend.rank.top`, of all items but the hidden."""
        ...


class Search:
    """Remembers the layout of a model's item vectors for as long as no weight changes."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._finder: Finder | None = None

    def finder(self, model: Model, index: str) -> Finder | None:
        """What finds the model's best items; None where every item is to be scored.

        Args:
            model: Any; only networks have item vectors, and not all of them score by dot products.
            index: `exact` or `approximate`, as `[recommend] index` has it.

        Raises:
            HoraeError: A vector holds a number that is not finite.
            MissingExtraError: An approximate index is asked for and `faiss` is not installed.
        """
        if not isinstance(model, Vectors) or not isinstance(model, nn.Module) or not model.by_product:
            return None
        if index == "exact" and model.num_items < SCAN_FROM:
            return None
        key = (index, model.num_items, *_versions(model))
        if self._finder is None or key != self._key:
            with torch.no_grad():
                e_ID = model.item_vectors().float()
                self._finder = Approximate(e_ID) if index == "approximate" else Scan(e_ID)
            self._key = key
        return self._finder

    def forget(self) -> None:
        """Lay out anew at the next request: for changes that torch does not count, such as through numpy."""
        self._finder = None


def _versions(model: nn.Module) -> list[tuple[int, int]]:
    """What changes with every write to a weight."""
    tensors = (*model.parameters(), *model.buffers())
    return [(tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version) for tensor in tensors]
