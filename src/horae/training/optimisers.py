"""Optimisers, and their state as plain tensors: what a checkpoint needs, without pickle."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["load_state", "make_optimiser", "state_arrays"]


def make_optimiser(network: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW, one fused pass over each parameter.

    Source: Loshchilov and Hutter 2019 (arXiv:1711.05101). Differs: nothing; biases, norms and tables decay too.
    """
    return torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)


def state_arrays(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """`parameter number.name -> tensor` of everything that the optimiser remembers."""
    state = optimiser.state_dict()["state"]
    return {f"{number}.{name}": value for number, values in state.items() for name, value in values.items()}


def load_state(optimiser: torch.optim.Optimizer, arrays: Mapping[str, Tensor]) -> None:
    """The inverse of `state_arrays`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in arrays.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
