"""Several questions, one encoder: the losses of the other heads beside the item's, and how they are weighed.

In: a network with heads for the next event (`[model] also`), an objective for its items, a framed batch. Out: one step.
This module does not know optimisers, recipes' files or what people read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from horae.errors import RecipeError
from horae.models.network import Network
from horae.models.upcoming.gaps import Gaps
from horae.models.upcoming.heads import Upcoming
from horae.models.upcoming.scale import ValueScale
from horae.sequences.framing import Coming, Framed
from horae.training.objectives import Objective, Step

__all__ = ["LEVELS", "Joint", "behavior_loss", "check_weights", "time_loss", "value_loss"]

Weighing = Literal["fixed", "uncertainty"]
LEVELS = (0.1, 0.9)
"""Of the value's quantiles: four of five values are to lie between them."""


class Joint:
    """An objective for items, and the losses of the other heads, as one step.

    `fixed`: `L_item + sum_t w_t L_t`. `uncertainty`: `sum_t exp(-s_t) L_t + s_t / 2` over all tasks, the item's among
    them, with each `s_t`, a log variance, learned along.

    The heads have a pass of their own through the encoder, since in the items' each state may know when the next event
    comes: see `Upcoming.seen_by`.

    Source: Kendall, Gal & Cipolla 2018 (arXiv:1705.07115), eq. 7 and 10, for `uncertainty`.
    Differs: one form for classes and amounts; the time's loss, which may be negative as densities go, is counted from
        the least that it can be, or its weight would grow without end.
    """

    def __init__(self, objective: Objective, weighing: Weighing, weights: Mapping[str, float]) -> None:
        self.objective = objective
        self.weighing = weighing
        self.weights = weights

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """See `Objective`."""
        self.objective.prepare(network, value_N)

    def steps(self, network: Network, framed: Framed, whole: Framed | None = None) -> list[Step]:
        """One step; none where the batch has nothing to learn for any head."""
        upcoming = network.upcoming
        assert upcoming is not None and framed.coming is not None
        taken = self.objective.steps(network, framed, whole)
        assert len(taken) <= 1, "heads are trained beside one loss"
        losses = self._losses(network, upcoming, framed, framed.coming)
        shares = {name: 1.0 if whole is None else _share(name, framed, whole) for name in losses}
        losses = {name: loss * shares[name] for name, loss in losses.items()}
        if taken:
            losses["item"] = taken[0][1]
            shares["item"] = 1.0 if whole is None else float(self.counted(framed) / self.counted(whole))
        if not losses:
            return []
        return [(list(network.parameters()), self._weighed(upcoming, losses, shares))]

    def counted(self, framed: Framed) -> Tensor:
        """The inner objective's."""
        return self.objective.counted(framed)

    def state(self) -> dict[str, Tensor]:
        """The inner objective's."""
        return self.objective.state()

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        self.objective.load_state(state)

    def _losses(self, network: Network, upcoming: Upcoming, framed: Framed, coming: Coming) -> dict[str, Tensor]:
        """By head; only those that the batch can teach."""
        index_N = _taught(coming).flatten().nonzero().squeeze(1)
        if len(index_N) == 0:
            return {}
        h_BLD = network.encoded(upcoming.seen_by(framed.batch))
        fact_NF = upcoming.facts(framed.batch).flatten(0, 1)[index_N]
        told = upcoming(h_BLD.flatten(0, 1).index_select(0, index_N), fact_NF)
        behavior_N, gap_N, silent_N, value_N = (column.flatten()[index_N] for column in vars(coming).values())
        losses: dict[str, Tensor] = {}
        if told.behavior_NC is not None and (behavior_N > 0).any():
            losses["behavior"] = behavior_loss(told.behavior_NC, behavior_N)
        if told.gaps is not None and (~gap_N.isnan() | ~silent_N.isnan()).any():
            losses["time"] = time_loss(told.gaps, gap_N, silent_N)
        if told.value_N3 is not None and not value_N.isnan().all():
            losses["value"] = value_loss(told.value_N3, value_N, upcoming.scale)
        return losses

    def _weighed(self, upcoming: Upcoming, losses: Mapping[str, Tensor], shares: Mapping[str, float]) -> Tensor:
        """All losses as one; what is counted once for a batch is counted by a piece's share of it."""
        if self.weighing == "fixed":
            return torch.stack([loss * self.weights.get(name, 1.0) for name, loss in losses.items()]).sum()
        place = {name: number for number, name in enumerate(("item", *upcoming.asked))}
        parts = []
        for name, loss in losses.items():
            log_variance = upcoming.log_variance_T[place[name]]
            counted = loss - shares[name] * upcoming.least_time_loss() if name == "time" else loss
            parts.append((-log_variance).exp() * counted + shares[name] * log_variance / 2)
        return torch.stack(parts).sum()


