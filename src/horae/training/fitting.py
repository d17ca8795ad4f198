"""A model's weights, by whatever way its kind learns: by the loop, by counting, or member by member.

    search (on the fit part, validated) -> finish (on all before the test, where it is to) ; fit_again (on everything)

In: a recommender whose model is untrained, and a split. Out: the same recommender, its model trained, and what it took.
This module does not know how a recommender is put together, nor what is saved.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import polars as pl
import torch

from horae.data.split import Split
from horae.errors import RecipeError
from horae.evaluation.forecasts.asked import asked_of
from horae.evaluation.forecasts.judge import LIKELIHOOD, likelihood
from horae.evaluation.opponents import choose
from horae.evaluation.validation import quality, validation_cut
from horae.features.content.of_items import ItemContent
from horae.models.base import Model
from horae.models.compose import compose
from horae.models.ensemble import Ensemble, member_recipes
from horae.models.heads import Pair
from horae.models.network import Network
from horae.models.opponents import make_opponent
from horae.recipe import Recipe
from horae.recommend.recommender import Calibration, Recommender
from horae.schema import REFUSALS
from horae.sequences.history import Sequences
from horae.sequences.prepared_split import AnySplit, learned_from
from horae.training.calibrate import calibrate
from horae.training.joint import Joint
from horae.training.learned_texts import learn_texts
from horae.training.loop import CHOOSES, LoopSettings, Trained, Validate, train_network
from horae.training.members import gather, members_of
from horae.training.objectives import NextItemObjective, Objective, Penalised, make_objective
from horae.training.options import Options
from horae.training.pretrain import labels_of, pretrain
from horae.training.progress import Boarded, Progress
from horae.training.settings import DRAWING, ObjectiveSettings, train_settings
from horae.training.start import begin_near_neighbours
from horae.training.transfer import take_over

__all__ = ["calibrated", "cost", "finish", "first_vectors", "fit_again", "made_ready", "model_of", "search", "watched"]

TOUCHED_FROM_ITEMS = 100_000
"""From here on AdamW's walk over the whole table would be most of a step."""

HALF_FROM_ITEMS = 1_000
"""Below this the softmax is a small part of a step, and its exactness costs nothing."""


def search(recommender: Recommender, split: AnySplit, seed: int, where: Options, progress: Progress) -> list[Trained]:
    """Fit on the fit part alone, and choose by validation what a recipe leaves open; what it took, by member."""
    if isinstance(recommender.model, Ensemble):
        members = members_of(recommender, seed, where)
        found: list[Trained] = []
        for one, its_seed, its_place in members:
            progress.say(f"Member {len(found) + 1} of {len(members)}: {one.recipe.name}")
            found += search(one, split, its_seed, its_place, progress)
            if found[-1].interrupted and len(found) < len(members):
                raise KeyboardInterrupt("Stopped by hand before every member was trained.")
        gather(recommender, [one for one, _, _ in members])
        return found
    if isinstance(recommender.model, Network):
        return [_learn(recommender, split, seed, where, progress)]
    return [_count(recommender, split)]


def finish(
    recommender: Recommender, split: AnySplit, trained: list[Trained], seed: int, where: Options, progress: Progress
) -> None:
    """Fit on all that is known before the test, where the model is to; the cost is added."""
    if isinstance(recommender.model, Ensemble):
        members = members_of(recommender, seed, where)
        for (one, its_seed, its_place), its_cost in zip(members, trained, strict=True):
            finish(one, split, [its_cost], its_seed, its_place, progress)
        gather(recommender, [one for one, _, _ in members])
    elif not isinstance(recommender.model, Network):
        _count_events(recommender, split, "train", trained[0])
    elif _learns_again(recommender.recipe, split, trained[0]):
        _relearn(recommender, split, trained[0], seed, where, progress)


def _learns_again(recipe: Recipe, split: AnySplit, trained: Trained) -> bool:
    wanted = LoopSettings.from_table(recipe.train).relearns(split.kind)
    return wanted and bool(trained.best_metrics) and not trained.interrupted


def fit_again(recommender: Recommender, took: Mapping[str, Any], seed: int, where: Options, progress: Progress) -> None:
    """Fit an untrained model on everything, a network for the epochs that were best."""
    if isinstance(recommender.model, Ensemble):
        members = members_of(recommender, seed, where)
        for (one, its_seed, its_place), its_cost in zip(members, took["members"], strict=True):
            fit_again(one, its_cost, its_seed, its_place, progress)
        gather(recommender, [one for one, _, _ in members])
    elif isinstance(recommender.model, Network):
        recipe = recommender.recipe
        known = replace(recipe, train={**recipe.train, "epochs": max(1, took["best_epoch"])})
        learn_texts(recommender.model, recommender, seed)
        if _fit(
            recommender.model, recommender.sequences, known, seed, where, progress, "refit", True, recommender.catalog
        ).interrupted:
            raise KeyboardInterrupt  # fewer epochs than were judged make another model
    else:
        table = recommender.recipe.model
        recommender.model = make_opponent(table["opponent"], table, recommender.content).fit(recommender.sequences)
        recommender.follow()


