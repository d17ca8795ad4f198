"""Which behavior, with an item: what happens, and with drawn items that nothing does."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from horae.models.heads import Pair
from horae.models.network import Network
from horae.sequences.framing import Framed
from horae.training.losses import binary_pairs
from horae.training.negatives import Negatives
from horae.training.objectives.objective import Step

__all__ = ["PairObjective"]


class PairObjective:
    """Each position foretells what happens with the item of the event after it; with drawn items, nothing does.

    Events that say that somebody does not want an item (`refuses`) are no targets, but this network learns from those
    among a window's inputs, too: no drawn item is as surely a negative as one that was refused.

    Attributes:
        causal: Is what stands after a position unseen by it? Else it is no answer.
        refuses_C: Which behaviors say so.
    """

    def __init__(self, negatives: Negatives, num_negatives: int, *, causal: bool = True) -> None:
        self.negatives = negatives
        self.num_negatives = num_negatives
        self.causal = causal
        self.refuses_C: Tensor | None = None

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """Nothing: values play no part."""

    def steps(self, network: Network, framed: Framed, whole: Framed | None = None) -> list[Step]:
        """One step, over the positions after which something happened."""
        item_BL, behavior_BL = self._happened(framed)
        index_N = item_BL.flatten().nonzero().squeeze(1)
        if len(index_N) == 0:
            return []
        head = network.head
        assert isinstance(head, Pair)
        h_NK = network.states(framed.batch).flatten(0, 1).index_select(0, index_N)
        own_N = item_BL.flatten()[index_N]
        drawn_NS = self.negatives.draw(len(own_N), self.num_negatives, device=h_NK.device)
        items_N, place = torch.unique(torch.cat([own_N[:, None], drawn_NS], dim=1), return_inverse=True)
        e_NSK = F.embedding(place, network.vectors_of(items_N))
        logit_NSC = head.logits(h_NK[:, None] + e_NSK)
        behavior_N = behavior_BL.flatten()[index_N]
        loss = binary_pairs(logit_NSC[:, 0], behavior_N, logit_NSC[:, 1:], drawn_NS == own_N[:, None])
        if whole is not None:
            loss = loss * (self.counted(framed) / self.counted(whole))
        return [(list(network.parameters()), loss)]

    def counted(self, framed: Framed) -> Tensor:
        """Positions after which something happened."""
        return (self._happened(framed)[0] > 0).sum()

    def state(self) -> dict[str, Tensor]:
        """The sampler's generator."""
        return {"negatives": self.negatives.state()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        self.negatives.load_state(state["negatives"])

    def _happened(self, framed: Framed) -> tuple[Tensor, Tensor]:
        """Items and behaviors of the targets, and of what was refused right after a position."""
        item_BL, behavior_BL = framed.target_BL, framed.target_behavior_BL
        if self.refuses_C is None or not self.causal:
            return item_BL, behavior_BL
        events = (framed.batch.item_BL, framed.batch.behavior_BL)
        next_item_BL, next_behavior_BL = (F.pad(x_BL[:, 1:], (0, 1)) for x_BL in events)
        refused_BL = (item_BL == 0) & (next_item_BL > 0) & self.refuses_C.to(item_BL.device)[next_behavior_BL]
        behavior_BL = torch.where(refused_BL, next_behavior_BL, behavior_BL)
        return torch.where(refused_BL, next_item_BL, item_BL), behavior_BL
