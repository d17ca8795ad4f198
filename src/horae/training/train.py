"""Events and a recipe in, a trained recommender out (public as `horae.train`).

    split -> item vocabulary -> sequences -> model -> train on `fit`, stop by `validation` -> calibrate -> Recommender

Nothing here looks at a split's test events: they are only laid into the recommender's histories, where the place of a
request decides what it may see.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import resource
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from horae.data.checks import repeat_share
from horae.data.split import Split, split_by_time, split_leave_one_out
from horae.errors import DataError, RecipeError
from horae.evaluation.opponents import choose
from horae.evaluation.validation import quality, validation_cut
from horae.models.base import Model
from horae.models.compose import compose, resolved
from horae.models.network import Network
from horae.models.opponents import make_opponent
from horae.recipe import Recipe, load_recipe
from horae.recipe import settings as read_settings
from horae.recommend.device import device_of
from horae.recommend.recommender import Calibration, Recommender, RecommendSettings
from horae.schema import BEHAVIOR, ITEM, Events
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.calibrate import calibrate
from horae.training.loop import LoopSettings, Trained, Validate, train_network
from horae.training.objectives import LossName, NegativesName, make_objective
from horae.training.progress import Boarded, Progress, progress_for

__all__ = ["ObjectiveSettings", "Options", "check", "refit", "train"]

SEEN_STAYS = 0.1
"""At this share of repeated items or more, `seen = "auto"` keeps items of the history in the lists."""


@dataclass(frozen=True)
class Options:
    """Where and how a training runs; nothing here changes what is learned.

    Attributes:
        device: `auto` takes a GPU where there is one.
        folder: Where checkpoints go while training; None keeps them in memory.
        resume: Go on from the checkpoint in `folder`.
        progress: None: a bar where a person watches.
        tensorboard: A folder for TensorBoard's event files (extra `track`).
    """

    device: str = "auto"
    folder: Path | None = None
    resume: bool = False
    progress: Progress | None = None
    tensorboard: Path | None = None


@dataclass(frozen=True)
class ObjectiveSettings:
    """The keys of `[train]` that say what is learned; the others are the loop's."""

    loss: LossName = field(
        default="softmax",
        metadata={"doc": "`softmax` over all items, `sampled_softmax`, `binary`; `mean_squared_error` for values."},
    )
    num_negatives: int | None = field(
        default=None, metadata={"doc": "Negatives drawn: 256 for `sampled_softmax`, 1 for `binary`, where left out."}
    )
    negatives: NegativesName | None = field(
        default=None, metadata={"doc": "How they are drawn: `uniform` where left out, or by `popularity`."}
    )


def train(
    data: Events | Split,
    recipe: str | Path | Recipe = "sasrec",
    *,
    overrides: Iterable[str] = (),
    seed: int = 0,
    catalog: pl.DataFrame | None = None,
    options: Options | None = None,
) -> Recommender:
    """Train a recommender.

    Args:
        data: Cleaned events, whose end is cut off for validation; or a split, whose own validation part is used (one
            is cut off its training part where it has none) and whose test part is not looked at.
        recipe: A recipe's name, a TOML file, or a recipe.
        overrides: Settings such as `train.epochs=5`, over the recipe's.
        seed: Same data, recipe and seed: same weights (on the same machine and number of threads).
        catalog: Items' attributes by `item_id`; kept with the run, shown in reports.
        options: Where and how it runs.

    Raises:
        RecipeError: An unknown key, a wrong type, an impossible value or a key without effect.
        DataError: No items in the log, or too few events to cut a validation part from.
        NotTrainedError: The loss became infinite or exploded.
    """
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    chosen = check(chosen.with_overrides(overrides))
    split = _with_validation(data)
    if not split.events.has_items:
        raise DataError(
            "This log has no items, so there is nothing to recommend.",
            hint="Name the item column with --columns item_id=..., or use `horae data describe` for what it holds.",
        )
    where = options or Options()
    progress = where.progress or progress_for(None)
    recommender = _untrained(chosen, split, catalog, seed, device_of(where.device))
    if isinstance(recommender.model, Network):
        trained = _learn(recommender, split, seed, where, progress)
        recommender.calibration = _calibrated(recommender, split, seed)
        if chosen.train["relearn"] and trained.best_metrics and not trained.interrupted:
            _relearn(recommender, split, trained, seed, where, progress)
        recommender.card["training"] = _cost(trained)
        recommender.log = list(trained.log)
    else:
        _count(recommender, split, seed)
    return recommender