def _learn(recommender: Recommender, split: AnySplit, seed: int, where: Options, progress: Progress) -> Trained:
    """Train on the fit part, validated by the very path that recommends."""
    model = recommender.model
    assert isinstance(model, Network)
    loop = LoopSettings.from_table(recommender.recipe.train)
    sequences = learned_from(split, "fit", recommender.sequences)
    cut = validation_cut(split, limit=loop.validation_requests, seed=seed)

    def validate() -> Mapping[str, float]:
        return quality(recommender, cut)

    if len(cut) == 0:
        progress.say("Nobody in the validation part has a history: nothing stops the training early.")
    told = (watched(split), recommender.catalog)
    learn_texts(model, recommender, seed)
    asked = partial(_fit, model, sequences, recommender.recipe, seed, where, progress, "search", *told)
    if len(recommender.items) == 1 and model.upcoming is not None:  # nothing to rank: the other heads choose
        assert isinstance(split, Split)  # `train` refuses these heads for others
        rows = asked_of(split, "validation", most=loop.validation_requests, seed=seed)
        return asked(lambda: {LIKELIHOOD: likelihood(recommender, rows)} if len(rows) else {}, LIKELIHOOD)
    return asked(validate if len(cut) else None)


def _relearn(
    recommender: Recommender, split: AnySplit, trained: Trained, seed: int, where: Options, progress: Progress
) -> None:
    """A fresh network, on everything before the test, for the epochs that validation chose; the cost is added.

    Stopped by hand, it would know less than the network that validation judged: then that one stays.
    """
    recipe, whole = recommender.recipe, recommender.sequences
    epochs = "1 epoch" if trained.best_epoch == 1 else f"{trained.best_epoch} epochs"
    progress.say(f"Learning again, from train and validation together: {epochs}.")
    network = model_of(recipe, whole.num_items, len(whole.behaviors), seed, recommender.device, recommender.content)
    assert isinstance(network, Network)
    learn_texts(network, recommender, seed)
    known = learned_from(split, "train", whole)
    whole = replace(recipe, train={**recipe.train, "epochs": trained.best_epoch})
    again = _fit(network, known, whole, seed, where, progress, "relearn", watched(split), recommender.catalog)
    if again.interrupted:
        progress.say("Stopped by hand while learning again: what was learned from the training part alone is kept.")
        trained.interrupted = True
    else:
        recommender.model = network
    _add_cost(trained, again)


def watched(split: AnySplit) -> bool:
    """Is a user's last event before the cut their last one until it? Splits by time only cut nothing off in between."""
    return split.kind in ("time", "rolling")


