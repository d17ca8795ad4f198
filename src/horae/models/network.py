"""A network: item table x history encoder x head, composed.

In: a `SequenceBatch`. Out: states, item vectors and scores. Architecture only: it knows no loss, no optimiser, no file
and no recipe; whoever calls it chooses training or evaluation mode.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Self, cast

import torch
from torch import Tensor, nn

from horae.errors import RecipeError, RunError
from horae.models.encoders import Encoder
from horae.models.heads import Head
from horae.models.items.ids import IdTable
from horae.sequences.batch import SequenceBatch

__all__ = ["Network", "NetworkSettings"]


@dataclass(frozen=True)
class NetworkSettings:
    """Keys of `[model]` that every network has."""

    dim: int = field(default=64, metadata={"doc": "Width of item vectors and states."})
    max_len: int = field(default=50, metadata={"doc": "Newest events that the network looks at."})
    dropout: float = field(default=0.2, metadata={"doc": "Share of inputs and inner values dropped in training."})
    head: Literal["next_item", "value"] = field(
        default="next_item", metadata={"doc": "What is foretold: the next item, or the value of an event on an item."}
    )
    output_bias: bool = field(
        default=False, metadata={"doc": 'One learned number per item beside its vector (head = "next_item").'}
    )
    behavior_embedding: bool = field(
        default=False, metadata={"doc": "Add a learned vector of each event's behavior to its item's."}
    )

    def __post_init__(self) -> None:
        for key in ("dim", "max_len"):
            if getattr(self, key) < 1:
                raise RecipeError(f"[model] {key} = {getattr(self, key)}: expected at least 1.", hint=f"Raise {key}.")
        if not 0 <= self.dropout < 1:
            raise RecipeError(
                f"[model] dropout = {self.dropout}: expected a share from 0 to below 1.", hint="0.0 drops nothing."
            )
        if self.head == "value" and self.output_bias:
            raise RecipeError(
                '[model] output_bias has no effect with head = "value", which always has one.',
                hint="Remove output_bias.",
            )


class Network(nn.Module):
    """Scores every item by the dot product of its vector with the state of a history.

    Args:
        items: The item table; its vectors, times `sqrt(dim)`, are also the encoder's input.
        encoder: An `Encoder` as wide as the table.
        head: What the dot product means.
        max_len: Newest events looked at.
        num_behaviors: Adds a vector per behavior to the input; 0 for none.

    Source: Kang & McAuley 2018 (arXiv:1808.09781), section III: scaled input (as in its code), shared item table.
    Differs: a behavior's vector may be added to the item's; it starts at zero, so it changes nothing until it helps.
    """

    def __init__(self, items: IdTable, encoder: Encoder, head: Head, max_len: int, num_behaviors: int = 0) -> None:
        super().__init__()
        self.items = items
        self.encoder = cast(nn.Module, encoder)
        self.head = head
        self.max_len = max_len
        self.behavior_vectors = nn.Parameter(torch.zeros(num_behaviors + 1, items.dim)) if num_behaviors else None

    @property
    def num_items(self) -> int:
        """I, without padding."""
        return self.items.num_items

    @property
    def causal(self) -> bool:
        """Whether a position's state depends on no later position."""
        return cast(Encoder, self.encoder).causal

    def states(self, batch: SequenceBatch) -> Tensor:
        """`h_BLD`: a state after each event, to meet `item_vectors`; the head may have made it one wider than dim."""
        return self.head.states(self._encoded(batch))

    def last(self, batch: SequenceBatch) -> Tensor:
        """`h_BD`: the state that answers the request, to meet `item_vectors`."""
        last_BD = cast(Encoder, self.encoder).last(self._encoded(batch), batch.length_B)
        return self.head.states(last_BD)

    def item_vectors(self) -> Tensor:
        """`e_ID`: row 0 is padding, without meaning."""
        return self.head.vectors(self.items.vectors())

    def score(self, batch: SequenceBatch, items_N: Tensor | None = None) -> Tensor:
        """Scores of all items, `[B, I + 1]` with minus infinity in column 0, or of the chosen ones, `[B, N]`."""
        e_ID = self.item_vectors()
        if items_N is not None:
            return (self.last(batch) @ e_ID[items_N].T).masked_fill(items_N == 0, -torch.inf)
        score_BI = self.last(batch) @ e_ID.T
        score_BI[:, 0] = -torch.inf
        return score_BI

    def grow(self, num: int) -> None:
        """Take `num` more items in, after the last; parameters may be new ones afterwards."""
        self.items.grow(num)
        self.head.grow(num)

    def arrays(self) -> dict[str, Tensor]:
        """Everything needed to load it again: parameters and buffers, unused capacity left out."""
        arrays = {name: tensor.detach() for name, tensor in self.state_dict().items()}
        arrays["items.weight"] = self.items.vectors().detach()
        return arrays

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """The inverse of `arrays`, into a network composed from the same recipe.

        Raises:
            RunError: An array is missing, unknown or of another shape.
        """
        expected = {name: tuple(tensor.shape) for name, tensor in self.arrays().items()}
        got = {name: tuple(tensor.shape) for name, tensor in arrays.items()}
        if num_items != self.num_items or got != expected:
            wrong = sorted(name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name))
            raise RunError(
                f"The weights do not fit the recipe: expected {self.num_items} items, got {num_items}; "
                f"arrays that differ: {', '.join(wrong) or 'none'}.",
                hint="The run folder mixes files of different runs; train again, or restore the folder.",
            )
        with torch.no_grad():
            self.items.vectors().copy_(arrays["items.weight"])
        self.load_state_dict({**arrays, "items.weight": self.items.weight.detach()})
        return self

    def _encoded(self, batch: SequenceBatch) -> Tensor:
        x_BLD = self.items.lookup(batch.item_BL) * self.items.dim**0.5
        if self.behavior_vectors is not None:
            x_BLD = x_BLD + self.behavior_vectors[batch.behavior_BL]
        encoded: Tensor = self.encoder(x_BLD, batch.time_BL, batch.length_B, batch.request_time_BL)
        return encoded
