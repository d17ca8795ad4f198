"""What content foretells of learned item vectors: a ridge regression.

In: fixed vectors of items, and the learned ones of those that have some. Out: the weights of a linear map. It does not
know who made either.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

__all__ = ["beside", "ridge"]

RIDGE = 0.1
"""As a share of a component's own weight."""


def beside(content: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Tensor:
    """`x_IP` in double precision: the modalities beside each other, zeros where one is not known."""
    parts = [torch.from_numpy(fixed_IP * known_I[:, None]) for fixed_IP, known_I in content.values()]
    return torch.cat(parts, dim=1).double()


def ridge(x_NP: Tensor, y_ND: Tensor) -> Tensor:
    """`W_PD = argmin |x W - y|^2 + l |W|^2`, l a tenth of the mean of the diagonal of `x^T x`.

    Source: Hoerl & Kennard 1970 (Technometrics 12(1)), eq. 2.1.
    Differs: in the choice of l.
    """
    gram_PP = x_NP.T @ x_NP
    gram_PP += RIDGE * gram_PP.diagonal().mean() * torch.eye(len(gram_PP), dtype=gram_PP.dtype)
    weight_PD: Tensor = torch.linalg.solve(gram_PP, x_NP.T @ y_ND)
    return weight_PD