def behavior_loss(logit_NC: Tensor, behavior_N: Tensor) -> Tensor:
    """Cross entropy of the next behavior, in nats; positions whose next behavior is unknown (0) are left out.

    Source: Good 1952, Rational decisions (the logarithmic score). Differs: nothing.
    """
    return F.cross_entropy(logit_NC, behavior_N - 1, ignore_index=-1)


def time_loss(gaps: Gaps, gap_N: Tensor, silent_N: Tensor) -> Tensor:
    """Minus the mean log likelihood of what is known of each gap; positions of which nothing is known are left out.

    A gap that was seen counts by its density. The newest event of everybody has a gap that nobody saw the end of: until
    the log ended there was nothing, so it counts by the chance of a gap longer than that. Left out, the long gaps would
    be those that are missing, and everybody would be said to return sooner and more surely than they do.

    Args:
        gaps: What is told.
        gap_N: Seconds to the next event; NaN where it was not seen.
        silent_N: Seconds to the log's end without one; NaN where the next event was seen.

    Source: Kaplan & Meier 1958 (doi:10.2307/2281868) and Cox & Oakes 1984, chapter 3, for the likelihood of censored
        times. Differs: ties and log-normals as in `Gaps`.
    """
    seen_N, open_N = ~gap_N.isnan(), ~silent_N.isnan() & gap_N.isnan()
    density_N = gaps.log_density(gap_N.nan_to_num(1.0))
    survival_N = gaps.log_survival(silent_N.nan_to_num(1.0))
    return -(density_N * seen_N + survival_N * open_N).sum() / (seen_N | open_N).sum()


def value_loss(value_N3: Tensor, value_N: Tensor, scale: ValueScale) -> Tensor:
    """Huber's loss of the point, plus the pinball losses of both quantiles, on the scale of the training values.

    Source: Huber 1964 (doi:10.1214/aoms/1177703732); Koenker & Bassett 1978 (doi:10.2307/1913643).
    Differs: unknown values (NaN) are left out; the quantiles' losses do not move the point.
    """
    known_N = ~value_N.isnan()
    true_N = scale.scaled(value_N[known_N])
    low_N, point_N, high_N = value_N3[known_N].unbind(-1)
    loss = F.huber_loss(point_N, true_N)
    for level, told_N in zip(LEVELS, (low_N, high_N), strict=True):
        above_N = true_N - told_N
        loss = loss + torch.maximum(level * above_N, (level - 1) * above_N).mean()
    return loss


def check_weights(also: Iterable[str], weighing: Weighing | None, weights: Mapping[str, float]) -> None:
    """Refuse weights that nothing is weighed by.

    Raises:
        RecipeError: A weight of a head that is not asked for, one below 0, or one beside learned weights.
    """
    asked = tuple(also)
    if weighing is not None and not asked:
        raise RecipeError("[train] task_weights has no effect without [model] also.", hint="Remove it, or add also.")
    for name, weight in weights.items():
        key = f"[train] head_weights.{name}"
        if name not in asked:
            raise RecipeError(f'{key} has no effect: [model] also does not name "{name}".', hint="Remove it.")
        if weighing == "uncertainty":
            raise RecipeError(
                f'{key} has no effect with task_weights = "uncertainty".', hint='Remove it, or write "fixed".'
            )
        if not 0 <= weight < math.inf:
            raise RecipeError(f"{key} = {weight}: expected 0 or more.", hint="1 weighs as much as the item.")


def _share(name: str, piece: Framed, whole: Framed) -> float:
    """How much of what a batch teaches a head lies in a piece of it."""
    assert piece.coming is not None and whole.coming is not None
    return int(_known(name, piece.coming).sum()) / int(_known(name, whole.coming).sum())


def _known(name: str, coming: Coming) -> Tensor:
    """Positions that a head's loss is a mean over."""
    if name == "behavior":
        return coming.behavior_BL > 0
    if name == "value":
        return ~coming.value_BL.isnan()
    return ~coming.gap_BL.isnan() | ~coming.silent_BL.isnan()


def _taught(coming: Coming) -> Tensor:
    """Positions after which anything is known."""
    return (coming.behavior_BL > 0) | ~coming.gap_BL.isnan() | ~coming.silent_BL.isnan() | ~coming.value_BL.isnan()
