"""The keys of `[train]` that say what is learned, and a recipe with every default filled in, its errors found.

In: a recipe as written. Out: one in which every key has a value and an effect. The loop's own keys are the loop's; this
module knows no data.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from horae.errors import RecipeError
from horae.features.content.settings import ContentSettings
from horae.models.compose import looks_both_ways, reads_content, resolved
from horae.models.encoders import ENCODERS
from horae.models.ensemble import as_table, member_recipes
from horae.models.upcoming.heads import QUESTIONS
from horae.recipe import Recipe
from horae.recipe import settings as read_settings
from horae.recommend.recommender import RecommendSettings
from horae.training.joint import check_weights
from horae.training.loop import LoopSettings
from horae.training.objectives import LossName, NegativesName, check_objective

__all__ = ["DRAWING", "ObjectiveSettings", "filled", "train_settings"]

RENAMED = {f"{name}_weight": f"head_weights = {{{name} = 1.0}}" for name in QUESTIONS}
"""Keys of `[train]` that there were, and what is written now."""

DRAWING = ("sampled_softmax", "binary", "gbce")
"""Losses that look at the drawn items' rows alone."""


@dataclass(frozen=True)
class ObjectiveSettings:
    """The keys of `[train]` that say what is learned; the others are the loop's."""

    loss: LossName = field(
        default="softmax",
        metadata={
            "doc": "`softmax` over all items, `sampled_softmax`, `binary`, `gbce`; `mean_squared_error` for values."
        },
    )
    num_negatives: int | None = field(
        default=None, metadata={"doc": "Negatives drawn: 256, but 1 for `binary`, where left out."}
    )
    negatives: NegativesName | None = field(
        default=None, metadata={"doc": "How they are drawn: `uniform` where left out, or by `popularity`."}
    )
    popularity_power: float | None = field(
        default=None,
        metadata={"doc": "`popularity`: counts are raised to it; 0.75 where left out, 0 is uniform, 1 the counts."},
    )
    calibration: float | None = field(
        default=None,
        metadata={
            "doc": "`gbce`: 0 is binary cross entropy, 1 makes scores as sure as if all items had been negatives; "
            "0.75 where left out."
        },
    )
    item_rows: Literal["auto", "all", "touched"] = field(
        default="auto",
        metadata={
            "doc": "Which rows of the item table a step moves: `all`, or those `touched` by it, which a loss with "
            "drawn negatives allows. `auto`: touched in tables of 100,000 items or more."
        },
    )
    item_start: Literal["auto", "random", "neighbours"] = field(
        default="auto",
        metadata={
            "doc": "Item vectors to begin with: drawn at `random`, or such that items near each other in histories are "
            "`neighbours` from the start. `auto`: neighbours unless values are foretold, in logs of 10 million "
            "events or fewer."
        },
    )
    target_weights: dict[str, float] = field(
        default_factory=dict,
        metadata={
            "doc": "What a target counts in the loss, by its behavior: {purchase = 5.0}; 1 where not named, 0 for "
            'nothing. For next items; with `head = "pair"`, what a behavior\'s probability counts in the score.'
        },
    )
    pretrain_epochs: int = field(
        default=0,
        metadata={
            "doc": "Before the training proper: passes in which hidden items, and attributes, are guessed from both "
            "sides. For encoders that can look both ways, and next items."
        },
    )
    pretrain_attributes: tuple[str, ...] = field(
        default=(),
        metadata={"doc": "Columns of the catalog whose values are guessed then, such as `categories` (`A>B|A>C`)."},
    )
    impression_negatives: int = field(
        default=0,
        metadata={
            "doc": "How many of the items that were shown before a target and not taken, newest first, are negatives "
            "of it beside the drawn ones. For next items, in logs that say it (`horae data convert --impressions`)."
        },
    )
    l1: float = field(default=0.0, metadata={"doc": "Weight of the absolute sum of the encoder's weights."})
    precision: Literal["auto", "float32", "bfloat16"] = field(
        default="auto",
        metadata={
            "doc": "Of the full softmax's products; sums stay float32. `auto` is bfloat16 where the processor "
            "multiplies it and the catalog has 1,000 items or more."
        },
    )
    task_weights: Literal["fixed", "uncertainty"] | None = field(
        default=None,
        metadata={
            "doc": "How the losses of `[model] also` are added to the item's: each times its `fixed` weight (where "
            "left out), or by weights that are learned, the less the more `uncertainty` a task has."
        },
    )
    head_weights: dict[str, float] | None = field(
        default=None,
        metadata={
            "doc": "`fixed`: what the loss of each head of `[model] also` counts against the item's, which counts 1: "
            "{time = 0.5}; 1 where not named."
        },
    )


