"""Optimisers: one step over a network's parameters, and their state as plain tensors, which a checkpoint needs.

In: a network whose gradients are there. Out: its parameters, moved. This module does not know losses or epochs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from horae.models.network import Network

__all__ = ["Average", "Optimiser", "clip", "make_optimiser"]


class Average:
    """The running mean of some parameters over the last steps or so: less noise than any one step's weights.

        mean += (weights - mean) * max(1 / steps, 9 / (10 + t))      t = 1, 2, ...: a young mean forgets quicker

    Source: Polyak and Juditsky 1992 (doi:10.1137/0330046), in the exponential form that Kingma and Ba 2015
        (arXiv:1412.6980), section 7.2, suggest.
    Differs: instead of a correction for the start, the first steps have larger shares.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], steps: int) -> None:
        self.parameters: list[Tensor] = [parameter for parameter in parameters if parameter.requires_grad]
        self.mean = [parameter.detach().clone() for parameter in self.parameters]
        self.steps = steps
        self.taken = 0

    def add(self) -> None:
        """Take the parameters as they are now in."""
        self.taken += 1
        share = max(1 / self.steps, 9 / (10 + self.taken))
        with torch.no_grad():
            torch._foreach_lerp_(self.mean, self.parameters, share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The parameters are their means for as long as the block runs."""
        with torch.no_grad():
            own = [parameter.detach().clone() for parameter in self.parameters]
            torch._foreach_copy_(self.parameters, self.mean)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self.parameters, own)


class Optimiser:
    """Torch's optimisers, each with its own parameters, as one; and the parameters' running mean, where it is kept."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer], average: Average | None = None) -> None:
        self.parts = parts
        self.average = average

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for part in self.parts:
            part.step()
            # A fused step writes without counting it, and a layout made for searching would be taken for fresh.
            torch.autograd.graph.increment_version([p for group in part.param_groups for p in group["params"]])
        if self.average is not None:
            self.average.add()

    def judged(self) -> AbstractContextManager[None]:
        """Where the weights stand that are judged and kept: their means, or as they are."""
        return nullcontext() if self.average is None else self.average.in_place()

    def state(self) -> dict[str, Tensor]:
        """`part.parameter number.name -> tensor` of everything remembered."""
        means = {} if self.average is None else {f"mean.{n}": mean for n, mean in enumerate(self.average.mean)}
        taken = {} if self.average is None else {"mean.taken": torch.tensor(self.average.taken)}
        return {**means, **taken} | {
            f"{place}.{number}.{name}": torch.as_tensor(value)
            for place, part in enumerate(self.parts)
            for number, values in part.state_dict()["state"].items()
            for name, value in values.items()
        }

    def load_state(self, arrays: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        arrays = dict(arrays)
        if self.average is not None:
            self.average.taken = int(arrays.pop("mean.taken"))
            for n, mean in enumerate(self.average.mean):
                mean.copy_(arrays.pop(f"mean.{n}"))
        for place, part in enumerate(self.parts):
            state: dict[int, dict[str, Tensor | int]] = {}
            counts_steps = isinstance(part, torch.optim.SparseAdam)  # as an int, where AdamW has a tensor
            for key, value in arrays.items():
                whose, number, name = key.split(".")
                if int(whose) == place:
                    plain = counts_steps and name == "step"
                    state.setdefault(int(number), {})[name] = int(value) if plain else value
            part.load_state_dict({**part.state_dict(), "state": state})


def make_optimiser(network: Network, learning_rate: float, weight_decay: float, average_steps: int = 0) -> Optimiser:
    """AdamW, one fused pass over each parameter; where the item table has sparse gradients, its touched rows only.

    Source: Loshchilov and Hutter 2019 (arXiv:1711.05101); for the rows, torch's SparseAdam.
    Differs: biases, norms and tables decay too. Rows that a step does not touch neither move nor forget, and the table
        that moves by rows does not decay, nor is it averaged.
    """
    table = [network.items.rows] if network.items.touched_rows and network.items.rows is not None else []
    others = [p for p in network.parameters() if all(p is not row for row in table)]
    parts: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(others, lr=learning_rate, weight_decay=weight_decay, fused=True)
    ]
    if table:
        parts.append(torch.optim.SparseAdam(table, lr=learning_rate))
    return Optimiser(parts, Average(others, average_steps) if average_steps else None)


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
