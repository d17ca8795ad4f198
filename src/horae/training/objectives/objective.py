"""What every objective is: steps made of a network and a batch with targets.

A step is a loss with the parameters that it moves; the loop takes them in order. An objective with two losses, or with
two players, is a longer list and no second loop. This module does not know optimisers, epochs or files.
"""

from __future__ import annotations

from typing import Literal, Protocol

from torch import Tensor, nn

from horae.models.network import Network
from horae.sequences.framing import Framed

__all__ = ["LossName", "NegativesName", "Objective", "Step"]

LossName = Literal["softmax", "sampled_softmax", "binary", "gbce", "mean_squared_error"]
NegativesName = Literal["uniform", "popularity"]
Step = tuple[list[nn.Parameter], Tensor]


class Objective(Protocol):
    """What a network is trained on."""

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """Set, once and before the first step, what the training targets' values (NaN = unknown) decide."""
        ...

    def steps(self, network: Network, framed: Framed, whole: Framed | None = None) -> list[Step]:
        """Losses with the parameters that each moves; none where the batch has no target.

        Args:
            network: What learns.
            framed: A batch, or a piece of one.
            whole: The batch that `framed` is a piece of. A loss is then this piece's share of the whole batch's: the
                losses of all pieces add up to it, and so do their gradients.
        """
        ...

    def counted(self, framed: Framed) -> Tensor:
        """What the targets of a batch, or of a piece of one, count together: a loss is a mean over it."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint needs so that the next steps are those of an uninterrupted run."""
        ...

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        ...
