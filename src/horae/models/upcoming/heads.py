"""The other heads: next behavior, time to the next event, its value. Small, on the encoder that ranks items.

In: a position's state and its facts. Out: logits, a distribution of the gap, a point with two quantiles. What they are
taught by is the objective's business; what people read is made of them in `horae.forecasting`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.models.upcoming.facts import Facts
from horae.models.upcoming.gaps import Gaps
from horae.models.upcoming.scale import ScaleName, ValueScale
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Sequences

__all__ = ["LEAST_SPREAD", "QUESTIONS", "Told", "Upcoming"]

QUESTIONS = ("behavior", "time", "value")
LEAST_SPREAD = 0.05
"""Of a component, in spreads of all training gaps: whole days would else draw it to a point of endless density."""


@dataclass(frozen=True, eq=False)
class Told:
    """What the heads say; None where a question is not asked.

    Shape:
        behavior_NC: logits of the behaviors, without the unknown one.
        value_N3: low, point and high on the scale of `ValueScale`, never crossing.
    """

    behavior_NC: Tensor | None
    gaps: Gaps | None
    value_N3: Tensor | None

    def take(self, index: Tensor) -> Told:
        """Some of the requests."""
        behavior_NC = None if self.behavior_NC is None else self.behavior_NC[index]
        gaps = None if self.gaps is None else self.gaps.take(index)
        return Told(behavior_NC, gaps, None if self.value_N3 is None else self.value_N3[index])

    @classmethod
    def joined(cls, parts: list[Told]) -> Told:
        """One after the other, on the CPU, in float64."""
        behavior, gaps, value = zip(*((part.behavior_NC, part.gaps, part.value_N3) for part in parts), strict=True)
        return cls(_joined(behavior), Gaps.joined([g.double() for g in gaps if g]) if gaps[0] else None, _joined(value))


class Upcoming(nn.Module):
    """Heads on `[state, facts]`, each with one hidden layer.

    A position is asked about the very next event of its user, of whatever behavior and on whatever item, while the item
    is asked of the next *target*: what is worth recommending is a choice, what happens next is not.

    Args:
        also: Which questions, from `QUESTIONS`. Behavior is left out where the log has one only.
        dim: D.
        num_items: I.
        num_behaviors: Behaviors of the vocabulary.
        num_components: Log-normals of the gap.
        value_scale: See `ValueScale`.
        dropout: Share of the heads' inputs and inner values dropped in training: a head that knows its training
            histories by heart is too sure of new ones.

    Attributes:
        watched_until: The end of the training log in Unix seconds: a gap still open then is longer than that, and
            counts so. NaN where the end of a line says nothing (a split that cuts each user's own last events off).
        span_seconds: From the first training event to the last. A forecast of when speaks of returns within it.
        met_I: Items that training events were on; the others' vectors mean nothing.
        log_variance_T: Learned weights of the item's loss and the heads', where `[train]` asks for them.

    Source: the hurdle and the mixture: see `Gaps`. Value: Huber 1964 (doi:10.1214/aoms/1177703732) for the point,
        Koenker & Bassett 1978 (doi:10.2307/1913643) for the quantiles.
    Differs: quantiles are the point plus and minus learned widths, so that they never cross it; every head learns what
        to add to what is usual for its user (`Facts.usual`), so that it begins where counting ends.
    """

    watched_until: Tensor
    span_seconds: Tensor
    met_I: Tensor

    def __init__(
        self,
        also: tuple[str, ...],
        dim: int,
        num_items: int,
        num_behaviors: int,
        num_components: int,
        value_scale: ScaleName,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.scale = ValueScale(value_scale)
        self.facts = Facts(num_behaviors, self.scale)
        self.num_components = num_components
        sizes = {"behavior": num_behaviors, "time": 1 + 3 * num_components, "value": 3}
        asked = [name for name in QUESTIONS if name in also and not (name == "behavior" and num_behaviors < 2)]
        self.heads = nn.ModuleDict({name: _head(dim + self.facts.width, dim, sizes[name], dropout) for name in asked})
        self.log_variance_T = nn.Parameter(torch.zeros(1 + len(asked)))
        self.register_buffer("watched_until", torch.tensor(math.nan, dtype=torch.float64))
        self.register_buffer("span_seconds", torch.tensor(1.0, dtype=torch.float64))
        self.register_buffer("met_I", torch.zeros(num_items + 1, dtype=torch.bool))

    @property
    def asked(self) -> tuple[str, ...]:
        """The questions that there are heads for."""
        return tuple(self.heads)

    @property
    def answered(self) -> tuple[str, ...]:
        """Those that the training log could teach: with times, with values."""
        known = {"behavior": True, "time": bool(self.facts.has_times), "value": bool(self.scale.has_values)}
        return tuple(name for name in self.heads if known[name])

    def look_at(self, sequences: Sequences, watched: bool) -> None:
        """Set what the training events decide, before the first step.

        Args:
            sequences: The training events.
            watched: Was everybody watched until the last of them? Then a line's end is a gap still open.
        """
        self.facts.look_at(sequences)
        self.met_I.copy_(torch.from_numpy(np.bincount(sequences.flat.item_N, minlength=len(self.met_I)) > 0))
        self.met_I[0] = False
        time_N = sequences.flat.time_N
        known_N = time_N[~np.isnan(time_N)]
        if len(known_N):
            self.span_seconds.fill_(max(float(known_N.max() - known_N.min()), 1.0))
            self.watched_until.fill_(float(known_N.max()) if watched else math.nan)

    def forward(self, h_ND: Tensor, fact_NF: Tensor) -> Told:
        """What is told at some positions."""
        input_NX = torch.cat([h_ND, fact_NF], dim=-1)
        usual = self.facts.usual(fact_NF)
        behavior_NC = usual.behavior_NC + self.heads["behavior"](input_NX) if "behavior" in self.heads else None
        gaps = self._gaps(self.heads["time"](input_NX), usual.gap_N) if "time" in self.heads else None
        value_N3 = self._value(self.heads["value"](input_NX), usual.value_N) if "value" in self.heads else None
        return Told(behavior_NC, gaps, value_N3)

    def seen_by(self, batch: SequenceBatch) -> SequenceBatch:
        """The batch as the encoder is to see it for these heads.

        Every question is asked at its event's own moment, in no context: in training it is asked at the next event's,
        and a head that is asked when that comes, and which, must not be told it. Items that no training event was on
        are hidden (item 0), and in training some that were, in half of the histories: logs whose items are new every
        week are full of the former.
        """
        known_BL = self.met_I[batch.item_BL]
        if self.training:
            share_B1 = (2 * torch.rand(len(batch), 1, device=known_BL.device) - 1).clamp(min=0)
            known_BL &= torch.rand(known_BL.shape, device=known_BL.device) >= share_B1
        untold_BLF = torch.full_like(batch.request_feature_BLF, torch.nan)
        asked = {"request_time_BL": batch.time_BL, "request_feature_BLF": untold_BLF}
        return replace(batch, item_BL=batch.item_BL * known_BL, **asked)

    def grow(self, num: int) -> None:
        """Take `num` more items in, after the last: nobody has met them."""
        self.met_I = torch.cat([self.met_I, self.met_I.new_zeros(num)])

    def least_time_loss(self) -> float:
        """No mean of negative log densities lies below it."""
        return math.log(LEAST_SPREAD * float(self.facts.spread) * math.sqrt(2 * math.pi))

    def _gaps(self, raw_NX: Tensor, usual_N: Tensor) -> Gaps:
        same_N1, weight_NK, mean_NK, spread_NK = torch.split(raw_NX, [1, *[self.num_components] * 3], dim=-1)
        start_K = torch.linspace(-1.5, 1.5, self.num_components, device=raw_NX.device)
        center, spread = self.facts.center, self.facts.spread
        return Gaps(
            same_N1.squeeze(-1) - 2.0,
            weight_NK.log_softmax(-1),
            center + spread * (usual_N[:, None] + mean_NK + start_K),
            spread * (LEAST_SPREAD + F.softplus(spread_NK)),
        )

    def _value(self, raw_N3: Tensor, usual_N: Tensor) -> Tensor:
        down_N, more_N, up_N = raw_N3.unbind(-1)
        point_N = usual_N + more_N
        still_N = point_N.detach()  # widths learn from the quantiles, the point from its own loss
        low_N, high_N = still_N - F.softplus(down_N), still_N + F.softplus(up_N)
        return torch.stack([low_N, point_N, high_N], dim=-1)


def _head(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Module:
    last = nn.Linear(hidden, outputs)
    nn.init.normal_(last.weight, std=0.02)
    nn.init.zeros_(last.bias)
    first = nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs, hidden))
    return nn.Sequential(first, nn.GELU(), nn.Dropout(dropout), last)


def _joined(parts: tuple[Tensor | None, ...]) -> Tensor | None:
    there = [part.double().cpu() for part in parts if part is not None]
    return torch.cat(there) if there else None
