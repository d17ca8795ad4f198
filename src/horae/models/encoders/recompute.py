"""Blocks whose inside is not kept for the backward pass, but computed anew there.

In: a block of an encoder and what it takes. Out: what it gives, with the same gradient. An encoder that runs its blocks
through `through` says so by `recomputes = True`, and `recompute` turns it on. So no encoder knows why.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

__all__ = ["recompute", "through"]


def recompute(encoder: nn.Module, wanted: bool) -> None:
    """From now on, in training, compute the encoder's blocks anew in the backward pass; or keep their inside."""
    assert not wanted or getattr(encoder, "recomputes", False)
    encoder.recompute = wanted  # type: ignore[assignment]


def through(encoder: nn.Module, block: nn.Module, *given: Any) -> Tensor:
    """`block(*given)`.

    Source: Chen et al. 2016 (arXiv:1604.06174), by `torch.utils.checkpoint`.
    Differs: each block is a segment of its own. Random draws are those of the first time.
    """
    if encoder.training and torch.is_grad_enabled() and getattr(encoder, "recompute", False):
        again: Tensor = checkpoint(block, *given, use_reentrant=False)
        return again
    out: Tensor = block(*given)
    return out