def refit(recommender: Recommender, *, options: Options | None = None) -> Recommender:
    """Train once more, on all events, for the epochs that validation chose; judged metrics stay on the card.

    Args:
        recommender: Trained on a split, and judged if it is to be.
        options: As for `train`.
    """
    assert recommender.split is not None
    where = options or Options()
    seed = int(recommender.card["seed"])
    split = recommender.split
    everything = replace(
        split, part=pl.repeat("train", len(split.events), dtype=split.part.dtype, eager=True).alias("part")
    )
    fresh = _untrained(recommender.recipe, everything, recommender.catalog, seed, recommender.device)
    if isinstance(fresh.model, Network):
        epochs = recommender.card["training"]["best_epoch"]
        recipe = replace(recommender.recipe, train={**recommender.recipe.train, "epochs": max(1, epochs)})
        _fit(fresh.model, fresh.sequences, recipe, seed, where, where.progress or progress_for(None), "refit")
    else:
        table = recommender.recipe.model
        fresh.model = make_opponent(table["opponent"], table).fit(fresh.sequences)
    card = {**recommender.card, "refit": True}
    return replace(recommender, model=fresh.model, fallback=fresh.fallback, sequences=fresh.sequences, card=card)


def check(recipe: Recipe) -> Recipe:
    """Check every key of `[model]`, `[train]` and `[recommend]`, and fill in the defaults.

    Raises:
        RecipeError: As in `train`.
    """
    read_settings(RecommendSettings, recipe.recommend, "[recommend]")
    model = resolved(recipe.model)
    recommend = asdict(read_settings(RecommendSettings, recipe.recommend, "[recommend]"))
    if "opponent" in model:
        if recipe.train:
            key = next(iter(recipe.train))
            raise RecipeError(
                f'[train] {key} has no effect with [model] opponent = "{model["opponent"]}": it only counts.',
                hint="Remove it.",
            )
        return replace(recipe, model=model, recommend=recommend)
    loop, goal = _train_settings(recipe.train)
    train_table = {**asdict(goal), **asdict(loop)}
    known = {key: value for key, value in train_table.items() if value is not None}
    return replace(recipe, model=model, train=known, recommend=recommend)


def _train_settings(table: Mapping[str, Any]) -> tuple[LoopSettings, ObjectiveSettings]:
    goal_keys = ObjectiveSettings.__dataclass_fields__
    loop_keys = LoopSettings.__dataclass_fields__
    for key in table:
        if key not in goal_keys and key not in loop_keys:
            read_settings(_AllTrainKeys, {key: table[key]}, "[train]")  # raises, naming the nearest key
    loop = LoopSettings.from_table(table)
    goal = {key: value for key, value in table.items() if key in goal_keys}
    return loop, read_settings(ObjectiveSettings, goal, "[train]")


@dataclass(frozen=True)
class _AllTrainKeys(ObjectiveSettings, LoopSettings):
    """Both, for naming the nearest key in an error."""


def _with_validation(data: Events | Split) -> Split:
    """Where there is no validation part, cut the end off: by time where all times are known, else the last events."""
    if isinstance(data, Split) and (data.part == "validation").any():
        return data
    events = data.train if isinstance(data, Split) else data
    cut = split_by_time(events, test=0.1, validation=0) if events.times == "all" else split_leave_one_out(events)
    names = {"train": "train", "validation": "train", "test": "validation", "unused": "unused"}
    part = cut.part.cast(pl.String).replace_strict(names).cast(cut.part.dtype)
    if isinstance(data, Split):
        whole = data.part.scatter(np.flatnonzero(data.part == "train"), part)
        return replace(data, part=whole, validation_boundary=cut.boundary)
    return Split(events, part, cut.kind, boundary="", validation_boundary=cut.boundary, ties=cut.ties)


def _untrained(
    recipe: Recipe, split: Split, catalog: pl.DataFrame | None, seed: int, device: torch.device
) -> Recommender:
    """Everything but the weights."""
    known = split.train
    items = Vocabulary.of(known.frame[ITEM])
    behavior = split.events.frame[BEHAVIOR].dtype
    assert isinstance(behavior, pl.Enum)
    behaviors = tuple(behavior.categories.to_list())
    model = _model(recipe, len(items), len(behaviors), seed, device)
    fallback_name = "recent_popularity" if known.times == "all" else "popularity"
    fallback = make_opponent(fallback_name, {}).fit(Sequences.from_events(known, items, behaviors))
    repeats = repeat_share(known)
    seen = recipe.recommend["seen"]
    card = {
        "run": recipe.name,
        "seed": seed,
        "behaviors": list(behaviors),
        "items": len(items),
        "repeat_share": repeats,
        "include_seen": repeats >= SEEN_STAYS if seen == "auto" else seen == "include",
        "fallback": {"name": fallback_name, "settings": {}},
        "refit": False,
        "versions": _versions(),
    }
    return Recommender(
        model=model,
        fallback=fallback,
        sequences=Sequences.from_events(split.events, items, behaviors),
        recipe=recipe,
        include_seen=bool(card["include_seen"]),
        events=split.events,
        split=split,
        catalog=catalog,
        card=card,
        device=device,
    )


