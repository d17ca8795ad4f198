"""When the next event comes: a distribution of the gap to it, in seconds, one for each request.

In: a head's numbers. Out: likelihoods of gaps that were seen, of gaps that were not over when the log ended, chances to
return, and moments at given levels. Does not know networks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["SAME_MOMENT_SECONDS", "Gaps"]

SAME_MOMENT_SECONDS = 1.0
"""A shorter gap counts as none. Logs tie within their resolution: a whole second, or a whole day, is the next step."""

HALVINGS = 60
"""Of the interval that a quantile is searched in: from decades to far below a second."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """With the chance `p` no gap at all, else a mixture of log-normals.

        P(gap > c) = (1 - p) sum_k w_k Phi((m_k - log c) / s_k)        c from a second on

    A log that ties (many events at one second, or whole days only) has its own mass for the same moment, so no
    component is drawn to a gap of zero, whose logarithm is none.

    Shape:
        same_N: logit of p. log_weight_NK, mean_NK, spread_NK: of the components, the latter two in log seconds.

    Source: Shchur, Biloš & Günnemann 2020 (arXiv:1909.12127), section 3.2 (log-normal mixture); the mass at zero:
        Cragg 1971 (Econometrica 39(5), doi:10.2307/1909582), the hurdle.
    Differs: gaps that were still open when the log ended count by their survival; a least spread keeps the likelihood
        bounded where times are whole days.
    """

    same_N: Tensor
    log_weight_NK: Tensor
    mean_NK: Tensor
    spread_NK: Tensor

    def __len__(self) -> int:
        return len(self.same_N)

    def take(self, index: Tensor) -> Gaps:
        """Some of the requests."""
        return Gaps(self.same_N[index], self.log_weight_NK[index], self.mean_NK[index], self.spread_NK[index])

    def double(self) -> Gaps:
        """The same in float64 on the CPU, for moments exact to the second."""
        return Gaps(*(column.double().cpu() for column in vars(self).values()))

    @classmethod
    def joined(cls, parts: list[Gaps]) -> Gaps:
        """One after the other."""
        return cls(*(torch.cat(column) for column in zip(*(vars(part).values() for part in parts), strict=True)))

    def log_density(self, gap_N: Tensor) -> Tensor:
        """Log likelihood of gaps that were seen: a mass at the same moment, else a density over log seconds."""
        z_NK = (_log(gap_N)[:, None] - self.mean_NK) / self.spread_NK
        each_NK = self.log_weight_NK - 0.5 * z_NK.square() - self.spread_NK.log() - 0.5 * math.log(2 * math.pi)
        later_N = F.logsigmoid(-self.same_N) + each_NK.logsumexp(-1)
        return torch.where(gap_N < SAME_MOMENT_SECONDS, F.logsigmoid(self.same_N), later_N)

    def log_survival(self, silent_N: Tensor) -> Tensor:
        """Log of the chance that the gap is longer than this; 0 below a second, when all is still open."""
        z_NK = (self.mean_NK - _log(silent_N)[:, None]) / self.spread_NK
        later_N = F.logsigmoid(-self.same_N) + (self.log_weight_NK + torch.special.log_ndtr(z_NK)).logsumexp(-1)
        return torch.where(silent_N < SAME_MOMENT_SECONDS, torch.zeros_like(later_N), later_N)

    def returns(self, silent_N: Tensor, within_seconds: float | Tensor) -> Tensor:
        """The chance of an event within so many seconds from now, after a silence until now: `1 - S(s + h) / S(s)`."""
        return -torch.expm1(-self.hazard(silent_N, within_seconds))

    def hazard(self, silent_N: Tensor, within_seconds: float | Tensor) -> Tensor:
        """Minus the log of the chance that nothing comes within so many seconds from now, after a silence until now."""
        return self.log_survival(silent_N) - self.log_survival(silent_N + within_seconds)

    def level(self, silent_N: Tensor, gap_N: Tensor, left_N: Tensor) -> Tensor:
        """Where a gap stands, from 0 to 1, among those that may still come.

        These are longer than the silence, and by no more than what is left. The share of them up to this gap; of a mass
        at the same moment, all of it.
        """
        return (self.returns(silent_N, gap_N - silent_N) / self.returns(silent_N, left_N)).clamp(0, 1)

    def same_moment(self, silent_N: Tensor, left_N: Tensor) -> Tensor:
        """The mass of `level` that lies at the same moment; 0 once a second has passed."""
        mass_N = torch.sigmoid(self.same_N) / self.returns(silent_N, left_N)
        return torch.where(silent_N < SAME_MOMENT_SECONDS, mass_N, torch.zeros_like(mass_N)).clamp(max=1)

    def at_level(self, silent_N: Tensor, level_N: Tensor, left_N: Tensor) -> Tensor:
        """The inverse of `level`: the gap, in seconds from the last event, never shorter than the silence."""
        low_N, high_N = _log(silent_N), _log(silent_N + left_N)
        for _ in range(HALVINGS):
            middle_N = (low_N + high_N) / 2
            below_N = self.level(silent_N, middle_N.exp(), left_N) < level_N
            low_N, high_N = torch.where(below_N, middle_N, low_N), torch.where(below_N, high_N, middle_N)
        same_N = (silent_N < SAME_MOMENT_SECONDS) & (level_N <= self.same_moment(silent_N, left_N))
        return torch.where(same_N, silent_N, torch.maximum(high_N.exp(), silent_N))


def _log(seconds_N: Tensor) -> Tensor:
    return seconds_N.clamp(min=SAME_MOMENT_SECONDS).log()
