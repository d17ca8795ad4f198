"""Several networks that foretell as one: the mean of their distributions of the gap, of their chances, of their values.

In: what each member's heads say of the same requests. Out: one `Told`, and what whoever reads it must know. Does not
know encoders or items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from horae.models.upcoming.gaps import Gaps
from horae.models.upcoming.heads import QUESTIONS, Told, Upcoming
from horae.models.upcoming.scale import ValueScale

__all__ = ["Heads", "mixed"]


@dataclass(frozen=True, eq=False)
class Heads:
    """What must be known to read what heads say.

    Attributes:
        asked: The questions that there are heads for.
        answered: Those that the training log could teach.
        scale: That `value_N3` is on.
        span_seconds: From the first training event to the last.
    """

    asked: tuple[str, ...]
    answered: tuple[str, ...]
    scale: ValueScale
    span_seconds: float

    @classmethod
    def of(cls, members: Sequence[Upcoming]) -> Heads:
        """Of one network, or of several that answer as one: on the scale of the first that tells values."""
        telling = [one for one in members if "value" in one.answered]
        return cls(
            tuple(name for name in QUESTIONS if any(name in one.asked for one in members)),
            tuple(name for name in QUESTIONS if any(name in one.answered for one in members)),
            (telling or members)[0].scale,
            max(float(one.span_seconds) for one in members),
        )


def mixed(members: Sequence[tuple[Upcoming, Told]]) -> Told:
    """The mean of what members say, each question by those that answer it.

    Gaps are one mixture of all members' log-normals, chances the mean of chances, values the mean of the low ends, of
    the points and of the high ends.

    Source: Stone 1961 (doi:10.1214/aoms/1177704873), the linear opinion pool; Ratcliff 1979
        (doi:10.1037/0033-2909.86.3.446) for means of quantiles.
    Differs: all members count alike.
    """
    if len(members) == 1:
        return members[0][1]
    scale = Heads.of([upcoming for upcoming, _ in members]).scale
    chances = [told.behavior_NC for one, told in members if told.behavior_NC is not None and "behavior" in one.answered]
    gaps = [told.gaps for one, told in members if told.gaps is not None and "time" in one.answered]
    values = [
        scale.scaled(one.scale.restored(told.value_N3))
        for one, told in members
        if told.value_N3 is not None and "value" in one.answered
    ]
    return Told(
        _mean_of_logs([logit_NC.log_softmax(-1) for logit_NC in chances]) if chances else None,
        _one_mixture(gaps) if gaps else None,
        torch.stack(values).mean(0) if values else None,
    )


def _one_mixture(members: Sequence[Gaps]) -> Gaps:
    same_N = _mean_of_logs([F.logsigmoid(one.same_N) for one in members])
    later_N = _mean_of_logs([F.logsigmoid(-one.same_N) for one in members])
    weights = [(F.logsigmoid(-one.same_N) - later_N)[:, None] + one.log_weight_NK for one in members]
    return Gaps(
        same_N - later_N,
        torch.cat(weights, dim=-1) - math.log(len(members)),
        torch.cat([one.mean_NK for one in members], dim=-1),
        torch.cat([one.spread_NK for one in members], dim=-1),
    )


def _mean_of_logs(log_probabilities: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(log_probabilities)).logsumexp(0) - math.log(len(log_probabilities))
