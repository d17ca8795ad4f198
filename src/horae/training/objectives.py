"""Objectives: what a network learns from a framed batch.

In: a network and a batch with targets. Out: steps, each a loss with the parameters that it moves; the loop takes them
in order. An objective with two losses, or with two players, is a longer list and no second loop. This module does not
know optimisers, epochs or files.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.errors import DataError, RecipeError
from horae.models.heads import Pair, Value
from horae.models.network import Network
from horae.sequences.framing import Framed
from horae.training.losses import (
    binary,
    binary_pairs,
    binary_values,
    calibrated_power,
    full_softmax,
    gbce,
    mean_squared_error,
    sampled_softmax,
)
from horae.training.negatives import Negatives, PopularityNegatives, UniformNegatives

__all__ = [
    "LossName",
    "NegativesName",
    "NextItemObjective",
    "Objective",
    "PairObjective",
    "Penalised",
    "Step",
    "ValueObjective",
    "check_objective",
    "make_objective",
]

LossName = Literal["softmax", "sampled_softmax", "binary", "gbce", "mean_squared_error"]
NegativesName = Literal["uniform", "popularity"]
Step = tuple[list[nn.Parameter], Tensor]

FITTING: dict[str, tuple[LossName, ...]] = {
    "next_item": ("softmax", "sampled_softmax", "binary", "gbce"),
    "value": ("binary", "mean_squared_error"),
    "pair": ("binary",),
}
"""Losses by head."""

DEFAULT_NEGATIVES = {"sampled_softmax": 256, "binary": 1, "gbce": 256}
DEFAULT_CALIBRATION = 0.75
DEFAULT_POWER = 0.75


class Objective(Protocol):
    """What a network is trained on."""

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """Set, once and before the first step, what the training targets' values (NaN = unknown) decide."""
        ...

    def steps(self, network: Network, framed: Framed, whole: Framed | None = None) -> list[Step]:
        """Losses with the parameters that each moves; none where the batch has no target.

        Args:
            network: What learns.
            framed: A batch, or a piece of one.
            whole: The batch that `framed` is a piece of. A loss is then this piece's share of the whole batch's: the
                losses of all pieces add up to it, and so do their gradients.
        """
        ...

    def counted(self, framed: Framed) -> Tensor:
        """What the targets of a batch, or of a piece of one, count together: a loss is a mean over it."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint needs so that the next steps are those of an uninterrupted run."""
        ...

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        ...


