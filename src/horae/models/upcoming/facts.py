"""What a history's own times, behaviors and values say after each of its events: the pace, the shares, the level.

In: a batch. Out: a few numbers per position, each about this event and those before it. An encoder over items can learn
such sums only with pains; here a head has them at hand. Does not know items, states or what is foretold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.models.upcoming.gaps import SAME_MOMENT_SECONDS
from horae.models.upcoming.scale import ValueScale
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import FloatArray, Sequences
from horae.sequences.running import STRENGTHS, sums_before

__all__ = ["Facts", "gaps_of"]

DAY_SECONDS = 86_400.0
NEWEST = 5
OF_TIME, OF_VALUE = 13, 6
MEAN_GAP, TIES, GAPS = 3, 6, 8
MEAN_VALUE, VALUES = OF_TIME + 2, OF_TIME + 5
"""Places among the facts."""

MOST = 200_000
"""Training events that say how much a user's own mean is worth."""


@dataclass(frozen=True, eq=False)
class Usual:
    """What a user's own history says by counting: the mean gap and value on their scales, logs of behaviors' shares."""

    behavior_NC: Tensor
    gap_N: Tensor
    value_N: Tensor


class Facts(nn.Module):
    """Numbers per position, each about its event and those before it.

    Of the gaps so far (last, mean, mean square, mean of the newest five, ties, mean rate, how
    many), of the hour and the weekday (UTC, as points on circles), of each behavior (is it this one, its share so far),
    of the values so far (last, mean, mean of the newest five, how many are known). Unknown ones count as the mean.
    Means are shrunk towards the log's by one event, so a young history says little.

    Args:
        num_behaviors: Behaviors of the vocabulary.

    Attributes:
        center, spread: Of the logs of the training gaps, in log seconds.
        has_times: Was any gap of the training events known?
        share_C: Of each behavior among the training events.
        strength_3: How many events of everybody's a user's own behaviors, gaps and values are mixed with in what is
            usual for them; under it, training events were foretold best.
        values: Where the training values lie.
    """

    center: Tensor
    spread: Tensor
    has_times: Tensor
    share_C: Tensor
    strength_3: Tensor

    def __init__(self, num_behaviors: int, values: ValueScale) -> None:
        super().__init__()
        self.num_behaviors = num_behaviors
        self.values = values
        self.register_buffer("center", torch.tensor(math.log(DAY_SECONDS)))
        self.register_buffer("spread", torch.tensor(1.0))
        self.register_buffer("has_times", torch.tensor(False))
        self.register_buffer("share_C", torch.full((num_behaviors,), 1 / max(num_behaviors, 1)))
        self.register_buffer("strength_3", torch.ones(3))

    @property
    def width(self) -> int:
        """F."""
        return OF_TIME + OF_VALUE + 2 * self.num_behaviors

    def look_at(self, sequences: Sequences) -> None:
        """Set where gaps and values lie, from the training events."""
        gap_N = gaps_of(sequences)
        later_N = np.log(gap_N[gap_N >= SAME_MOMENT_SECONDS])
        self.has_times.fill_(bool(np.isfinite(gap_N).any()))
        if len(later_N):
            self.center.fill_(float(later_N.mean()))
            self.spread.fill_(max(float(later_N.std()), 0.1))
        self.values.look_at(sequences.flat.value_N)
        count_C = np.bincount(sequences.flat.behavior_N, minlength=self.num_behaviors + 1)[1:] + 1.0
        self.share_C.copy_(torch.from_numpy(count_C / count_C.sum()))
        self.strength_3.copy_(torch.tensor(self._strengths(sequences, gap_N)))

    def usual(self, fact_NF: Tensor) -> Usual:
        """What is usual for a user, read from facts."""
        of_behaviors, of_gaps, of_values = self.strength_3
        own_NC = fact_NF[:, -self.num_behaviors :]
        seen_N1 = 1 / (1 - own_NC.sum(-1, keepdim=True)).clamp(min=1e-6)  # events so far, and one
        chance_NC = (own_NC * seen_N1 + of_behaviors * self.share_C) / (seen_N1 - 1 + of_behaviors)
        gaps_N = torch.expm1(4 * fact_NF[:, GAPS])
        later_N = gaps_N - fact_NF[:, TIES] * (gaps_N + 1)
        values_N = torch.expm1(4 * fact_NF[:, VALUES])
        return Usual(
            chance_NC.log(),
            fact_NF[:, MEAN_GAP] * (later_N + 1) / (later_N + of_gaps),
            fact_NF[:, MEAN_VALUE] * (values_N + 1) / (values_N + of_values),
        )

    def _strengths(self, sequences: Sequences, gap_N: FloatArray) -> list[float]:
        """For behaviors by their log likelihood, for gaps and values by the squared error on their scales."""
        flat, first_U, lengths = sequences.flat, sequences.offset_U1[:-1], np.diff(sequences.offset_U1)
        row_N = np.arange(len(flat))[:: max(1, len(flat) // MOST)]
        first_N = np.repeat(first_U, lengths)[row_N]
        one_C = [(flat.behavior_N == c).astype(np.float64) for c in range(1, self.num_behaviors + 1)]
        count_NC = np.stack([sums_before(one, first_N, row_N)[1] for one in one_C], axis=1)
        came_N = flat.behavior_N[row_N].astype(np.int64)
        share_C = self.share_C.double().numpy()

        def surprise(strength: float) -> float:
            chance_NC = (count_NC + strength * share_C) / (count_NC.sum(1, keepdims=True) + strength)
            return -float(np.log(chance_NC[came_N > 0, came_N[came_N > 0] - 1]).sum())

        ended_N = np.concatenate([[np.nan], gap_N[:-1]])  # the gap that ended with each event
        ended_N = np.log(np.where(ended_N >= SAME_MOMENT_SECONDS, ended_N, np.nan))
        scaled_N = self.values.scaled(torch.from_numpy(flat.value_N.astype(np.float64))).numpy()
        z_2 = [(ended_N - self.center.item()) / self.spread.item(), scaled_N]
        sums_2 = [sums_before(z_N, first_N, row_N) for z_N in z_2]

        def squared(which: int, strength: float) -> float:
            count, total = sums_2[which]
            return float(np.nansum((z_2[which][row_N] - total / (count + strength)) ** 2))

        return [
            min(STRENGTHS, key=surprise),
            *(min(STRENGTHS, key=partial(squared, which)) for which in (0, 1)),
        ]

    @torch.no_grad()
    def forward(self, batch: SequenceBatch) -> Tensor:
        """`fact_BLF`, float32."""
        real_BL = batch.item_BL.new_ones(batch.item_BL.shape).cumsum(1) <= batch.length_B[:, None]
        parts = [self._of_times(batch.time_BL, real_BL), self._of_values(batch.value_BL, real_BL)]
        one_BLK = F.one_hot(batch.behavior_BL, self.num_behaviors + 1)[..., 1:].float()
        seen_BL1 = real_BL.float().cumsum(1)[..., None]
        return torch.cat([*parts, one_BLK, one_BLK.cumsum(1) / (seen_BL1 + 1)], dim=-1)

    def _of_times(self, time_BL: Tensor, real_BL: Tensor) -> Tensor:
        gap_BL = F.pad(time_BL[:, 1:] - time_BL[:, :-1], (1, 0), value=torch.nan)
        known_BL = real_BL & (gap_BL >= 0)
        tie_BL = (known_BL & (gap_BL < SAME_MOMENT_SECONDS)).float()
        log_BL = (gap_BL.clamp(min=SAME_MOMENT_SECONDS).log() - self.center) / self.spread
        z_BL = torch.where(known_BL & (tie_BL == 0), log_BL, 0.0).float()
        count_BL = known_BL.float().cumsum(1)
        later_BL = (known_BL.float() - tie_BL).cumsum(1)
        total_BL = torch.where(known_BL, gap_BL, 0.0).cumsum(1)
        rate_BL = ((total_BL / count_BL.clamp(min=1)).clamp(min=1.0).log() - self.center) / self.spread
        columns = [
            z_BL,
            known_BL.float(),
            tie_BL,
            z_BL.cumsum(1) / (later_BL + 1),
            (z_BL.square().cumsum(1) + 1) / (later_BL + 1),
            _newest(z_BL, known_BL.float() - tie_BL),
            tie_BL.cumsum(1) / (count_BL + 1),
            torch.where(count_BL > 0, rate_BL, 0.0).float(),
            count_BL.log1p() / 4,
            *_circle(time_BL, DAY_SECONDS),
            *_circle(time_BL + 3 * DAY_SECONDS, 7 * DAY_SECONDS),
        ]
        return torch.stack(columns, dim=-1).float()

    def _of_values(self, value_BL: Tensor, real_BL: Tensor) -> Tensor:
        known_BL = real_BL & ~value_BL.isnan()
        z_BL = torch.where(known_BL, self.values.scaled(value_BL.nan_to_num()), 0.0).float()
        count_BL = known_BL.float().cumsum(1)
        columns = [
            z_BL,
            known_BL.float(),
            z_BL.cumsum(1) / (count_BL + 1),
            (z_BL.square().cumsum(1) + 1) / (count_BL + 1),
            _newest(z_BL, known_BL.float()),
            count_BL.log1p() / 4,
        ]
        return torch.stack(columns, dim=-1)


def gaps_of(sequences: Sequences) -> FloatArray:
    """Seconds from each event to its user's next one: NaN for the last, where a time is unknown or runs backwards."""
    time_N = np.asarray(sequences.flat.time_N)
    gap_N = np.full(len(time_N), np.nan)
    gap_N[:-1] = time_N[1:] - time_N[:-1]
    lines = sequences.offset_U1
    gap_N[lines[1:][np.diff(lines) > 0] - 1] = np.nan
    return np.where(gap_N >= 0, gap_N, np.nan)


def _newest(z_BL: Tensor, there_BL: Tensor) -> Tensor:
    """Mean over the newest five places, shrunk by one event; places where nothing is there do not count."""

    def summed(x_BL: Tensor) -> Tensor:
        total_BL = x_BL.cumsum(1)
        return total_BL - F.pad(total_BL, (NEWEST, 0))[:, : x_BL.shape[1]]

    return summed(z_BL) / (summed(there_BL) + 1)


def _circle(time_BL: Tensor, period_seconds: float) -> tuple[Tensor, Tensor]:
    angle_BL = torch.remainder(time_BL, period_seconds) * (2 * math.pi / period_seconds)
    return angle_BL.cos().nan_to_num(0.0), angle_BL.sin().nan_to_num(0.0)
