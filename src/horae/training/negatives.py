"""Negatives: items that did not come, drawn to stand against the one that did.

In: how many items there are, or how often each came. Out: item indices from 1, on the device asked for. Draws come from
an own generator, so that neither dropout nor the order of other calls moves them. Accidental hits are not removed here:
the losses mask them. This module does not know losses or networks.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Negatives", "PopularityNegatives", "UniformNegatives"]


class Negatives(Protocol):
    """A sampler of item indices.

    Attributes:
        log_q_I: Log of each item's chance in one draw, entry 0 is minus infinity; None where all are equal.
    """

    log_q_I: Tensor | None

    def draw(self, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """Int64 indices from 1 to the number of items, drawn independently, with replacement."""
        ...

    def state(self) -> Tensor:
        """The generator's state: what a checkpoint needs to draw the same from here on."""
        ...

    def load_state(self, state: Tensor) -> None:
        """The inverse of `state`."""
        ...


class UniformNegatives:
    """Every item has the same chance.

    Source: Kang & McAuley 2018 (arXiv:1808.09781), section III-E.
    Differs: the user's own items are not excluded.
    """

    def __init__(self, num_items: int, seed: int) -> None:
        assert num_items >= 1
        self.num_items = num_items
        self.log_q_I: Tensor | None = None
        self._generator = torch.Generator().manual_seed(seed)

    def draw(self, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """See `Negatives.draw`."""
        return torch.randint(1, self.num_items + 1, shape, generator=self._generator).to(device)

    def state(self) -> Tensor:
        """See `Negatives.state`."""
        return self._generator.get_state()

    def load_state(self, state: Tensor) -> None:
        """See `Negatives.load_state`."""
        self._generator.set_state(state)


class PopularityNegatives:
    """An item's chance is its count, damped by a power; an item that never came counts as if it came once.

    Args:
        count_I: Counts by item index, entry 0 unused.
        seed: Of the draws.
        power: 0 draws uniformly, 1 by popularity itself.

    Source: Hidasi & Karatzoglou 2018 (arXiv:1706.03847): additional samples by popularity to a power.
    Differs: where none is given the power is 0.75 (Mikolov et al. 2013, arXiv:1310.4546, section 2.2); every item has
        some chance.
    """

    def __init__(self, count_I: Tensor, seed: int, power: float = 0.75) -> None:
        assert count_I.ndim == 1 and len(count_I) >= 2, "counts by item index, entry 0 unused"
        share_I = count_I.to(torch.float64).clamp(min=1) ** power
        share_I[0] = 0.0
        share_I /= share_I.sum()
        self.log_q_I: Tensor | None = share_I.log().to(torch.float32)
        self._cumulative_I = share_I.cumsum(0)
        self._generator = torch.Generator().manual_seed(seed)

    def draw(self, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """See `Negatives.draw`; a binary search, since `torch.multinomial` takes at most 2^24 items."""
        point = torch.rand(shape, generator=self._generator, dtype=torch.float64) * self._cumulative_I[-1]
        index = torch.searchsorted(self._cumulative_I, point, right=True)
        return index.clamp(max=len(self._cumulative_I) - 1).to(device)

    def state(self) -> Tensor:
        """See `Negatives.state`."""
        return self._generator.get_state()

    def load_state(self, state: Tensor) -> None:
        """See `Negatives.load_state`."""
        self._generator.set_state(state)