def filled(recipe: Recipe) -> Recipe:
    """Check every key of `[model]`, `[train]` and `[recommend]`, and fill in the defaults.

    Raises:
        RecipeError: As in `train`.
    """
    listed = asdict(read_settings(RecommendSettings, recipe.recommend, "[recommend]"))
    recommend = {key: list(value) if isinstance(value, tuple) else value for key, value in listed.items()}
    model = resolved(recipe.model)
    recipe = replace(recipe, content=_filled_content(recipe.content, model))
    _check_texts(recipe.content, model)
    if recommend["index"] == "approximate" and "encoder" not in model:
        raise RecipeError(
            '[recommend] index = "approximate" has no effect: only networks have item vectors to search.',
            hint="Remove it, or choose a network.",
        )
    if recommend["index"] == "approximate" and model.get("head") == "pair":
        raise RecipeError(
            '[recommend] index = "approximate" is not possible with [model] head = "pair": no dot product orders items '
            "as its dense layer does.",
            hint='Remove it, or choose head = "next_item".',
        )
    if "ensemble" in model:
        return replace(recipe, model=_filled_members(model, recipe), train={}, recommend=recommend)
    if "opponent" in model:
        if recipe.train:
            key = next(iter(recipe.train))
            raise RecipeError(
                f'[train] {key} has no effect with [model] opponent = "{model["opponent"]}": it only counts.',
                hint="Remove it.",
            )
        return replace(recipe, model=model, recommend=recommend)
    loop, goal = train_settings(recipe.train)
    check_objective(
        model["head"],
        goal.loss,
        goal.num_negatives,
        goal.negatives,
        goal.calibration,
        goal.popularity_power,
        goal.l1,
    )
    if goal.target_weights and model["head"] == "value":
        raise RecipeError(
            f'[train] target_weights has no effect with [model] head = "{model["head"]}".', hint="Remove it."
        )
    if recipe.data.get("weak_labels") and model["head"] != "next_item":
        raise RecipeError(
            f'[data] weak_labels has no effect with [model] head = "{model["head"]}": only next items count in part.',
            hint='Remove it, or choose head = "next_item". [data] skips goes with every head.',
        )
    if goal.impression_negatives and model["head"] != "next_item":
        raise RecipeError(
            f'[train] impression_negatives has no effect with [model] head = "{model["head"]}".', hint="Remove it."
        )
    if loop.checkpointing:
        _check_blocks(model["encoder"])
    _check_pretraining(goal, model)
    check_weights(model.get("also", ()), goal.task_weights, goal.head_weights or {})
    train_table = {**asdict(goal), **asdict(loop), "pretrain_attributes": list(goal.pretrain_attributes)}
    for key in () if goal.pretrain_epochs else ("pretrain_epochs", "pretrain_attributes"):
        del train_table[key]
    known = {key: value for key, value in train_table.items() if value is not None}
    return replace(recipe, model=model, train=known, recommend=recommend)


def _check_pretraining(goal: ObjectiveSettings, model: Mapping[str, Any]) -> None:
    """Refuse a pre-training that could not be, or a key of it without the other."""
    if goal.pretrain_epochs < 0 or bool(goal.pretrain_epochs) != bool(goal.pretrain_attributes):
        raise RecipeError(
            f"[train] pretrain_epochs = {goal.pretrain_epochs} with pretrain_attributes = "
            f"{list(goal.pretrain_attributes)}: each needs the other.",
            hint='Write pretrain_epochs = 10 and pretrain_attributes = ["categories"], or neither.',
        )
    able = looks_both_ways(model) and model["framing"] == "next" and model["head"] == "next_item"
    if goal.pretrain_epochs and not able:
        raise RecipeError(
            '[train] pretrain_epochs needs an encoder that can look both ways, framing = "next" and '
            'head = "next_item".',
            hint='Remove it, or choose encoder = "transformer".',
        )


