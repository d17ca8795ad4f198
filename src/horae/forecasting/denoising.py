"""The network of the autoencoder: a window of values, some hidden, in; a guess at each of its places out.

It does not know series, scales or training: `autoencoder.py` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from horae.models.encoders.gru import GRU
from horae.models.encoders.recurrent import RecurrentSettings

__all__ = ["FEATURES", "Denoiser", "Windows"]

FEATURES = 15


@dataclass(frozen=True)
class Windows:
    """Stretches of lines, right-padded. What is not seen is not in here: hidden values are zeros.

    Attributes:
        value_BL: Scaled values, 0 where not seen.
        seen_BL: Which values are seen.
        gap_BL: Time since the place before, in median gaps of the training part; 1 where unknown.
        others_BL: What the companions' values at the same moment let expect, 0 where nothing.
        others_seen_BL: Whether there is any.
        length_B: Real places.
    """

    value_BL: Tensor
    seen_BL: Tensor
    gap_BL: Tensor
    others_BL: Tensor
    others_seen_BL: Tensor
    length_B: Tensor

    def hide(self, hidden_BL: Tensor, others_hidden_BL: Tensor) -> Windows:
        """The same with fewer values seen."""
        seen_BL, others_seen_BL = self.seen_BL & ~hidden_BL, self.others_seen_BL & ~others_hidden_BL
        return replace(
            self,
            value_BL=self.value_BL * seen_BL,
            seen_BL=seen_BL,
            others_BL=self.others_BL * others_seen_BL,
            others_seen_BL=others_seen_BL,
        )

    def to(self, device: torch.device) -> Windows:
        """All of it on a device."""
        return Windows(**{name: tensor.to(device) for name, tensor in vars(self).items()})


class Denoiser(nn.Module):
    """Straight lines between what is seen, and what two GRUs, one each way, add to them.

        x_t   = W [value, seen, log gap, line, log time to the seen value before and after, these two values,
                   companions, are there any, the values a period before and after, are they seen, level]
        guess = line_t + V gelu(U [h_t forward; h_t backward])       V begins at 0

    Values are inputs relative to the level, the mean of what the window shows.
    So an untrained network draws straight lines, and training only keeps what is better on values that were hidden.

    Shape:
        guess_BL, in scaled values; at padded places finite, but without meaning.

    Source: Cao et al. 2018 (arXiv:1805.10572), BRITS, for two directions, masks and time gaps; Vincent et al. 2008
        (doi:10.1145/1390156.1390294) for learning by hiding what is known.
    Differs: gaps are inputs, not a decay of the state; a guess is not fed back into the state; the network adds to
        straight lines; other series come as one weighted mean, so that their number is free.
    """

    def __init__(self, dim: int, window: int, dropout: float, period: int | None = None) -> None:
        super().__init__()
        self.period = period
        self.inputs = nn.Linear(FEATURES, dim)
        self.forwards = GRU(RecurrentSettings(), dim, window, dropout)
        self.backwards = GRU(RecurrentSettings(), dim, window, dropout)
        self.mix = nn.Linear(2 * dim, dim)
        self.answer = nn.Linear(dim, 1)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def forward(self, windows: Windows) -> Tensor:
        """See the class."""
        feature_BLF, line_BL = features(windows, self.period)
        x_BLD = self.inputs(feature_BLF)
        length_B = windows.length_B
        unknown_BL = torch.full_like(line_BL, torch.nan)
        ahead_BLD = self.forwards(x_BLD, unknown_BL, length_B, unknown_BL)
        turned_BLD = self.backwards(turned(x_BLD, length_B), unknown_BL, length_B, unknown_BL)
        h_BLD = torch.cat([ahead_BLD, turned(turned_BLD, length_B)], dim=-1)
        added_BL1: Tensor = self.answer(nn.functional.gelu(self.mix(h_BLD)))
        return line_BL + added_BL1.squeeze(-1)


def turned(x_BLD: Tensor, length_B: Tensor) -> Tensor:
    """Each row's real places the other way round; padding stays where it is."""
    place_L = torch.arange(x_BLD.shape[1], device=x_BLD.device)
    mirror_BL = length_B[:, None] - 1 - place_L
    mirror_BL = torch.where(mirror_BL >= 0, mirror_BL, place_L)
    return x_BLD.gather(1, mirror_BL[..., None].expand_as(x_BLD))


def features(windows: Windows, period: int | None) -> tuple[Tensor, Tensor]:
    """What the network sees, and the straight lines; 0 (a line's mean) where a window shows no value at all."""
    value_BL, seen_BL = windows.value_BL, windows.seen_BL
    time_BL = windows.gap_BL.cumsum(1)
    place_BL = torch.arange(value_BL.shape[1], device=value_BL.device).expand_as(value_BL)
    last = value_BL.shape[1] - 1
    before_BL = torch.where(seen_BL, place_BL, -1).cummax(1).values
    after_BL = last - torch.where(seen_BL.flip(1), place_BL, -1).cummax(1).values.flip(1)
    has_before, has_after = before_BL >= 0, after_BL <= last
    before_BL, after_BL = before_BL.clamp(min=0), after_BL.clamp(max=last)
    left_BL, right_BL = value_BL.gather(1, before_BL) * has_before, value_BL.gather(1, after_BL) * has_after
    since_BL = (time_BL - time_BL.gather(1, before_BL)) * has_before
    until_BL = (time_BL.gather(1, after_BL) - time_BL) * has_after
    share_BL = since_BL / (since_BL + until_BL).clamp(min=1e-9)
    line_BL = torch.where(has_before & has_after, left_BL + (right_BL - left_BL) * share_BL, left_BL + right_BL)
    line_BL = torch.where(seen_BL, value_BL, line_BL)
    nowhere = torch.tensor(-1.0, device=value_BL.device)
    level_B1 = value_BL.sum(1, keepdim=True) / seen_BL.sum(1, keepdim=True).clamp(min=1)
    inner_BL = (value_BL - level_B1) * seen_BL
    shifts = () if period is None else (period, -period)
    shifted = [moved(part, shift) for shift in shifts for part in (inner_BL, seen_BL)]
    parts = (
        inner_BL,
        seen_BL,
        torch.log1p(windows.gap_BL),
        line_BL - level_B1,
        torch.where(has_before, torch.log1p(since_BL), nowhere),
        torch.where(has_after, torch.log1p(until_BL), nowhere),
        (left_BL - level_B1) * has_before,
        (right_BL - level_B1) * has_after,
        windows.others_BL,
        windows.others_seen_BL,
        level_B1.expand_as(value_BL),
        *(shifted or [torch.zeros_like(value_BL)] * 4),
    )
    return torch.stack([part.to(value_BL.dtype) for part in parts], dim=-1), line_BL


def moved(x_BL: Tensor, places: int) -> Tensor:
    """Each place's value from so many places before it (after it, if negative); zero where there is none."""
    result_BL = torch.zeros_like(x_BL)
    if places >= x_BL.shape[1] or -places >= x_BL.shape[1]:
        return result_BL
    if places > 0:
        result_BL[:, places:] = x_BL[:, :-places]
    else:
        result_BL[:, :places] = x_BL[:, -places:]
    return result_BL
