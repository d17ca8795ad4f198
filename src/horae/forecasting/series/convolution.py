"""The causal convolution over a series.

In: one vector per bin, padded at the right. Out: one state per bin that has seen it and the bins before it. Knows
order, not time.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from horae.models.encoders import last_state
from horae.models.encoders.dropout import Dropout

__all__ = ["Convolution"]

KERNEL = 3


class Convolution(nn.Module):
    """Residual layers of dilated convolutions, `h + gelu(conv(h))`, the dilation doubling from layer to layer.

    There are as many layers as it takes for the last bin to see the first of `max_len`, plus `more_layers` without
    dilation.

    Shape:
        x_BLD -> h_BLD. Padding at the right never reaches a real position.

    Source: Bai, Kolter & Koltun 2018 (arXiv:1803.01271), section 3; van den Oord et al. 2016 (arXiv:1609.03499),
        section 2.1.
    Differs: one convolution in a block, GELU in place of ReLU, no weight norm, a LayerNorm at the end.
    """

    causal = True

    def __init__(self, more_layers: int, dim: int, max_len: int, dropout: float) -> None:
        super().__init__()
        dilations, sees = [1] * more_layers, 1 + more_layers * (KERNEL - 1)
        while sees < max_len:
            dilations.append(2 * dilations[-1] if dilations else 1)
            sees += (KERNEL - 1) * dilations[-1]
        self.max_len, self.sees = max_len, sees
        self.dilations = dilations
        self.layers = nn.ModuleList(nn.Conv1d(dim, dim, KERNEL, dilation=dilation) for dilation in dilations)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor, request_time_BL: Tensor) -> Tensor:
        """See `horae.models.encoders.Encoder`; times are not looked at."""
        h_BDL = x_BLD.transpose(1, 2)
        for layer, dilation in zip(self.layers, self.dilations, strict=True):
            h_BDL = h_BDL + self.dropout(F.gelu(layer(F.pad(h_BDL, ((KERNEL - 1) * dilation, 0)))))
        normed: Tensor = self.norm(h_BDL.transpose(1, 2))
        return normed

    def last(self, h_BLD: Tensor, length_B: Tensor) -> Tensor:
        """See `horae.models.encoders.Encoder`."""
        return last_state(h_BLD, length_B)
