"""Which item comes next: the full softmax, or a loss over drawn items."""

from __future__ import annotations

import torch
from torch import Tensor

from horae.models.network import Network
from horae.sequences.framing import Framed
from horae.training.losses import binary, calibrated_power, full_softmax, gbce, sampled_softmax
from horae.training.negatives import Negatives
from horae.training.objectives.objective import LossName, Step

__all__ = ["DEFAULT_CALIBRATION", "NextItemObjective"]

DEFAULT_CALIBRATION = 0.75


class NextItemObjective:
    """Each position foretells the item of the event after it.

    Attributes:
        precision: Of the products of the full softmax; None: the network's own.
        calibration: The t of gBCE, from 0 to 1.
        weight_of: What a target counts, by its behavior; None: all the same. Where the log says what each event counts
            (`[data] weak_labels`), the two are multiplied.
        impressions: How many of the items that were shown before a target, newest first, are negatives of it beside the
            drawn ones.
    """

    def __init__(self, loss: LossName, negatives: Negatives | None = None, num_negatives: int = 0) -> None:
        assert (negatives is None) == (loss == "softmax") == (num_negatives == 0)
        self.loss = loss
        self.negatives = negatives
        self.num_negatives = num_negatives
        self.precision: torch.dtype | None = None
        self.calibration = DEFAULT_CALIBRATION
        self.weight_of: Tensor | None = None
        self.impressions = 0
        self._drawn: tuple[Framed, Tensor] | None = None

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """Nothing: values play no part."""

    def steps(self, network: Network, framed: Framed, whole: Framed | None = None) -> list[Step]:
        """One step, over the positions that have a target."""
        index_N = framed.target_BL.flatten().nonzero().squeeze(1)
        weight_N = self._weights(framed, index_N)
        if weight_N is not None:
            index_N, weight_N = index_N[weight_N > 0], weight_N[weight_N > 0]
        if len(index_N) == 0:
            return []
        h_ND = network.states(framed.batch).flatten(0, 1).index_select(0, index_N)
        target_N = framed.target_BL.flatten()[index_N]
        if self.negatives is None:
            loss = full_softmax(h_ND, network.item_vectors(), target_N, weight_N, precision=self.precision)
        else:
            drawn = self._negatives_of(whole, target_N)
            loss = self._sampled(network, drawn, h_ND, target_N, weight_N, self._own(framed, index_N, target_N))
        if whole is not None:
            loss = loss * (self.counted(framed) / self.counted(whole))
        return [(list(network.parameters()), loss)]

    def counted(self, framed: Framed) -> Tensor:
        """The targets' weights together."""
        index_N = framed.target_BL.flatten().nonzero().squeeze(1)
        weight_N = self._weights(framed, index_N)
        return torch.tensor(len(index_N), device=index_N.device) if weight_N is None else weight_N.sum()

    def state(self) -> dict[str, Tensor]:
        """The sampler's generator."""
        return {} if self.negatives is None else {"negatives": self.negatives.state()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        if self.negatives is not None:
            self.negatives.load_state(state["negatives"])

    def _weights(self, framed: Framed, index_N: Tensor) -> Tensor | None:
        """What each target counts: by its behavior, times what its own row says; None where all count alike."""
        own_N = None if framed.target_weight_BL is None else framed.target_weight_BL.flatten()[index_N]
        if self.weight_of is None:
            return own_N
        behavior_N = framed.target_behavior_BL.flatten()[index_N]
        weight_N = self.weight_of.to(behavior_N.device)[behavior_N]
        return weight_N if own_N is None else weight_N * own_N

    def _negatives_of(self, whole: Framed | None, target_N: Tensor) -> Tensor:
        """Each row's own, or some that a whole batch shares, though it comes in pieces."""
        assert self.negatives is not None
        if self.loss == "binary":
            return self.negatives.draw(len(target_N), self.num_negatives, device=target_N.device)
        if whole is None:
            return self.negatives.draw(self.num_negatives, device=target_N.device)
        if self._drawn is None or self._drawn[0] is not whole:
            self._drawn = whole, self.negatives.draw(self.num_negatives, device=target_N.device)
        return self._drawn[1]

    def _own(self, framed: Framed, index_N: Tensor, target_N: Tensor) -> Tensor:
        """What was shown before each target; where it was less, the target fills up, which no loss counts."""
        if not self.impressions or framed.shown_BLS is None:
            return target_N.new_empty(len(target_N), 0)
        own_NS = framed.shown_BLS.flatten(0, 1)[index_N, : self.impressions].to(target_N.dtype)
        return torch.where(own_NS > 0, own_NS, target_N[:, None])

    def _sampled(
        self,
        network: Network,
        drawn: Tensor,
        h_ND: Tensor,
        target_N: Tensor,
        weight_N: Tensor | None,
        own_NS: Tensor,
    ) -> Tensor:
        """A loss over the drawn items alone: of a large table, only their rows are looked at."""
        assert self.negatives is not None
        looked_at = torch.cat([target_N, drawn.flatten(), own_NS.flatten()])
        items_N, place = torch.unique(looked_at, return_inverse=True)
        target_N, negative, own = place.split([len(target_N), drawn.numel(), own_NS.numel()])
        negative, own_NS = negative.view(drawn.shape), own.view(own_NS.shape)
        e_ND = network.vectors_of(items_N)
        if self.loss == "binary":
            return binary(h_ND, e_ND, target_N, torch.cat([negative, own_NS], dim=1), weight_N)
        if self.loss == "gbce":
            power = calibrated_power(self.num_negatives, network.num_items, self.calibration)
            return gbce(h_ND, e_ND, target_N, negative, power, weight_N, own_NS)
        log_q_I = self.negatives.log_q_I
        log_q_N = None if log_q_I is None else log_q_I.to(h_ND.device)[items_N]
        return sampled_softmax(h_ND, e_ND, target_N, negative, log_q_N, weight_N, own_NS)
