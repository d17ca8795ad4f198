"""What a training will need: memory by reckoning, time by some steps of it (public as `horae.estimate`).

    recipe, log -> the network as training makes it -> some timed pieces of its own batches -> seconds, as a range

The steps are those of the training on its own data, on the device where it is to run; the network that took them is
thrown away and nothing is written. How many epochs validation will let pass nobody knows, so that the range of the
whole goes from the fewest to the most that the recipe allows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from horae.data.split import Split
from horae.evaluation.cut import Cut
from horae.evaluation.validation import quality, validation_cut
from horae.features.content.of_items import ItemContent
from horae.models.ensemble import Ensemble, member_recipes
from horae.models.network import Network
from horae.recipe import Recipe
from horae.recommend.device import device_of
from horae.recommend.recommender import Recommender
from horae.schema import Events
from horae.sequences.history import Histories, Sequences
from horae.sequences.prepared import PreparedLog
from horae.sequences.prepared_split import AnySplit, PreparedSplit, learned_from
from horae.training.fitting import first_vectors, made_ready, watched
from horae.training.learned_texts import learn_texts, texts_learned
from horae.training.loop import LoopSettings, batches_of, be_thrifty, begin_step, move, windows_of
from horae.training.members import members_of
from horae.training.memory import bytes_needed, bytes_there, num_weights
from horae.training.objectives import Objective
from horae.training.optimisers import Optimiser, make_optimiser
from horae.training.options import Options
from horae.training.train import content_in, made_out, sizes_of, untrained

__all__ = ["Estimate", "NetworkEstimate", "Range", "estimate"]

VALIDATED = (4, 200)
"""Requests that are answered to see how long validation takes: the few first."""
TEXTS = 128
"""Texts that are encoded to see how long all of them take."""
SMALL = 16
"""The first piece is so many times smaller than the training's."""
MOST = 10_000
AT_LEAST = 3
"""Pieces that are timed, whatever they take."""
GIB = 2**30


@dataclass(frozen=True)
class Range:
    """From the least to the most."""

    low: float
    high: float

    def __str__(self) -> str:
        low, high = in_words(self.low), in_words(self.high)
        return low if low == high else f"{low} to {high}"


@dataclass(frozen=True)
class NetworkEstimate:
    """What one network's training will need.

    Attributes:
        recipe: Its name.
        weights: Numbers that it learns.
        memory_bytes: At least so much on the device, the log not counted.
        epochs: From the fewest after which validation may stop it to the most that the recipe allows.
        steps: In an epoch; None where nothing was timed.
        epoch_seconds: Of one epoch, by the slowest and the quickest of the pieces that were timed.
        first_seconds: Before the first step: where items begin.
        validation_seconds: After each epoch, encoding all texts anew included where their encoder learns.
        again_share: Events that it learns from again, train and validation together, against those of an epoch; 0: it
            does not.
        timed: Pieces of batches that were timed.
    """

    recipe: str
    weights: int
    memory_bytes: int
    epochs: Range
    steps: int | None = None
    epoch_seconds: Range | None = None
    first_seconds: float = 0.0
    validation_seconds: float = 0.0
    again_share: float = 0.0
    timed: int = 0

    @property
    def seconds(self) -> Range | None:
        """Of the whole training; None where nothing was timed."""
        if self.epoch_seconds is None:
            return None
        first = self.first_seconds * (2 if self.again_share else 1)
        fewest = 1.0 if self.epochs.low < self.epochs.high else self.epochs.low  # the best epoch may be the first
        low = self.epochs.low * (self.epoch_seconds.low + self.validation_seconds)
        high = self.epochs.high * (self.epoch_seconds.high + self.validation_seconds)
        low += fewest * self.again_share * self.epoch_seconds.low
        high += self.epochs.high * self.again_share * self.epoch_seconds.high
        return Range(first + low, first + high)