class NextItemObjective:
    """Each position foretells the item of the event after it.

    Attributes:
        precision: Of the products of the full softmax; None: the network's own.
        calibration: The t of gBCE, from 0 to 1.
        weight_of: What a target counts, by its behavior; None: all the same. Where the log says what each event counts
            (`[data] weak_labels`), the two are multiplied.
        impressions: How many of the items that were shown before a target, newest first, are negatives of it beside the
            drawn ones.
    """

    def __init__(self, loss: LossName, negatives: Negatives | None = None, num_negatives: int = 0) -> None:
        assert (negatives is None) == (loss == "softmax") == (num_negatives == 0)
        self.loss = loss
        self.negatives = negatives
        self.num_negatives = num_negatives
        self.precision: torch.dtype | None = None
        self.calibration = DEFAULT_CALIBRATION
        self.weight_of: Tensor | None = None
        self.impressions = 0
        self._drawn: tuple[Framed, Tensor] | None = None

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """Nothing: values play no part."""

    def steps(self, network: Network, framed: Framed, whole: Framed | None = None) -> list[Step]:
        """One step, over the positions that have a target."""
        index_N = framed.target_BL.flatten().nonzero().squeeze(1)
        weight_N = self._weights(framed, index_N)
        if weight_N is not None:
            index_N, weight_N = index_N[weight_N > 0], weight_N[weight_N > 0]
        if len(index_N) == 0:
            return []
        h_ND = network.states(framed.batch).flatten(0, 1).index_select(0, index_N)
        target_N = framed.target_BL.flatten()[index_N]
        if self.negatives is None:
            loss = full_softmax(h_ND, network.item_vectors(), target_N, weight_N, precision=self.precision)
        else:
            drawn = self._negatives_of(whole, target_N)
            loss = self._sampled(network, drawn, h_ND, target_N, weight_N, self._own(framed, index_N, target_N))
        if whole is not None:
            loss = loss * (self.counted(framed) / self.counted(whole))
        return [(list(network.parameters()), loss)]

    def counted(self, framed: Framed) -> Tensor:
        """The targets' weights together."""
        index_N = framed.target_BL.flatten().nonzero().squeeze(1)
        weight_N = self._weights(framed, index_N)
        return torch.tensor(len(index_N), device=index_N.device) if weight_N is None else weight_N.sum()

    def state(self) -> dict[str, Tensor]:
        """The sampler's generator."""
        return {} if self.negatives is None else {"negatives": self.negatives.state()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        if self.negatives is not None:
            self.negatives.load_state(state["negatives"])

    def _weights(self, framed: Framed, index_N: Tensor) -> Tensor | None:
        """What each target counts: by its behavior, times what its own row says; None where all count alike."""
        own_N = None if framed.target_weight_BL is None else framed.target_weight_BL.flatten()[index_N]
        if self.weight_of is None:
            return own_N
        behavior_N = framed.target_behavior_BL.flatten()[index_N]
        weight_N = self.weight_of.to(behavior_N.device)[behavior_N]
        return weight_N if own_N is None else weight_N * own_N

    def _negatives_of(self, whole: Framed | None, target_N: Tensor) -> Tensor:
        """Each row's own, or some that a whole batch shares, though it comes in pieces."""
        assert self.negatives is not None
        if self.loss == "binary":
            return self.negatives.draw(len(target_N), self.num_negatives, device=target_N.device)
        if whole is None:
            return self.negatives.draw(self.num_negatives, device=target_N.device)
        if self._drawn is None or self._drawn[0] is not whole:
            self._drawn = whole, self.negatives.draw(self.num_negatives, device=target_N.device)
        return self._drawn[1]

    def _own(self, framed: Framed, index_N: Tensor, target_N: Tensor) -> Tensor:
        """What was shown before each target; where it was less, the target fills up, which no loss counts."""
        if not self.impressions or framed.shown_BLS is None:
            return target_N.new_empty(len(target_N), 0)
        own_NS = framed.shown_BLS.flatten(0, 1)[index_N, : self.impressions].to(target_N.dtype)
        return torch.where(own_NS > 0, own_NS, target_N[:, None])

    def _sampled(
        self,
        network: Network,
        drawn: Tensor,
        h_ND: Tensor,
        target_N: Tensor,
        weight_N: Tensor | None,
        own_NS: Tensor,
    ) -> Tensor:
        """A loss over the drawn items alone: of a large table, only their rows are looked at."""
        assert self.negatives is not None
        looked_at = torch.cat([target_N, drawn.flatten(), own_NS.flatten()])
        items_N, place = torch.unique(looked_at, return_inverse=True)
        target_N, negative, own = place.split([len(target_N), drawn.numel(), own_NS.numel()])
        negative, own_NS = negative.view(drawn.shape), own.view(own_NS.shape)
        e_ND = network.vectors_of(items_N)
        if self.loss == "binary":
            return binary(h_ND, e_ND, target_N, torch.cat([negative, own_NS], dim=1), weight_N)
        if self.loss == "gbce":
            power = calibrated_power(self.num_negatives, network.num_items, self.calibration)
            return gbce(h_ND, e_ND, target_N, negative, power, weight_N, own_NS)
        log_q_I = self.negatives.log_q_I
        log_q_N = None if log_q_I is None else log_q_I.to(h_ND.device)[items_N]
        return sampled_softmax(h_ND, e_ND, target_N, negative, log_q_N, weight_N, own_NS)


class ValueObjective:
    """Each position foretells the value of the event after it, given that event's item. Unknown values are left out."""

    def __init__(self, loss: Literal["binary", "mean_squared_error"]) -> None:
        self.loss = loss

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """Check the values, and centre and scale the head on them where they are amounts.

        Raises:
            DataError: No value is known; or labels are asked for and some value lies outside 0 to 1.
        """
        known_N = value_N[~value_N.isnan()].double()
        if len(known_N) == 0:
            raise DataError(
                f'[train] loss = "{self.loss}" with [model] head = "value" needs values; the log has none.',
                hint='Name the value column (--columns value=...), or train with head = "next_item".',
            )
        low, high = known_N.min().item(), known_N.max().item()
        if self.loss == "binary" and (low < 0 or high > 1):
            raise DataError(
                f'[train] loss = "binary" expected values from 0 to 1, got {low:g} to {high:g}.',
                hint='Use loss = "mean_squared_error", or turn the values into labels first.',
            )
        assert isinstance(network.head, Value)
        if self.loss == "mean_squared_error":
            network.head.set_range(known_N.mean().item(), known_N.std(correction=0).item())

    def steps(self, network: Network, framed: Framed, whole: Framed | None = None) -> list[Step]:
        """One step, over the positions whose target has a known value."""
        index_N = _valued(framed).flatten().nonzero().squeeze(1)
        if len(index_N) == 0:
            return []
        h_ND = network.states(framed.batch).flatten(0, 1).index_select(0, index_N)
        target_N, value_N = framed.target_BL.flatten()[index_N], framed.target_value_BL.flatten()[index_N]
        items_N, place_N = torch.unique(target_N, return_inverse=True)  # of a large table, only their rows
        told = binary_values if self.loss == "binary" else mean_squared_error
        loss = told(h_ND, network.vectors_of(items_N), place_N, value_N)
        if whole is not None:
            loss = loss * (self.counted(framed) / self.counted(whole))
        return [(list(network.parameters()), loss)]

    def counted(self, framed: Framed) -> Tensor:
        """The targets of known value."""
        return _valued(framed).sum()

    def state(self) -> dict[str, Tensor]:
        """Nothing: no draws."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""


class PairObjective:
    """Each position foretells what happens with the item of the event after it; with drawn items, nothing does.

    Events that say that somebody does not want an item (`refuses`) are no targets, but this network learns from those
    among a window's inputs, too: no drawn item is as surely a negative as one that was refused.

    Attributes:
        causal: Is what stands after a position unseen by it? Else it is no answer.
        refuses_C: Which behaviors say so.
    """

    def __init__(self, negatives: Negatives, num_negatives: int, *, causal: bool = True) -> None:
        self.negatives = negatives
        self.num_negatives = num_negatives
        self.causal = causal
        self.refuses_C: Tensor | None = None

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """Nothing: values play no part."""

    def steps(self, network: Network, framed: Framed, whole: Framed | None = None) -> list[Step]:
        """One step, over the positions after which something happened."""
        item_BL, behavior_BL = self._happened(framed)
        index_N = item_BL.flatten().nonzero().squeeze(1)
        if len(index_N) == 0:
            return []
        head = network.head
        assert isinstance(head, Pair)
        h_NK = network.states(framed.batch).flatten(0, 1).index_select(0, index_N)
        own_N = item_BL.flatten()[index_N]
        drawn_NS = self.negatives.draw(len(own_N), self.num_negatives, device=h_NK.device)
        items_N, place = torch.unique(torch.cat([own_N[:, None], drawn_NS], dim=1), return_inverse=True)
        e_NSK = F.embedding(place, network.vectors_of(items_N))
        logit_NSC = head.logits(h_NK[:, None] + e_NSK)
        behavior_N = behavior_BL.flatten()[index_N]
        loss = binary_pairs(logit_NSC[:, 0], behavior_N, logit_NSC[:, 1:], drawn_NS == own_N[:, None])
        if whole is not None:
            loss = loss * (self.counted(framed) / self.counted(whole))
        return [(list(network.parameters()), loss)]

    def counted(self, framed: Framed) -> Tensor:
        """Positions after which something happened."""
        return (self._happened(framed)[0] > 0).sum()

    def state(self) -> dict[str, Tensor]:
        """The sampler's generator."""
        return {"negatives": self.negatives.state()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        self.negatives.load_state(state["negatives"])

    def _happened(self, framed: Framed) -> tuple[Tensor, Tensor]:
        """Items and behaviors of the targets, and of what was refused right after a position."""
        item_BL, behavior_BL = framed.target_BL, framed.target_behavior_BL
        if self.refuses_C is None or not self.causal:
            return item_BL, behavior_BL
        events = (framed.batch.item_BL, framed.batch.behavior_BL)
        next_item_BL, next_behavior_BL = (F.pad(x_BL[:, 1:], (0, 1)) for x_BL in events)
        refused_BL = (item_BL == 0) & (next_item_BL > 0) & self.refuses_C.to(item_BL.device)[next_behavior_BL]
        behavior_BL = torch.where(refused_BL, next_behavior_BL, behavior_BL)
        return torch.where(refused_BL, next_item_BL, item_BL), behavior_BL


class Penalised:
    """Another objective, its losses plus `l1` times the absolute sum of the encoder's weights.

    Weights are the encoder's parameters with two dimensions or more. Biases, norms and whatever stands outside of the
    encoder (the item table above all, most rows of which a step does not look at) go free.

    Source: Tibshirani 1996 (JRSS B 58(1), the lasso), eq. 2, in the Lagrangian form.
    Differs: a subgradient inside AdamW's step: weights are drawn near zero, but not to zero itself.
    """

    def __init__(self, objective: Objective, l1: float) -> None:
        self.objective = objective
        self.l1 = l1

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """See `Objective`."""
        self.objective.prepare(network, value_N)

    def steps(self, network: Network, framed: Framed, whole: Framed | None = None) -> list[Step]:
        """The inner objective's, each with the penalty."""
        taken = self.objective.steps(network, framed, whole)
        share = 1.0 if whole is None else self.counted(framed) / self.counted(whole)
        penalty = self.l1 * share
        return [(parameters, loss + penalty * _absolute_sum(network.encoder)) for parameters, loss in taken]

    def counted(self, framed: Framed) -> Tensor:
        """The inner objective's."""
        return self.objective.counted(framed)

    def state(self) -> dict[str, Tensor]:
        """The inner objective's."""
        return self.objective.state()

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        self.objective.load_state(state)


def make_objective(
    network: Network,
    loss: LossName,
    num_negatives: int | None = None,
    negatives: NegativesName | None = None,
    *,
    count_I: Tensor,
    seed: int,
    calibration: float | None = None,
    popularity_power: float | None = None,
    precision: torch.dtype | None = None,
    l1: float = 0.0,
    weight_of: Tensor | None = None,
    refuses_C: Tensor | None = None,
) -> Objective:
    """The objective that a recipe's `[train]` table and the network's head ask for.

    Args:
        network: Its head says whether items, values or behaviors with an item are foretold.
        loss: `mean_squared_error` foretells values, `binary` any of the three, all others items.
        num_negatives: None: 256 for `sampled_softmax` and `gbce`, 1 for `binary`.
        negatives: None: uniform.
        count_I: How often each item is a target in training; entry 0 unused.
        seed: For the sampler.
        calibration: t of `gbce`; None: 0.75.
        popularity_power: What counts are raised to where negatives are drawn by popularity; None: 0.75.
        precision: Of the full softmax's products; None: the network's own.
        l1: Weight of the absolute sum of the encoder's weights; see `Penalised`.
        weight_of: What a target counts, by its behavior's index; None: all the same.
        refuses_C: Behaviors that say no to an item, for a network of pairs; None: none does.

    Raises:
        RecipeError: A loss that does not fit the head; a key that has no effect, or an impossible value.
    """
    predicts_values = isinstance(network.head, Value)
    head = "value" if predicts_values else "pair" if isinstance(network.head, Pair) else "next_item"
    check_objective(head, loss, num_negatives, negatives, calibration, popularity_power, l1)
    draws = loss in DEFAULT_NEGATIVES and not predicts_values
    objective: Objective
    if predicts_values:
        objective = ValueObjective("binary" if loss == "binary" else "mean_squared_error")
    else:
        sampler: Negatives | None = UniformNegatives(network.num_items, seed) if draws else None
        if negatives == "popularity":
            sampler = PopularityNegatives(
                count_I, seed, DEFAULT_POWER if popularity_power is None else popularity_power
            )
        drawn = (num_negatives or DEFAULT_NEGATIVES[loss]) if draws else 0
        if isinstance(network.head, Pair):
            assert sampler is not None
            pairs = PairObjective(sampler, drawn, causal=network.causal)
            pairs.refuses_C = refuses_C
            objective = pairs
        else:
            foretelling = NextItemObjective(loss, sampler, drawn)
            foretelling.precision = precision
            foretelling.calibration = DEFAULT_CALIBRATION if calibration is None else calibration
            foretelling.weight_of = weight_of
            objective = foretelling
    return Penalised(objective, l1) if l1 > 0 else objective


def check_objective(
    head: str,
    loss: LossName,
    num_negatives: int | None = None,
    negatives: NegativesName | None = None,
    calibration: float | None = None,
    popularity_power: float | None = None,
    l1: float = 0.0,
) -> None:
    """Refuse what `make_objective` could not make; asks for no network, so that no log need be read first.

    Raises:
        RecipeError: As in `make_objective`.
    """
    assert loss in get_args(LossName)
    predicts_values = head == "value"
    fitting = FITTING[head]
    if loss not in fitting:
        raise RecipeError(
            f'[train] loss = "{loss}" does not fit [model] head = "{head}".',
            hint=f'With head = "{head}" choose loss from {", ".join(fitting)}.',
        )
    draws = loss in DEFAULT_NEGATIVES and not predicts_values
    _check_negatives(loss, num_negatives, negatives, draws)
    _check_numbers(loss, negatives, calibration, popularity_power, l1)


def _check_negatives(loss: str, num_negatives: int | None, negatives: str | None, draws: bool) -> None:
    for key, value in (("num_negatives", num_negatives), ("negatives", negatives)):
        if value is not None and not draws:
            what = "" if loss not in DEFAULT_NEGATIVES else ' and head = "value"'
            raise RecipeError(
                f'[train] {key} has no effect with loss = "{loss}"{what}.',
                hint=f'Remove {key}, or choose loss = "sampled_softmax".',
            )
    if num_negatives is not None and num_negatives < 1:
        raise RecipeError(f"[train] num_negatives = {num_negatives}: expected at least 1.", hint="Raise num_negatives.")


def _check_numbers(
    loss: str, negatives: str | None, calibration: float | None, popularity_power: float | None, l1: float
) -> None:
    if calibration is not None and loss != "gbce":
        raise RecipeError(
            f'[train] calibration has no effect with loss = "{loss}".', hint='Remove it, or choose loss = "gbce".'
        )
    if popularity_power is not None and negatives != "popularity":
        raise RecipeError(
            f'[train] popularity_power has no effect with negatives = "{negatives or "uniform"}".',
            hint='Remove it, or choose negatives = "popularity".',
        )
    for key, value, most in (("calibration", calibration, 1.0), ("popularity_power", popularity_power, 10.0)):
        if value is not None and not 0 <= value <= most:
            raise RecipeError(f"[train] {key} = {value}: expected 0 to {most:g}.", hint="0.75 is usual.")
    if not 0 <= l1 < math.inf:
        raise RecipeError(f"[train] l1 = {l1}: expected 0 or more.", hint="Try 0.000001, or 0 for none.")


def _valued(framed: Framed) -> Tensor:
    """Positions whose target has a known value."""
    return (framed.target_BL > 0) & ~framed.target_value_BL.isnan()


def _absolute_sum(module: nn.Module) -> Tensor:
    return torch.stack([weight.abs().sum() for weight in module.parameters() if weight.ndim > 1]).sum()
