"""What a position's times say, as vectors to add to what a network sees of the event there.

In: a batch, whose times may be unknown. Out: one vector per event. A position knows when its own event and the one
before it happened, and when the question after it is asked; never when later events happen. Starts at zero, so that it
changes nothing until it helps. Does not know items or encoders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.models.encoders.time_bias import NUM_BUCKETS, steps_of
from horae.sequences.batch import SequenceBatch

__all__ = ["Moments", "Time2Vec", "TimeEncoding", "TimeInput", "without_some_times"]

TimeInput = Literal["gap", "wait", "hour", "weekday", "month"]
TimeEncoding = Literal["buckets", "time2vec"]

PARTS = {"hour": 24, "weekday": 7, "month": 12}
"""How many of each part of the calendar there are."""

HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400
THURSDAY = 3
"""The weekday of the first of January 1970; Monday is 0."""


class Moments(nn.Module):
    """The sum of a learned vector for each thing that is told about time.

    `gap` is the time since the event before, `wait` the time from the event to the question after it; `hour`, `weekday`
    and `month` are told twice, of the event and of the question, in UTC. What is unknown has a vector of its own.

    Args:
        told: Which.
        dim: Width of the vectors.
        encoding: Of `gap` and `wait`: one vector per step of a logarithmic scale, or `Time2Vec`.

    Shape:
        batch -> x_BLD.

    Source: Zhai et al. 2024 (arXiv:2402.17152), section 3, for logarithmic steps of time; the calendar as in
        Rahmani et al. 2023 (arXiv:2308.01308).
    Differs: added to inputs, not to attention; the question's time is told beside the event's.
    """

    def __init__(self, told: Sequence[TimeInput], dim: int, encoding: TimeEncoding = "buckets") -> None:
        super().__init__()
        self.told = tuple(told)
        self.spans = nn.ModuleDict({name: _span(encoding, dim) for name in told if name not in PARTS})
        parts = [name for name in told if name in PARTS]
        self.of_event = nn.ParameterDict({name: torch.zeros(PARTS[name] + 1, dim) for name in parts})
        self.of_question = nn.ParameterDict({name: torch.zeros(PARTS[name] + 1, dim) for name in parts})

    def forward(self, batch: SequenceBatch) -> Tensor:
        """One vector per event."""
        vectors = [span(self._seconds(name, batch)) for name, span in self.spans.items()]
        for name, table in self.of_event.items():
            vectors.append(F.embedding(_part(name, batch.time_BL), table))
            vectors.append(F.embedding(_part(name, batch.request_time_BL), self.of_question[name]))
        return torch.stack(vectors).sum(0)

    def _seconds(self, name: str, batch: SequenceBatch) -> Tensor:
        if name == "wait":
            return (batch.request_time_BL - batch.time_BL).float()
        before_BL = F.pad(batch.time_BL[:, :-1], (1, 0), value=torch.nan)
        return (batch.time_BL - before_BL).float()


class Steps(nn.Module):
    """A learned vector per step of a logarithmic scale of seconds, and one for unknown."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.step_ND = nn.Parameter(torch.zeros(NUM_BUCKETS + 1, dim))

    def forward(self, seconds_BL: Tensor) -> Tensor:
        """`x_BLD`."""
        return F.embedding(steps_of(seconds_BL, NUM_BUCKETS), self.step_ND)


class Time2Vec(nn.Module):
    """`W [w_0 t + p_0, sin(w_1 t + p_1), ..., sin(w_K t + p_K)]` with t = log(1 + minutes); unknown has its own vector.

    Source: Kazemi et al. 2019 (arXiv:1907.05321), eq. 1.
    Differs: t is the logarithm of a span, not an absolute time, whose frequencies an optimiser cannot reach from a Unix
        clock; W brings it to the width of the network and starts at zero.
    """

    WAVES = 16

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.frequency_K = nn.Parameter(torch.linspace(0.1, 3.0, self.WAVES + 1))
        self.phase_K = nn.Parameter(torch.zeros(self.WAVES + 1))
        self.widen_KD = nn.Parameter(torch.zeros(self.WAVES + 1, dim))
        self.unknown_D = nn.Parameter(torch.zeros(dim))

    def forward(self, seconds_BL: Tensor) -> Tensor:
        """`x_BLD`."""
        known_BL1 = ~seconds_BL.isnan()[..., None]
        t_BL1 = torch.log1p(seconds_BL.nan_to_num(0.0).clamp(min=0) / 60)[..., None]
        angle_BLK = t_BL1 * self.frequency_K + self.phase_K
        wave_BLK = torch.cat([angle_BLK[..., :1], torch.sin(angle_BLK[..., 1:])], dim=-1)
        return torch.where(known_BL1, wave_BLK @ self.widen_KD, self.unknown_D)


def without_some_times(batch: SequenceBatch, share: float) -> SequenceBatch:
    """The batch as it is learned from: some histories lose their times, and some questions theirs."""
    if share == 0:
        return batch
    time_BL, asked_BL = batch.time_BL, batch.request_time_BL
    lost_B1 = torch.rand(len(time_BL), 1, device=time_BL.device) < share
    unasked_BL = torch.rand(time_BL.shape, device=time_BL.device) < share
    return batch.at_times(time_BL.masked_fill(lost_B1, torch.nan), asked_BL.masked_fill(unasked_BL, torch.nan))


def _span(encoding: TimeEncoding, dim: int) -> nn.Module:
    return Steps(dim) if encoding == "buckets" else Time2Vec(dim)


def _part(name: str, time_BL: Tensor) -> Tensor:
    """int64: which hour, weekday or month (from 0) a time falls into; after the last where it is unknown."""
    unknown_BL = time_BL.isnan()
    second_BL = time_BL.nan_to_num(0.0).floor().to(torch.int64)
    day_BL = second_BL.div(DAY_SECONDS, rounding_mode="floor")
    if name == "hour":
        part_BL = second_BL.div(HOUR_SECONDS, rounding_mode="floor").remainder(24)
    elif name == "weekday":
        part_BL = (day_BL + THURSDAY).remainder(7)
    else:
        part_BL = _month(day_BL)
    return part_BL.masked_fill(unknown_BL, PARTS[name])


def _month(day: Tensor) -> Tensor:
    """The month, from 0, of days since the first of January 1970.

    Years are counted from March, so that the leap day comes last: then five months always have 153 days.
    """
    since_march_of_year_0 = day + 719_468
    day_of_era = since_march_of_year_0.remainder(146_097)  # 400 years
    leap_days = (
        day_of_era.div(1_460, rounding_mode="floor")
        - day_of_era.div(36_524, rounding_mode="floor")
        + day_of_era.div(146_096, rounding_mode="floor")
    )
    year_of_era = (day_of_era - leap_days).div(365, rounding_mode="floor")
    before_year = (
        365 * year_of_era + year_of_era.div(4, rounding_mode="floor") - year_of_era.div(100, rounding_mode="floor")
    )
    month_from_march = (5 * (day_of_era - before_year) + 2).div(153, rounding_mode="floor")
    return (month_from_march + 2).remainder(12)