@dataclass(frozen=True)
class Estimate:
    """What a training will need; `print` it.

    Attributes:
        recipe: The recipe's name; the chosen one's where it was `auto`.
        device: Where it would run.
        items: Of the item table.
        free_bytes: Memory that is free there now.
        networks: One, or an ensemble's.
        notes: Plain sentences about what could not be said.
    """

    recipe: str
    device: str
    items: int
    free_bytes: int
    networks: tuple[NetworkEstimate, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def memory_bytes(self) -> int:
        """Of the largest network: members train one after the other."""
        return max((one.memory_bytes for one in self.networks), default=0)

    @property
    def fits(self) -> bool:
        """Is so much memory free?"""
        return self.memory_bytes <= self.free_bytes

    @property
    def seconds(self) -> Range | None:
        """Of the whole training; None where some of it was not timed."""
        ranges = [one.seconds for one in self.networks]
        known = [one for one in ranges if one is not None]
        if not known or len(known) < len(ranges):
            return None
        return Range(sum(one.low for one in known), sum(one.high for one in known))

    def as_dict(self) -> dict[str, Any]:
        """The document of `horae train --estimate --json`."""
        return {
            "recipe": self.recipe,
            "device": self.device,
            "items": self.items,
            "weights": sum(one.weights for one in self.networks),
            "memory_bytes": self.memory_bytes,
            "free_bytes": self.free_bytes,
            "fits": self.fits,
            "seconds": _pair(self.seconds),
            "networks": [
                {
                    "recipe": one.recipe,
                    "weights": one.weights,
                    "memory_bytes": one.memory_bytes,
                    "epochs": _pair(one.epochs),
                    "steps": one.steps,
                    "epoch_seconds": _pair(one.epoch_seconds),
                    "first_seconds": round(one.first_seconds, 3),
                    "validation_seconds": round(one.validation_seconds, 3),
                    "timed": one.timed,
                    "seconds": _pair(one.seconds),
                }
                for one in self.networks
            ],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [f"Recipe   {self.recipe}, {self.items:,} items, on {self.device}"]
        for one in self.networks:
            lines += _lines(one, "" if len(self.networks) == 1 else f" of {one.recipe}")
        if self.networks:
            enough = "enough" if self.fits else "NOT ENOUGH"
            lines.append(f"Free     {self.free_bytes / GIB:,.1f} GiB on {self.device}: {enough}")
        if self.seconds is not None:
            lines.append(f"Time     {self.seconds}; judging it comes on top")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def estimate(
    data: Events | Split | PreparedLog | PreparedSplit,
    recipe: str | Path | Recipe = "sasrec",
    *,
    overrides: Iterable[str] = (),
    seed: int = 0,
    catalog: pl.DataFrame | None = None,
    options: Options | None = None,
    seconds: float = 10.0,
) -> Estimate:
    """Say what `horae.train` with the same arguments will need; nothing is kept, nothing is written.

    Args:
        data: As for `train`.
        recipe: As for `train`.
        overrides: As for `train`.
        seed: As for `train`.
        catalog: As for `train`.
        options: Its device counts.
        seconds: Time steps for about so long; three pieces of a batch are timed at least.

    Raises:
        RecipeError: As for `train`, but a network that does not fit is told, not refused.
        DataError: As for `train`.
    """
    chosen, _, split = made_out(data, recipe, overrides)
    device = device_of((options or Options()).device)
    items, behaviors = sizes_of(split)
    free = bytes_there(device)
    told = Estimate(chosen.name, str(device), items, free)
    content = content_in(chosen, split, catalog)
    networks = _reckoned(chosen, items, behaviors, content)
    if not networks:
        return Estimate(**{**vars(told), "notes": (f"{chosen.name} only counts: it has no epochs to time.",)})
    if max(one.memory_bytes for one in networks) > free:
        note = "It does not fit, so that no step was timed: lower model.dim or train.batch_tokens, raise "
        note += "train.accumulate, or set train.checkpointing."
        return Estimate(**{**vars(told), "networks": tuple(networks), "notes": (note,)})
    recommender = untrained(chosen, split, catalog, seed, device, content)
    whole = [(recommender, seed, Options())]
    parts = members_of(recommender, seed, Options()) if isinstance(recommender.model, Ensemble) else whole
    learning = [(one, its_seed) for one, its_seed, _ in parts if isinstance(one.model, Network)]
    budget = seconds / len(learning)
    timed = [
        _timed(one, split, its_seed, known, budget) for (one, its_seed), known in zip(learning, networks, strict=True)
    ]
    notes = ("Its members that only count are not in it.",) if len(learning) < len(parts) else ()
    return Estimate(**{**vars(told), "networks": tuple(timed), "notes": notes})


def in_words(seconds: float) -> str:
    """Two digits of it, in the unit that suits."""
    for unit, length in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"{float(f'{seconds / length:.2g}'):g} {unit}"
    return f"{float(f'{seconds:.2g}'):g} s"


def _reckoned(recipe: Recipe, items: int, behaviors: int, content: ItemContent | None) -> list[NetworkEstimate]:
    """What can be said without the log; nothing of what only counts."""
    found = []
    for one in member_recipes(recipe.model) if "ensemble" in recipe.model else [recipe]:
        if "encoder" not in one.model:
            continue
        loop = LoopSettings.from_table(one.train)
        stops = Range(min(loop.patience + 1, loop.epochs), loop.epochs)
        sizes = num_weights(one, items, behaviors, content), bytes_needed(one, items, behaviors, content)
        found.append(NetworkEstimate(one.name, *sizes, stops))
    return found


def _timed(
    recommender: Recommender, split: AnySplit, seed: int, known: NetworkEstimate, budget: float
) -> NetworkEstimate:
    """The same, with times."""
    network, recipe = recommender.model, recommender.recipe
    assert isinstance(network, Network)
    loop = LoopSettings.from_table(recipe.train)
    sequences = learned_from(split, "fit", recommender.sequences)
    with torch.random.fork_rng(devices=[]):
        learn_texts(network, recommender, seed)
        torch.manual_seed(seed)
        objective = made_ready(network, sequences, recipe, seed, watched(split))
        begin = first_vectors(network, sequences, recipe, seed)
        started = time.perf_counter()
        if begin is not None:
            begin()
        first = time.perf_counter() - started
        rng = np.random.default_rng([seed, 1])
        cut = windows_of(network, sequences, loop, rng)
        batches = batches_of(cut, loop.batch_tokens, rng)
        be_thrifty(network, loop)
        paces, moves = _paced(network, objective, cut, batches, loop, rng, budget)
    network.eval()
    positions, steps = sum(_positions(cut, rows) for rows in batches), len(batches)
    step = float(np.median(moves))
    cut_for = validation_cut(split, limit=loop.validation_requests, seed=seed)
    again = _share_again(split, recommender.sequences, sequences) if loop.relearns(split.kind) else 0.0
    return NetworkEstimate(
        known.recipe,
        sum(one.numel() for one in network.parameters()),
        known.memory_bytes,
        known.epochs if len(cut_for) else Range(loop.epochs, loop.epochs),
        steps,
        Range(positions * min(paces) + steps * step, positions * max(paces) + steps * step),
        first,
        _validation_seconds(recommender, cut_for, seed, budget) + _texts_seconds(network),
        again if len(cut_for) else 0.0,
        len(paces),
    )


def _paced(
    network: Network,
    objective: Objective,
    cut: Histories,
    batches: list[Any],
    loop: LoopSettings,
    rng: np.random.Generator,
    budget: float,
) -> tuple[list[float], list[float]]:
    """Seconds per position of one piece each of some batches, and seconds of the steps after them.

    The first is not counted: it asks for memory, and libraries lay out what they need. It is a small one, and where it
    took long, so are the others.
    """
    optimiser: Optimiser = make_optimiser(network, loop.learning_rate, loop.weight_decay, loop.average_steps)
    device = next(network.parameters()).device
    network.train()
    paces: list[float] = []
    moves: list[float] = []
    started, many = _now(device), SMALL * loop.accumulate
    for number in range(MOST):
        rows = batches[number % len(batches)]
        optimiser.zero_grad()
        begun = _now(device)
        framed = network.framing.frame(cut.take(rows), rng)
        made = (_now(device) - begun) / framed.target_BL.numel()
        framed = framed.to(device)
        begun = _now(device)
        begin_step(network, framed, rng)
        anew = _now(device) - begun
        piece = framed.pieces(many)[0]
        begun = _now(device)
        for _, loss in objective.steps(network, piece) if many == 1 else objective.steps(network, piece, framed):
            loss.backward()  # type: ignore[no-untyped-call]
        learned = _now(device)
        move(network, optimiser, list(network.parameters()), loop)
        pace = made + (learned - begun) / piece.target_BL.numel()
        if number == 0:
            while many > loop.accumulate and pace * framed.target_BL.numel() / (many // 2) < budget / AT_LEAST:
                many //= 2
            continue
        paces.append(pace)
        moves.append(anew + _now(device) - learned)
        if len(paces) >= AT_LEAST and _now(device) - started > budget:
            break
    return paces, moves


def _validation_seconds(recommender: Recommender, cut: Cut, seed: int, budget: float) -> float:
    """Of one validation, by some of its requests; by few where these take long."""
    pace = 0.0
    order = np.random.default_rng(seed).permutation(len(cut))
    for many in VALIDATED:
        chosen = np.sort(order[:many])
        if not len(chosen) or pace * len(chosen) > budget:
            break
        few = cut.subset(chosen)
        started = time.perf_counter()
        quality(recommender, few)
        pace = (time.perf_counter() - started) / len(few)
    return pace * len(cut)


def _texts_seconds(network: Network) -> float:
    """Of encoding all texts anew, where their encoder learns, by some of them."""
    if (learned := texts_learned(network)) is None:
        return 0.0
    started = time.perf_counter()
    share = learned[0].encode_some(TEXTS)
    return (time.perf_counter() - started) / share


def _share_again(split: AnySplit, whole: Sequences, fit: Sequences) -> float:
    return int(learned_from(split, "train", whole).all().lengths.sum()) / max(1, int(fit.all().lengths.sum()))


def _positions(cut: Histories, rows: Any) -> int:
    """Of a batch, padding included."""
    lengths = cut.lengths[rows] - 1
    return int(lengths.max()) * len(rows)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _lines(one: NetworkEstimate, whose: str) -> list[str]:
    weights = f"{one.weights / 1e6:,.1f} million" if one.weights >= 1e6 else f"{one.weights:,}"
    lines = [f"Weights  {weights}{whose}", f"Memory   {one.memory_bytes / GIB:,.1f} GiB at least{whose}"]
    if one.epoch_seconds is not None:
        least, most = f"{one.epochs.low:g}", f"{one.epochs.high:g}"
        epochs = most if least == most else f"{least} to {most}"
        lines.append(f"Epoch    {one.epoch_seconds} for {one.steps:,} steps, by {one.timed} timed pieces{whose}")
        lines.append(f"Epochs   {epochs}, each with {in_words(one.validation_seconds)} of validation{whose}")
        if one.again_share:
            lines.append(f"Again    once more on train and validation, for the epochs that were best{whose}")
    return lines


def _pair(one: Range | None) -> list[float] | None:
    return None if one is None else [round(one.low, 3), round(one.high, 3)]
