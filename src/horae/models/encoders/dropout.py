"""Dropout that does not wait for random numbers, of single numbers, whole events or whole sequences.

In: any float tensor. Out: the same shape, in training with a share of its numbers zero. On CPUs torch draws one random
number per element, on one thread, which took a third of a training step; here one 64-bit draw decides four elements.

An encoder makes each of its dropouts as `Dropout(share)` and marks those that its inputs go through; `choose_kind` then
says what they drop. So no encoder knows the kinds.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.errors import RecipeError

__all__ = ["Dropout", "DropoutKind", "choose_kind"]

DropoutKind = Literal["element", "event", "variational"]

LEVELS = 2**16


class Dropout(nn.Module):
    """Zero each number with the given chance and scale the others so that the mean stays.

    Kinds: `element`, each number by itself; `event`, all numbers of a position together; `variational`, the same
    columns at all positions of a row.

    Args:
        share: What is dropped, from 0 to below 1.
        of_inputs: Do an encoder's inputs, one vector per event, go through here?

    Shape:
        x of any shape for `element`, x_BLD for the others.

    Source: Srivastava et al. 2014 (JMLR 15, https://jmlr.org/papers/v15/srivastava14a.html), section 10 (inverted);
        `variational`: Gal & Ghahramani 2016 (arXiv:1512.05287), section 4.
    Differs: on CPUs the chance is rounded to a multiple of 1 / 65536; elsewhere this is torch's own dropout.
        `variational` leaves a recurrent cell's own state alone.
    """

    def __init__(self, share: float, *, of_inputs: bool = False) -> None:
        super().__init__()
        assert 0 <= share < 1, share
        self.share = share
        self.of_inputs = of_inputs
        self.kind: DropoutKind = "element"

    def forward(self, x: Tensor) -> Tensor:
        """As it came outside training."""
        if not self.training or self.share == 0:
            return x
        if x.device.type != "cpu" and self.kind == "element":
            return F.dropout(x, self.share)
        return x * self._mask(x)

    def extra_repr(self) -> str:
        """As `nn.Dropout` shows itself."""
        return f"share={self.share}, kind={self.kind}"

    def _mask(self, x: Tensor) -> Tensor:
        """What to multiply by: of the shape of x, or with a 1 where all share their fate."""
        shape = x.shape
        if self.kind != "element":
            batch, length, dim = shape
            shape = torch.Size((batch, length, 1) if self.kind == "event" else (batch, 1, dim))
        if x.device.type != "cpu":
            return F.dropout(x.new_ones(shape), self.share)
        dropped_levels = min(round(self.share * LEVELS), LEVELS - 1)  # something is always kept
        draws = torch.empty(-(-shape.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        level = draws.view(torch.int16)[: shape.numel()].view(shape)
        keep = level >= dropped_levels - LEVELS // 2
        return torch.mul(keep, LEVELS / (LEVELS - dropped_levels)).to(x.dtype)


def choose_kind(encoder: nn.Module, kind: DropoutKind) -> None:
    """Say what an encoder's dropouts drop: `event` concerns its inputs, `variational` all, `element` is as they are.

    Raises:
        RecipeError: It would have no effect: the encoder drops nothing of that sort.
    """
    if kind == "element":
        return
    found = [module for module in encoder.modules() if isinstance(module, Dropout) and module.share > 0]
    meant = [module for module in found if module.of_inputs or kind == "variational"]
    if not meant:
        raise RecipeError(
            f'[model] dropout_kind = "{kind}" has no effect: '
            + ("nothing is dropped." if not found else "the encoder drops nothing of its inputs."),
            hint="Remove dropout_kind, or raise dropout.",
        )
    for module in meant:
        module.kind = kind
