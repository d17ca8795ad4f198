"""A recipe's `[train]` and a network's head in, the objective that both ask for out; or a plain refusal."""

from __future__ import annotations

import math
from typing import get_args

import torch
from torch import Tensor

from horae.errors import RecipeError
from horae.models.heads import Pair, Value
from horae.models.network import Network
from horae.training.negatives import Negatives, PopularityNegatives, UniformNegatives
from horae.training.objectives.next_item import DEFAULT_CALIBRATION, NextItemObjective
from horae.training.objectives.objective import LossName, NegativesName, Objective
from horae.training.objectives.pair import PairObjective
from horae.training.objectives.penalised import Penalised
from horae.training.objectives.value import ValueObjective

__all__ = ["check_objective", "make_objective"]

FITTING: dict[str, tuple[LossName, ...]] = {
    "next_item": ("softmax", "sampled_softmax", "binary", "gbce"),
    "value": ("binary", "mean_squared_error"),
    "pair": ("binary",),
}
"""Losses by head."""

DEFAULT_NEGATIVES = {"sampled_softmax": 256, "binary": 1, "gbce": 256}
DEFAULT_POWER = 0.75


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
