"""How much: the value of the next event, given its item."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from horae.errors import DataError
from horae.models.heads import Value
from horae.models.network import Network
from horae.sequences.framing import Framed
from horae.training.losses import binary_values, mean_squared_error
from horae.training.objectives.objective import Step

__all__ = ["ValueObjective"]


class ValueObjective:
    """Each position foretells the value of the event after it, given that event's item. Unknown values are left out."""

    def __init__(self, loss: Literal["binary", "mean_squared_error"]) -> None:
        self.loss = loss

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """Check the values, and centre and scale the head on them where they are amounts.

        Raises:
            DataError: No value is known; or labels are asked for and some value lies outside 0 to 1.
        """
        known_N = value_N[~value_N.isnan()].double()
        if len(known_N) == 0:
            raise DataError(
                f'[train] loss = "{self.loss}" with [model] head = "value" needs values; the log has none.',
                hint='Name the value column (--columns value=...), or train with head = "next_item".',
            )
        low, high = known_N.min().item(), known_N.max().item()
        if self.loss == "binary" and (low < 0 or high > 1):
            raise DataError(
                f'[train] loss = "binary" expected values from 0 to 1, got {low:g} to {high:g}.',
                hint='Use loss = "mean_squared_error", or turn the values into labels first.',
            )
        assert isinstance(network.head, Value)
        if self.loss == "mean_squared_error":
            network.head.set_range(known_N.mean().item(), known_N.std(correction=0).item())

    def steps(self, network: Network, framed: Framed, whole: Framed | None = None) -> list[Step]:
        """One step, over the positions whose target has a known value."""
        index_N = _valued(framed).flatten().nonzero().squeeze(1)
        if len(index_N) == 0:
            return []
        h_ND = network.states(framed.batch).flatten(0, 1).index_select(0, index_N)
        target_N, value_N = framed.target_BL.flatten()[index_N], framed.target_value_BL.flatten()[index_N]
        items_N, place_N = torch.unique(target_N, return_inverse=True)  # of a large table, only their rows
        told = binary_values if self.loss == "binary" else mean_squared_error
        loss = told(h_ND, network.vectors_of(items_N), place_N, value_N)
        if whole is not None:
            loss = loss * (self.counted(framed) / self.counted(whole))
        return [(list(network.parameters()), loss)]

    def counted(self, framed: Framed) -> Tensor:
        """The targets of known value."""
        return _valued(framed).sum()

    def state(self) -> dict[str, Tensor]:
        """Nothing: no draws."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""


def _valued(framed: Framed) -> Tensor:
    """Positions whose target has a known value."""
    return (framed.target_BL > 0) & ~framed.target_value_BL.isnan()