def _filled_content(table: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """`[content]` with every default, or empty where a recipe names no content."""
    content = read_settings(ContentSettings, table, "[content]")
    if not content.names_any:
        if table:
            raise RecipeError(
                f"[content] {next(iter(table))} has no effect: no text, attributes, image or vectors are named.",
                hint='Write text = "auto".',
            )
        if reads_content(model):
            raise RecipeError(
                "[model] looks at what items say, and [content] does not say where that comes from.",
                hint='Write [content] text = "auto" and give a catalog.',
            )
        return {}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(content).items()}


def _check_texts(content: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Refuse an encoder to be trained with what does not train it."""
    if not content.get("lora"):
        return
    if "ensemble" in model:
        raise RecipeError(
            "[content] lora is not possible with an ensemble: its members share what is known of items.",
            hint="Train the network alone, or write lora = 0.",
        )
    if "encoder" not in model or model.get("fusion", "ids") == "ids":
        raise RecipeError(
            f"[content] lora = {content['lora']} has no effect: only a network whose items are made of texts trains "
            "their encoder.",
            hint='Write [model] fusion = "sum", choose recipe text-sasrec, or write lora = 0.',
        )


def _check_blocks(encoder: str) -> None:
    able = [name for name, (module, cls, _) in ENCODERS.items() if _recomputes(module, cls)]
    if encoder not in able:
        raise RecipeError(
            f'[train] checkpointing has no effect with encoder = "{encoder}": it has no blocks.',
            hint=f"Remove it, or choose encoder from {', '.join(able)}.",
        )


def _recomputes(module: str, cls: str) -> bool:
    return getattr(getattr(importlib.import_module(module), cls), "recomputes", False)


def _filled_members(model: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Members written out, defaults filled in; the `[train]` of the ensemble goes over that of each network.

    Its `[content]` is that of all.
    """
    members, train = member_recipes(model), recipe.train
    if train and not any("encoder" in member.model for member in members):
        raise RecipeError(
            f"[train] {next(iter(train))} has no effect: no member of the ensemble is a network.", hint="Remove it."
        )
    over = [train if "encoder" in member.model else {} for member in members]
    whole = [
        replace(one, train={**one.train, **mine}, content=recipe.content)
        for one, mine in zip(members, over, strict=True)
    ]
    return {"ensemble": [as_table(filled(member)) for member in whole]}


def train_settings(table: Mapping[str, Any]) -> tuple[LoopSettings, ObjectiveSettings]:
    """The two parts of a `[train]` table.

    Raises:
        RecipeError: An unknown key, a wrong type, an impossible value or a key without effect.
    """
    goal_keys = ObjectiveSettings.__dataclass_fields__
    loop_keys = LoopSettings.__dataclass_fields__
    for key in table:
        if key in RENAMED:
            raise RecipeError(f"[train] has no key {key!r}: it is called otherwise now.", hint=f"Write {RENAMED[key]}.")
        if key not in goal_keys and key not in loop_keys:
            read_settings(_AllTrainKeys, {key: table[key]}, "[train]")  # raises, naming the nearest key
    loop = LoopSettings.from_table(table)
    goal = read_settings(ObjectiveSettings, {k: v for k, v in table.items() if k in goal_keys}, "[train]")
    for behavior, weight in goal.target_weights.items():
        if not 0 <= weight < math.inf:
            raise RecipeError(
                f"[train] target_weights.{behavior} = {weight}: expected 0 or more.", hint="0 leaves it out."
            )
    if goal.impression_negatives < 0:
        raise RecipeError(
            f"[train] impression_negatives = {goal.impression_negatives}: expected 0 or more.", hint="4 is a start."
        )
    if goal.impression_negatives and goal.loss not in DRAWING:
        raise RecipeError(
            f'[train] impression_negatives has no effect with loss = "{goal.loss}".',
            hint=f"Remove it, or choose loss from {', '.join(DRAWING)}.",
        )
    if goal.precision != "auto" and goal.loss != "softmax":
        raise RecipeError(f'[train] precision has no effect with loss = "{goal.loss}".', hint="Remove precision.")
    if goal.item_rows == "touched" and goal.loss not in DRAWING:
        raise RecipeError(
            f'[train] item_rows = "touched" is not possible with loss = "{goal.loss}", which looks at every item.',
            hint=f"Remove it, or choose loss from {', '.join(DRAWING)}.",
        )
    return loop, goal


@dataclass(frozen=True)
class _AllTrainKeys(ObjectiveSettings, LoopSettings):
    """Both, for naming the nearest key in an error."""
