"""Where values lie, as a network has them: near 0, about 1 wide; and back, as people have them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

__all__ = ["ScaleName", "ValueScale"]

ScaleName = Literal["auto", "standard", "log"]
OFFSET = 0.1
"""Of the median, added before the logarithm: a value of 0 stays finite, and cents do not look like continents."""


class ValueScale(nn.Module):
    """`(value - center) / spread`, or the same of `log(value + offset)`, fitted on training values.

    Args:
        kind: `log` for amounts that differ by factors, `standard` for ratings; `auto`: log where no training value is
            below 0 and the values are skewed to the right, more than their logarithms are to either side.
    """

    center: Tensor
    spread: Tensor
    offset: Tensor
    logged: Tensor
    has_values: Tensor

    def __init__(self, kind: ScaleName = "auto") -> None:
        super().__init__()
        self.kind = kind
        for name, value in (("center", 0.0), ("spread", 1.0), ("offset", 1.0)):
            self.register_buffer(name, torch.tensor(value))
        self.register_buffer("logged", torch.tensor(False))
        self.register_buffer("has_values", torch.tensor(False))

    def look_at(self, value_N: npt.NDArray[np.float32]) -> None:
        """Fit, on training values (NaN = unknown). All equal: the spread stays 1."""
        known_N = np.asarray(value_N, dtype=np.float64)
        known_N = known_N[np.isfinite(known_N)]
        self.has_values.fill_(len(known_N) > 0)
        if len(known_N) == 0:
            return
        positive_N = known_N[known_N > 0]
        offset = OFFSET * float(np.median(positive_N)) if len(positive_N) else 1.0
        logged = known_N.min() >= 0 and (self.kind == "log" or (self.kind == "auto" and _skewed(known_N, offset)))
        on_scale_N = np.log(known_N + offset) if logged else known_N
        self.logged.fill_(bool(logged))
        self.offset.fill_(offset)
        self.center.fill_(float(on_scale_N.mean()))
        self.spread.fill_(float(on_scale_N.std()) or 1.0)

    def scaled(self, value: Tensor) -> Tensor:
        """To the network's scale; below 0 counts as 0 where the scale is logarithmic."""
        plain = (value.clamp(min=0) + self.offset).log() if self.logged else value
        return (plain - self.center) / self.spread

    def restored(self, scaled: Tensor) -> Tensor:
        """Back to the values' own unit."""
        plain = scaled * self.spread + self.center
        return plain.exp() - self.offset if self.logged else plain


def _skewed(known_N: npt.NDArray[np.float64], offset: float) -> bool:
    raw, logged = _skewness(known_N), _skewness(np.log(known_N + offset))
    return raw > 1 and abs(logged) < raw


def _skewness(x_N: npt.NDArray[np.float64]) -> float:
    spread = x_N.std()
    return float((((x_N - x_N.mean()) / spread) ** 3).mean()) if spread > 0 else 0.0
