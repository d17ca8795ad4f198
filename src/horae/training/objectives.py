"""Objectives: what a network learns from a framed batch.

In: a network and a batch with targets. Out: steps, each a loss with the parameters that it moves; the loop takes them
in order. An objective with two losses, or with two players, is a longer list and no second loop. This module does not
know optimisers, epochs or files.
"""

from __future__ import annotations

from typing import Literal, Protocol, get_args

from torch import Tensor, nn

from horae.errors import DataError, RecipeError
from horae.models.heads import Value
from horae.models.network import Network
from horae.sequences.framing import Framed
from horae.training.losses import binary, binary_values, full_softmax, mean_squared_error, sampled_softmax
from horae.training.negatives import Negatives, PopularityNegatives, UniformNegatives

__all__ = ["LossName", "NegativesName", "NextItemObjective", "Objective", "Step", "ValueObjective", "make_objective"]

LossName = Literal["softmax", "sampled_softmax", "binary", "mean_squared_error"]
NegativesName = Literal["uniform", "popularity"]
Step = tuple[list[nn.Parameter], Tensor]

DEFAULT_NEGATIVES = {"sampled_softmax": 256, "binary": 1}


class Objective(Protocol):
    """What a network is trained on."""

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """Set, once and before the first step, what the training targets' values (NaN = unknown) decide."""
        ...

    def steps(self, network: Network, framed: Framed) -> list[Step]:
        """Losses with the parameters that each moves; none where the batch has no target."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint needs so that the next steps are those of an uninterrupted run."""
        ...

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        ...


class NextItemObjective:
    """Each position foretells the item of the event after it."""

    def __init__(self, loss: LossName, negatives: Negatives | None = None, num_negatives: int = 0) -> None:
        assert (negatives is None) == (loss == "softmax") == (num_negatives == 0)
        self.loss = loss
        self.negatives = negatives
        self.num_negatives = num_negatives

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """Nothing: values play no part."""

    def steps(self, network: Network, framed: Framed) -> list[Step]:
        """One step, over the positions that have a target."""
        index_N = framed.target_BL.flatten().nonzero().squeeze(1)
        if len(index_N) == 0:
            return []
        h_ND = network.states(framed.batch).flatten(0, 1).index_select(0, index_N)
        loss = self._loss(h_ND, network.item_vectors(), framed.target_BL.flatten()[index_N])
        return [(list(network.parameters()), loss)]

    def state(self) -> dict[str, Tensor]:
        """The sampler's generator."""
        return {} if self.negatives is None else {"negatives": self.negatives.state()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        if self.negatives is not None:
            self.negatives.load_state(state["negatives"])

    def _loss(self, h_ND: Tensor, e_ID: Tensor, target_N: Tensor) -> Tensor:
        if self.negatives is None:
            return full_softmax(h_ND, e_ID, target_N)
        if self.loss == "binary":
            negative_NS = self.negatives.draw(len(target_N), self.num_negatives, device=h_ND.device)
            return binary(h_ND, e_ID, target_N, negative_NS)
        negative_S = self.negatives.draw(self.num_negatives, device=h_ND.device)
        log_q_I = self.negatives.log_q_I
        return sampled_softmax(h_ND, e_ID, target_N, negative_S, None if log_q_I is None else log_q_I.to(h_ND.device))


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

    def steps(self, network: Network, framed: Framed) -> list[Step]:
        """One step, over the positions whose target has a known value."""
        wanted_BL = (framed.target_BL > 0) & ~framed.target_value_BL.isnan()
        index_N = wanted_BL.flatten().nonzero().squeeze(1)
        if len(index_N) == 0:
            return []
        h_ND = network.states(framed.batch).flatten(0, 1).index_select(0, index_N)
        target_N, value_N = framed.target_BL.flatten()[index_N], framed.target_value_BL.flatten()[index_N]
        loss = binary_values if self.loss == "binary" else mean_squared_error
        return [(list(network.parameters()), loss(h_ND, network.item_vectors(), target_N, value_N))]

    def state(self) -> dict[str, Tensor]:
        """Nothing: no draws."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""


def make_objective(
    network: Network,
    loss: LossName,
    num_negatives: int | None = None,
    negatives: NegativesName | None = None,
    *,
    count_I: Tensor,
    seed: int,
) -> Objective:
    """The objective that a recipe's `[train]` table and the network's head ask for.

    Args:
        network: Its head says whether items or values are foretold.
        loss: `softmax` and `sampled_softmax` foretell items, `mean_squared_error` values, `binary` either.
        num_negatives: None: 256 for `sampled_softmax`, 1 for `binary`.
        negatives: None: uniform.
        count_I: How often each item is a target in training; entry 0 unused.
        seed: For the sampler.

    Raises:
        RecipeError: A loss that does not fit the head; negatives where none are drawn; fewer than one.
    """
    assert loss in get_args(LossName)
    predicts_values = isinstance(network.head, Value)
    fitting = ("binary", "mean_squared_error") if predicts_values else ("softmax", "sampled_softmax", "binary")
    if loss not in fitting:
        head = "value" if predicts_values else "next_item"
        raise RecipeError(
            f'[train] loss = "{loss}" does not fit [model] head = "{head}".',
            hint=f'With head = "{head}" choose loss from {", ".join(fitting)}.',
        )
    draws = loss in DEFAULT_NEGATIVES and not predicts_values
    _check_negatives(loss, num_negatives, negatives, draws)
    if predicts_values:
        return ValueObjective("binary" if loss == "binary" else "mean_squared_error")
    if not draws:
        return NextItemObjective(loss)
    sampler: Negatives = UniformNegatives(network.num_items, seed)
    if negatives == "popularity":
        sampler = PopularityNegatives(count_I, seed)
    return NextItemObjective(loss, sampler, num_negatives or DEFAULT_NEGATIVES[loss])


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