def model_of(
    recipe: Recipe,
    num_items: int,
    num_behaviors: int,
    seed: int,
    device: torch.device,
    content: ItemContent | None = None,
) -> Model:
    """The recipe's model as the seed begins it, on its device."""
    if "ensemble" in recipe.model:
        members = enumerate(member_recipes(recipe.model))
        return Ensemble(
            [model_of(one, num_items, num_behaviors, seed + n, device, content) for n, one in members], num_items
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = compose(recipe.model, num_items, num_behaviors, content)
    if isinstance(model, torch.nn.Module):
        model.to(device)
    return model


def _count(recommender: Recommender, split: AnySplit) -> Trained:
    """Fit an opponent as a run's own model; what its recipe leaves open is chosen on validation and written down.

    Here it is fitted on the fit part alone, as the calibration would else ask about what it counted.
    """
    given = recommender.recipe.model
    started = time.perf_counter(), time.process_time()
    table = {"opponent": given["opponent"], **choose(given["opponent"], given, recommender, split)}
    recommender.recipe = replace(recommender.recipe, model=table)
    trained = Trained(seconds=time.perf_counter() - started[0], cpu_seconds=time.process_time() - started[1])
    _count_events(recommender, split, "fit", trained)
    return trained


def _count_events(recommender: Recommender, split: AnySplit, part: Literal["fit", "train"], trained: Trained) -> None:
    """Fit an opponent on a part; the cost is added."""
    started = time.perf_counter(), time.process_time()
    sequences = learned_from(split, part, recommender.sequences)
    table = recommender.recipe.model
    recommender.model = make_opponent(table["opponent"], table, recommender.content).fit(sequences)
    recommender.follow()
    trained.seconds += time.perf_counter() - started[0]
    trained.cpu_seconds += time.process_time() - started[1]


def calibrated(recommender: Recommender, split: AnySplit, seed: int) -> Calibration | None:
    """What turns this model's scores into probabilities, fitted on validation; None where it cannot be."""
    return calibrate(recommender, validation_cut(split, limit=5_000, seed=seed), seed)


def _fit(
    network: Network,
    sequences: Sequences,
    recipe: Recipe,
    seed: int,
    where: Options,
    progress: Progress,
    phase: str,
    watched: bool,
    catalog: pl.DataFrame | None,
    validate: Validate | None = None,
    chooses: str = CHOOSES,
) -> Trained:
    """Train, after the pre-training where there is one; `watched` as for `made_ready`."""
    loop, goal = train_settings(recipe.train)
    begin = first_vectors(network, sequences, recipe, seed, where.start)
    where = where if where.folder is None else replace(where, folder=where.folder / phase)
    board = None if where.tensorboard is None else where.tensorboard / phase
    earlier = Trained()
    if goal.pretrain_epochs and where.start is None:
        labels = labels_of(sequences.items, catalog, goal.pretrain_attributes)
        its_loop = replace(loop, epochs=goal.pretrain_epochs)
        earlier = pretrain(network, labels, sequences, its_loop, seed, where, progress, begin, repr(goal))
        begin = None
    objective = made_ready(network, sequences, recipe, seed, watched)
    trained = train_network(
        network,
        objective,
        sequences,
        loop,
        validate=validate,
        seed=seed,
        begin=begin,
        progress=progress if board is None else Boarded(progress, board),
        folder=where.folder,
        resume=where.resume,
        made_of=_made_of(network, recipe, goal),
        chooses=chooses,
    )
    _add_cost(trained, earlier)
    return trained


def _made_of(network: Network, recipe: Recipe, goal: ObjectiveSettings) -> str:
    """What a checkpoint has to be of. Content counts by its vectors, and by its settings where its encoder learns."""
    content = [] if network.texts is None else [dict(recipe.content)]
    return json.dumps([dict(recipe.model), asdict(goal), *content], sort_keys=True)


def first_vectors(
    network: Network, sequences: Sequences, recipe: Recipe, seed: int, start: Recommender | None = None
) -> Callable[[], object] | None:
    """What is done to the network before its first step; None: nothing."""
    if start is not None:
        return partial(take_over, network, sequences, start)
    _, goal = train_settings(recipe.train)
    near = goal.item_start == "neighbours" or (goal.item_start == "auto" and recipe.model["head"] != "value")
    return partial(begin_near_neighbours, network, sequences, seed) if near else None


def made_ready(network: Network, sequences: Sequences, recipe: Recipe, seed: int, watched: bool) -> Objective:
    """The objective of a recipe; the network has looked at what it is to learn from.

    Args:
        network: Before its first step.
        sequences: What it learns from.
        recipe: Checked.
        seed: Of what the objective draws.
        watched: Is the end of a user's line a gap that was still open when the log ended?
    """
    _, goal = train_settings(recipe.train)
    if recipe.model["head"] != "next_item":
        _refuse_parts(sequences, recipe.model["head"])
    weight_of = _weight_of(goal.target_weights, sequences.behaviors)
    count_I = torch.from_numpy(
        np.bincount(sequences.flat.item_N[sequences.flat.target_N], minlength=len(sequences.items) + 1)
    )
    objective = make_objective(
        network,
        goal.loss,
        goal.num_negatives,
        goal.negatives,
        count_I=count_I,
        seed=seed,
        calibration=goal.calibration,
        popularity_power=goal.popularity_power,
        precision=_precision(goal.precision, network),
        l1=goal.l1,
        weight_of=weight_of,
        refuses_C=torch.tensor([False, *(name in REFUSALS for name in sequences.behaviors)]),
    )
    if isinstance(network.head, Pair):
        network.head.set_worth(_worth(sequences, goal.target_weights, weight_of))
    if goal.impression_negatives:
        _tell_impressions(objective, sequences, goal.impression_negatives)
    objective.prepare(network, torch.tensor(sequences.flat.value_N))
    if network.features is not None:
        network.features.look_at(sequences, network.max_len)
    if network.context is not None:
        network.context.look_at(sequences)
    if network.upcoming is not None:
        network.upcoming.look_at(sequences, watched)
        objective = Joint(objective, goal.task_weights or "fixed", goal.head_weights or {})
    network.items.touched_rows = goal.item_rows == "touched" or (
        goal.item_rows == "auto" and goal.loss in DRAWING and network.num_items >= TOUCHED_FROM_ITEMS
    )
    return objective


def _add_cost(trained: Trained, other: Trained) -> None:
    for figure in ("positions", "padding", "seconds", "cpu_seconds"):
        setattr(trained, figure, getattr(trained, figure) + getattr(other, figure))


def _refuse_parts(sequences: Sequences, head: str) -> None:
    """Only next items know how to count in part.

    Raises:
        RecipeError: The log says that some targets do.
    """
    flat = sequences.flat
    if flat.weight_N is not None and (flat.weight_N[flat.target_N] < 1).any():
        raise RecipeError(
            f'[model] head = "{head}" learns from each target in full, and some of this log count in part.',
            hint='Read the log without [data] weak_labels, or choose head = "next_item".',
        )


def _tell_impressions(objective: Objective, sequences: Sequences, most: int) -> None:
    """Let what was shown stand against what was taken.

    Raises:
        RecipeError: The log does not say what was shown.
    """
    if sequences.flat.shown_NS is None:
        raise RecipeError(
            f"[train] impression_negatives = {most} needs a log with impressions.",
            hint="Join them: horae data convert EVENTS --impressions FILE -o OUT.parquet.",
        )
    goal = objective.objective if isinstance(objective, Penalised) else objective
    assert isinstance(goal, NextItemObjective)
    goal.impressions = most


def _weight_of(weights: Mapping[str, float], behaviors: Sequence[str]) -> torch.Tensor | None:
    """By a behavior's index, which starts at 1; 0 is an event whose behavior is unknown.

    Raises:
        RecipeError: The log has no such behavior, or none that counts.
    """
    if not weights:
        return None
    unknown = sorted(set(weights) - set(behaviors))
    if unknown:
        raise RecipeError(
            f"[train] target_weights names {unknown[0]!r}, which the log does not have.",
            hint=f"Its behaviors: {', '.join(behaviors)}.",
        )
    weight_of = torch.tensor([1.0, *(weights.get(name, 1.0) for name in behaviors)])
    if not weight_of[1:].any():
        raise RecipeError("[train] target_weights leaves nothing to learn: all are 0.", hint="Raise one.")
    return weight_of


def _worth(sequences: Sequences, weights: Mapping[str, float], weight_of: torch.Tensor | None) -> torch.Tensor:
    """What each behavior's probability counts: 0 where it is never a target, or refuses and has no weight of its own.

    Raises:
        RecipeError: Then nothing counts.
    """
    flat = sequences.flat
    targets_C = np.bincount(flat.behavior_N[flat.target_N], minlength=len(sequences.behaviors) + 1)
    wanted = [True, *(name in weights or name not in REFUSALS for name in sequences.behaviors)]
    worth_C = torch.from_numpy((targets_C > 0) & np.array(wanted)).float()
    if not worth_C.any():  # of a log that only refuses, its targets
        worth_C = torch.from_numpy(targets_C > 0).float()
    worth_C = worth_C if weight_of is None else worth_C * weight_of
    if not worth_C.any():
        raise RecipeError(
            "[train] target_weights leaves nothing to rank by: no behavior that comes has a weight.", hint="Raise one."
        )
    return worth_C


def _precision(asked: Literal["auto", "float32", "bfloat16"], network: Network) -> torch.dtype | None:
    """`None` is the network's own; bfloat16 halves the time of the softmax where the hardware multiplies it."""
    if asked != "auto":
        return torch.bfloat16 if asked == "bfloat16" else None
    device = network.item_vectors().device
    able = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_multiplies_bfloat16()
    return torch.bfloat16 if able and network.num_items >= HALF_FROM_ITEMS else None


def _cpu_multiplies_bfloat16() -> bool:
    known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # torch before 2.10 cannot say
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def cost(trained: Trained) -> dict[str, Any]:
    """The figures of `horae train --json`."""
    return {
        "epochs": len(trained.log),
        "best_epoch": trained.best_epoch,
        "interrupted": trained.interrupted,
        "train_seconds": round(trained.seconds, 3),
        "cpu_seconds": round(trained.cpu_seconds, 3),
        "positions_per_second": round(trained.positions / trained.seconds, 1) if trained.seconds else None,
        "padding_share": round(trained.padding / trained.positions, 4) if trained.positions else None,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "validation": trained.best_metrics,
    }