def _learn(recommender: Recommender, split: Split, seed: int, where: Options, progress: Progress) -> Trained:
    """Train on the fit part, validated by the very path that recommends."""
    model = recommender.model
    assert isinstance(model, Network)
    loop = LoopSettings.from_table(recommender.recipe.train)
    sequences = Sequences.from_events(split.fit, recommender.items, recommender.sequences.behaviors)
    cut = validation_cut(split, limit=loop.validation_requests, seed=seed)

    def validate() -> Mapping[str, float]:
        return quality(recommender, cut)

    if len(cut) == 0:
        progress.say("Nobody in the validation part has a history: nothing stops the training early.")
    return _fit(model, sequences, recommender.recipe, seed, where, progress, "search", validate if len(cut) else None)


def _relearn(
    recommender: Recommender, split: Split, trained: Trained, seed: int, where: Options, progress: Progress
) -> None:
    """A fresh network, on everything before the test, for the epochs that validation chose; the cost is added."""
    recipe, items, behaviors = recommender.recipe, recommender.items, recommender.sequences.behaviors
    progress.say(f"Learning again, from train and validation together: {trained.best_epoch} epochs.")
    network = _model(recipe, len(items), len(behaviors), seed, recommender.device)
    assert isinstance(network, Network)
    known = Sequences.from_events(split.train, items, behaviors)
    whole = replace(recipe, train={**recipe.train, "epochs": trained.best_epoch})
    again = _fit(network, known, whole, seed, where, progress, "relearn")
    recommender.model = network
    for figure in ("positions", "padding", "seconds", "cpu_seconds"):
        setattr(trained, figure, getattr(trained, figure) + getattr(again, figure))


def _model(recipe: Recipe, num_items: int, num_behaviors: int, seed: int, device: torch.device) -> Model:
    """The recipe's model as the seed begins it, on its device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = compose(recipe.model, num_items, num_behaviors)
    if isinstance(model, torch.nn.Module):
        model.to(device)
    return model


def _count(recommender: Recommender, split: Split, seed: int) -> None:
    """Fit an opponent as the run's own model; what its recipe leaves open is chosen on validation and written down.

    It is fitted twice: for the calibration on the fit part alone, as it would else be asked about what it counted.
    """
    given = recommender.recipe.model
    started = time.perf_counter(), time.process_time()
    table = {"opponent": given["opponent"], **choose(given["opponent"], given, recommender, split)}
    items, behaviors = recommender.items, recommender.sequences.behaviors
    recommender.model = make_opponent(given["opponent"], table).fit(Sequences.from_events(split.fit, items, behaviors))
    recommender.calibration = _calibrated(recommender, split, seed)
    recommender.model = make_opponent(given["opponent"], table).fit(
        Sequences.from_events(split.train, items, behaviors)
    )
    recommender.recipe = replace(recommender.recipe, model=table)
    seconds, cpu_seconds = time.perf_counter() - started[0], time.process_time() - started[1]
    recommender.card["training"] = _cost(Trained(seconds=seconds, cpu_seconds=cpu_seconds))


def _calibrated(recommender: Recommender, split: Split, seed: int) -> Calibration | None:
    return calibrate(recommender, validation_cut(split, limit=5_000, seed=seed), seed)


def _fit(
    network: Network,
    sequences: Sequences,
    recipe: Recipe,
    seed: int,
    where: Options,
    progress: Progress,
    phase: str,
    validate: Validate | None = None,
) -> Trained:
    loop, goal = _train_settings(recipe.train)
    count_I = torch.from_numpy(
        np.bincount(sequences.flat.item_N[sequences.flat.target_N], minlength=len(sequences.items) + 1)
    )
    objective = make_objective(network, goal.loss, goal.num_negatives, goal.negatives, count_I=count_I, seed=seed)
    objective.prepare(network, torch.tensor(sequences.flat.value_N))
    return train_network(
        network,
        objective,
        sequences,
        loop,
        validate=validate,
        seed=seed,
        progress=progress if where.tensorboard is None else Boarded(progress, where.tensorboard / phase),
        folder=None if where.folder is None else where.folder / phase,
        resume=where.resume,
        made_of=json.dumps([dict(recipe.model), asdict(goal)], sort_keys=True),
    )


def _cost(trained: Trained) -> dict[str, Any]:
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


def _versions() -> dict[str, str]:
    names = ("horae", "torch", "numpy", "polars")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}
