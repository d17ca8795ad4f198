"""Numbers of any scale as rows of a table of vectors: which bin each falls into, and where bins end.

Bins hold equally many of the numbers looked at, or one number each where there are few: counts, seconds and money need
no scale of their own, every vector learns from as many events, and a single monstrous value moves none.

Source: Gorishniy et al. 2022 (arXiv:2203.05556), section 3.2, for bins by quantiles.
Differs: one vector per bin instead of a line within it; what is unknown has a vector, too.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["LOOKED_AT", "NUM_BINS", "edges_of", "rows_of"]

Floats = npt.NDArray[np.float32]
NUM_BINS: Final = 32
"""Of a number's known values."""
LOOKED_AT: Final = 200_000
"""Training events that say where the bins lie."""


def edges_of(number_N: Floats) -> Tensor:
    """Where one bin ends and the next begins: `NUM_BINS - 1`, ascending, infinity where there are fewer."""
    number_N = number_N[~np.isnan(number_N)]
    edges: Floats = np.unique(number_N)[1:]
    if len(edges) >= NUM_BINS:
        shares = np.linspace(0, 1, NUM_BINS + 1)[1:-1]
        edges = np.unique(np.quantile(number_N, shares, method="lower"))
    edge_E = torch.full((NUM_BINS - 1,), torch.inf)
    edge_E[: len(edges)] = torch.from_numpy(edges)
    return edge_E


@torch.no_grad()
def rows_of(number_TN: Tensor, edge_TE: Tensor) -> Tensor:
    """`row_NT` of T tables in one: each has a row for every bin, `E + 1` of them, and a last one for unknown."""
    unknown = edge_TE.shape[1] + 1
    bin_TN = torch.searchsorted(edge_TE, number_TN, right=True).masked_fill(number_TN.isnan(), unknown)
    first_T = torch.arange(len(bin_TN), device=bin_TN.device) * (unknown + 1)
    return (bin_TN + first_T[:, None]).T
