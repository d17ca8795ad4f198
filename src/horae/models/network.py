"""A network: item table x history encoder x head, composed.

In: a `SequenceBatch`. Out: states, item vectors and scores. Architecture only: it knows no loss, no optimiser, no file
and no recipe; whoever calls it chooses training or evaluation mode.
"""

from __future__ import annotations

from typing import Self, cast

import torch
from torch import Tensor, nn

from horae.errors import RunError
from horae.features.content.of_items import ItemContent
from horae.models.context_inputs import ContextInputs, without_some_context
from horae.models.encoders import Encoder
from horae.models.heads import Head
from horae.models.history_features import HistoryFeatures
from horae.models.items import ItemTable
from horae.models.items.fused import FusedTable
from horae.models.moments import Moments, without_some_times
from horae.models.upcoming.heads import Told, Upcoming
from horae.sequences.batch import SequenceBatch
from horae.sequences.framing import Framing, Next

__all__ = ["Network"]


class Network(nn.Module):
    """Scores every item by what its head makes of its vector and the state of a history: mostly their dot product.

    Args:
        items: The item table; its vectors, times `sqrt(dim)`, are also the encoder's input.
        encoder: An `Encoder` as wide as the table.
        head: What a score means.
        max_len: Newest events looked at.
        num_behaviors: Adds a vector per behavior to the input; 0 for none.
        framing: What it learns to foretell, and how a request is put to it. Where it masks events, a learned vector,
            which is no item's, stands in a masked event's place.
        moments: Adds to the input what the times say.
        features: Adds to the input what the history's numbers say.
        time_dropout: Share of histories, and of questions, that lose their times in training.
        upcoming: Heads that foretell more of the next event than its item; they have the encoder see each batch their
            own way (`Upcoming.seen_by`).
        context: Adds to the input what the log's columns of context say.
        context_dropout: Share of histories, and of questions, that lose their context in training.

    Attributes:
        autocast: Of the encoder's products in training; None: as its weights are.
        texts: While the encoder of the items' texts is trained along: what is learned of it. None in a trained run.

    Source: Kang & McAuley 2018 (arXiv:1808.09781), section III: scaled input (as in its code), shared item table.
    Differs: vectors of an event's behavior, times, history and context may be added to the item's; they start at zero,
        so they change nothing until they help.
    """

    def __init__(
        self,
        items: ItemTable,
        encoder: Encoder,
        head: Head,
        max_len: int,
        num_behaviors: int = 0,
        framing: Framing | None = None,
        moments: Moments | None = None,
        features: HistoryFeatures | None = None,
        time_dropout: float = 0.0,
        upcoming: Upcoming | None = None,
        context: ContextInputs | None = None,
        context_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.autocast: torch.dtype | None = None
        self.texts: nn.Module | None = None
        self.items = items
        self.encoder = cast(nn.Module, encoder)
        self.head = head
        self.max_len = max_len
        self.behavior_vectors = nn.Parameter(torch.zeros(num_behaviors + 1, items.dim)) if num_behaviors else None
        self.framing = framing or Next()
        assert encoder.causal == self.framing.causal
        self.moments = moments
        self.features = features
        timed = moments is not None or getattr(features, "timed", False) or getattr(encoder, "timed", False)
        self.time_dropout = time_dropout if timed else 0.0
        self.mask_D = None if self.framing.causal else nn.Parameter(0.02 * torch.randn(items.dim))
        self.upcoming = upcoming
        self.context = context
        self.context_dropout = context_dropout if context is not None else 0.0
        self._halves: tuple[object, Tensor] | None = None

    @property
    def num_items(self) -> int:
        """I, without padding."""
        return self.items.num_items

    @property
    def causal(self) -> bool:
        """Whether a position's state depends on no later position."""
        return cast(Encoder, self.encoder).causal

    @property
    def by_product(self) -> bool:
        """Whether a score is the dot product of `last` and `item_vectors`."""
        return self.head.by_product

    def states(self, batch: SequenceBatch) -> Tensor:
        """`h_BLD`: a state for each event, to meet `item_vectors`; the head may have made it one wider than dim.

        The batch is as the framing made it: item 0 within the length is a masked event.
        """
        return self.head.states(self.encoded(batch))

    def last(self, batch: SequenceBatch) -> Tensor:
        """`h_BD`: the state that answers the request, to meet `item_vectors`."""
        return self.head.states(self._newest(self.framing.asked(batch)))

    def told(self, batch: SequenceBatch) -> Told:
        """What the other heads say of the event after each history's newest, whenever it comes."""
        assert self.upcoming is not None
        row_B = torch.arange(len(batch), device=batch.length_B.device)
        fact_BF = self.upcoming.facts(batch)[row_B, (batch.length_B - 1).clamp(min=0)]
        told: Told = self.upcoming(self._newest(self.upcoming.seen_by(batch)), fact_BF)
        return told

    def item_vectors(self) -> Tensor:
        """`e_ID`: row 0 is padding, without meaning. Kept from call to call where it is more than the table itself."""
        if self.head.by_product or self.training or torch.is_grad_enabled():
            return self.head.vectors(self.items.vectors())
        key = [(tensor.data_ptr(), tensor._version) for tensor in (*self.parameters(), *self.buffers())]
        if self._halves is None or self._halves[0] != key:
            self._halves = (key, self.head.vectors(self.items.vectors()))
        return self._halves[1]

    def vectors_of(self, items_N: Tensor) -> Tensor:
        """`e_ND`: the same for some items, in their order."""
        return self.head.vectors(self.items.lookup(items_N), items_N)

    def score(self, batch: SequenceBatch, items_N: Tensor | None = None) -> Tensor:
        """Scores of all items, `[B, I + 1]` with minus infinity in column 0, or of the chosen ones, `[B, N]`."""
        e_ID = self.item_vectors()
        if items_N is not None:
            return self.head.scores(self.last(batch), e_ID[items_N]).masked_fill(items_N == 0, -torch.inf)
        score_BI = self.head.scores(self.last(batch), e_ID)
        score_BI[:, 0] = -torch.inf
        return score_BI

    def grow(self, num: int, content: ItemContent | None = None, trained: int | None = None) -> None:
        """See `Growing`; parameters may be new ones afterwards.

        A table made of content makes the new vectors as it makes all. In one of ids alone, content foretells them.
        """
        trained = self.num_items if trained is None else trained
        parts = None if content is None else content.parts()
        if isinstance(self.items, FusedTable):
            self.items.grow(num, parts)
        else:
            self.items.grow(num)
            if parts is not None:
                self.items.foretell(parts, trained)
        self.head.grow(num)
        if self.upcoming is not None:
            self.upcoming.grow(num)

    def arrays(self) -> dict[str, Tensor]:
        """Everything needed to load it again: parameters and buffers, unused capacity left out."""
        return {name: tensor.detach() for name, tensor in self.state_dict().items()}

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
        self.load_state_dict(arrays)
        return self

    def encoded(self, batch: SequenceBatch) -> Tensor:
        """`h_BLD`: the encoder's states, before the head."""
        given = self._input(batch)
        if self.training and self.autocast is not None:
            with torch.autocast(given[0].device.type, self.autocast):
                encoded: Tensor = self.encoder(*given)
            return encoded.float()
        encoded = self.encoder(*given)
        return encoded

    def _newest(self, batch: SequenceBatch) -> Tensor:
        newest = getattr(self.encoder, "newest", None)
        if newest is not None:
            last_BD: Tensor = newest(*self._input(batch))
            return last_BD
        return cast(Encoder, self.encoder).last(self.encoded(batch), batch.length_B)

    def _input(self, batch: SequenceBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What an encoder takes."""
        if self.training:
            batch = without_some_times(batch, self.time_dropout)
            batch = without_some_context(batch, self.context_dropout)
        x_BLD = self.items.lookup(batch.item_BL)
        if self.mask_D is not None:
            x_BLD = torch.where(batch.item_BL[..., None] > 0, x_BLD, self.mask_D)
        x_BLD = x_BLD * self.items.dim**0.5
        if self.behavior_vectors is not None:
            x_BLD = x_BLD + self.behavior_vectors[batch.behavior_BL]
        if self.moments is not None:
            x_BLD = x_BLD + self.moments(batch)
        if self.features is not None:
            x_BLD = x_BLD + self.features(batch)
        if self.context is not None:
            x_BLD = x_BLD + self.context(batch)
        return x_BLD, batch.time_BL, batch.length_B, batch.request_time_BL
