"""Optimisers: one step over a network's parameters, and their state as plain tensors, which a checkpoint needs.

In: a network whose gradients are there. Out: its parameters, moved. This module does not know losses or epochs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from horae.models.network import Network

__all__ = ["Optimiser", "clip", "make_optimiser"]


class Optimiser:
    """Torch's optimisers, each with its own parameters, as one."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self.parts = parts

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for part in self.parts:
            part.step()

    def state(self) -> dict[str, Tensor]:
        """`part.parameter number.name -> tensor` of everything remembered."""
        return {
            f"{place}.{number}.{name}": torch.as_tensor(value)
            for place, part in enumerate(self.parts)
            for number, values in part.state_dict()["state"].items()
            for name, value in values.items()
        }

    def load_state(self, arrays: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        for place, part in enumerate(self.parts):
            state: dict[int, dict[str, Tensor | int]] = {}
            counts_steps = isinstance(part, torch.optim.SparseAdam)  # as an int, where AdamW has a tensor
            for key, value in arrays.items():
                whose, number, name = key.split(".")
                if int(whose) == place:
                    plain = counts_steps and name == "step"
                    state.setdefault(int(number), {})[name] = int(value) if plain else value
            part.load_state_dict({**part.state_dict(), "state": state})


def make_optimiser(network: Network, learning_rate: float, weight_decay: float) -> Optimiser:
    """AdamW, one fused pass over each parameter; where the item table has sparse gradients, its touched rows only.

    Source: Loshchilov and Hutter 2019 (arXiv:1711.05101); for the rows, torch's SparseAdam.
    Differs: biases, norms and tables decay too. Rows that a step does not touch neither move nor forget, and the table
        that moves by rows does not decay.
    """
    table = [network.items.weight] if network.items.touched_rows else []
    others = [p for p in network.parameters() if all(p is not row for row in table)]
    parts: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(others, lr=learning_rate, weight_decay=weight_decay, fused=True)
    ]
    if table:
        parts.append(torch.optim.SparseAdam(table, lr=learning_rate))
    return Optimiser(parts)


def clip(parameters: Iterable[nn.Parameter], longest: float) -> None:
    """Shorten the gradients, sparse ones too, so that all of them together are no longer than this."""
    given = [p for p in parameters if p.grad is not None]
    for parameter in given:
        assert parameter.grad is not None
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()  # a row that was touched twice has one gradient, their sum
    grads = [p.grad.values() if p.grad.is_sparse else p.grad for p in given if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(grads)
    share = (longest / (norm + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(grads, share)
