"""Another objective, with a price on the encoder's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from horae.models.network import Network
from horae.sequences.framing import Framed
from horae.training.objectives.objective import Objective, Step

__all__ = ["Penalised"]


class Penalised:
    """Another objective, its losses plus `l1` times the absolute sum of the encoder's weights.

    Weights are the encoder's parameters with two dimensions or more. Biases, norms and whatever stands outside of the
    encoder (the item table above all, most rows of which a step does not look at) go free.

    Source: Tibshirani 1996 (JRSS B 58(1), the lasso), eq. 2, in the Lagrangian form.
    Differs: a subgradient inside AdamW's step: weights are drawn near zero, but not to zero itself.
    """

    def __init__(self, objective: Objective, l1: float) -> None:
        self.objective = objective
        self.l1 = l1

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """See `Objective`."""
        self.objective.prepare(network, value_N)

    def steps(self, network: Network, framed: Framed, whole: Framed | None = None) -> list[Step]:
        """The inner objective's, each with the penalty."""
        taken = self.objective.steps(network, framed, whole)
        share = 1.0 if whole is None else self.counted(framed) / self.counted(whole)
        penalty = self.l1 * share
        return [(parameters, loss + penalty * _absolute_sum(network.encoder)) for parameters, loss in taken]

    def counted(self, framed: Framed) -> Tensor:
        """The inner objective's."""
        return self.objective.counted(framed)

    def state(self) -> dict[str, Tensor]:
        """The inner objective's."""
        return self.objective.state()

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        self.objective.load_state(state)


def _absolute_sum(module: nn.Module) -> Tensor:
    return torch.stack([weight.abs().sum() for weight in module.parameters() if weight.ndim > 1]).sum()
