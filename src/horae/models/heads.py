"""Heads: what a network's states are asked. A head turns states and item vectors so that one dot product answers.

In: the encoder's states and the item table's vectors. Out: states and vectors, perhaps one column wider, with
`score = state . vector`. So every loss, every ranking and every search in a large catalog needs the dot product only.
Heads do not know encoders.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Head", "NextItem", "Value"]


class Head(nn.Module):
    """What the dot product of a state and an item's vector means."""

    def states(self, h_BLD: Tensor) -> Tensor:
        """States to meet `vectors`."""
        raise AssertionError("a head defines its states")

    def vectors(self, e_ID: Tensor, items_N: Tensor | None = None) -> Tensor:
        """Item vectors to meet `states`: of all items, or of those that `items_N` names."""
        raise AssertionError("a head defines its vectors")

    def grow(self, num: int) -> None:
        """Take `num` more items in, after the last."""


class NextItem(Head):
    """A logit per item: how likely it comes next, up to the softmax.

    Args:
        num_items: I.
        bias: Learn one number per item beside its vector.

    Source: Kang & McAuley 2018 (arXiv:1808.09781), eq. 6, with the shared item table of section III-D.
    Differs: the optional bias, which the paper does not have.
    """

    def __init__(self, num_items: int, bias: bool) -> None:
        super().__init__()
        self.bias_I = nn.Parameter(torch.zeros(num_items + 1)) if bias else None

    def states(self, h_BLD: Tensor) -> Tensor:
        """As they are, or with a 1 that meets the bias."""
        return h_BLD if self.bias_I is None else _with_ones(h_BLD)

    def vectors(self, e_ID: Tensor, items_N: Tensor | None = None) -> Tensor:
        """As they are, or with the bias as a last column."""
        return e_ID if self.bias_I is None else torch.cat([e_ID, _of(self.bias_I, items_N)[:, None]], dim=1)

    def grow(self, num: int) -> None:
        """New items start without bias."""
        if self.bias_I is not None:
            self.bias_I = nn.Parameter(torch.cat([self.bias_I.data, self.bias_I.new_zeros(num)]))


class Value(Head):
    """The value expected of an event on an item: `mean + scale * (h . e + bias)`.

    `mean` and `scale` are facts of the training values, set once (`set_range`), so that the network learns about
    numbers near 0 and 1 whatever the unit of the values. For values that are labels they stay 0 and 1, and the answer
    is the logit of the label.

    Source: Koren, Bell & Volinsky 2009 (Computer 42(8), doi:10.1109/MC.2009.263), eq. 4 (mean, item bias, product).
    Differs: no bias per user: the state of the history stands for the user.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.bias_I = nn.Parameter(torch.zeros(num_items + 1))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def set_range(self, mean: float, scale: float) -> None:
        """Say where the training values lie; a scale of 0 (all equal) counts as 1."""
        self.mean.fill_(mean)
        self.scale.fill_(scale or 1.0)

    def states(self, h_BLD: Tensor) -> Tensor:
        """With a 1 that meets the mean and the bias."""
        return _with_ones(h_BLD)

    def vectors(self, e_ID: Tensor, items_N: Tensor | None = None) -> Tensor:
        """In the unit of the values, with mean and bias as a last column."""
        bias_N = _of(self.bias_I, items_N)
        return torch.cat([e_ID * self.scale, (self.mean + self.scale * bias_N)[:, None]], dim=1)

    def grow(self, num: int) -> None:
        """New items start at the mean."""
        self.bias_I = nn.Parameter(torch.cat([self.bias_I.data, self.bias_I.new_zeros(num)]))


def _of(bias_I: Tensor, items_N: Tensor | None) -> Tensor:
    return bias_I if items_N is None else bias_I[items_N]


def _with_ones(h: Tensor) -> Tensor:
    return torch.cat([h, h.new_ones(*h.shape[:-1], 1)], dim=-1)
