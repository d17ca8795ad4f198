"""What a training will hold in memory, and whether the machine has it: asked before anything is allocated.

In: a recipe, how many items and behaviors. Out: bytes, or an error that says what to lower. The figure is a floor: the
network's numbers, what is kept beside each of them, and about what a full batch keeps for its backward pass.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from horae.errors import RecipeError
from horae.features.content.batches import TOKENS
from horae.features.content.choosing import learning_encoder
from horae.features.content.of_items import ItemContent
from horae.features.content.weights import document, width_of
from horae.models.compose import compose
from horae.models.ensemble import member_recipes
from horae.recipe import Recipe

__all__ = ["bytes_needed", "bytes_there", "num_weights", "refuse_what_cannot_fit"]

COPIES = 5
"""Each parameter, its gradient, two moments of AdamW, and the best weights so far; their mean comes on top."""

ACTIVATIONS_PER_WIDTH = 40
"""Numbers kept per position, layer and unit of width for the backward pass: measured 25 to 40 for the encoders here."""


SCORES_KEPT = 2
"""Of each head's score for each earlier event: before and after the activation, where an encoder forms them."""

NEGATIVES_KEPT = 3
"""Logits of drawn items: as they are, masked, and beside the target's."""


def num_weights(recipe: Recipe, num_items: int, num_behaviors: int, content: ItemContent | None = None) -> int:
    """Numbers that the recipe's network learns; none is made."""
    with torch.device("meta"):
        model = compose(recipe.model, num_items, num_behaviors, content)
    assert isinstance(model, torch.nn.Module)
    return sum(parameter.numel() for parameter in model.parameters())


def bytes_needed(recipe: Recipe, num_items: int, num_behaviors: int, content: ItemContent | None = None) -> int:
    """At least so many bytes while the recipe's network is trained."""
    copies = COPIES + bool(recipe.train.get("average_steps"))
    weights = num_weights(recipe, num_items, num_behaviors, content)
    kept = _kept_numbers(recipe.model, recipe.train)
    return int(4 * (copies * weights + kept)) + (_texts_bytes(content) if content is not None else 0)


def _texts_bytes(content: ItemContent) -> int:
    """What an encoder of texts adds that is trained along: its own weights, and what one batch of texts keeps."""
    if not content.settings.lora:
        return 0
    folder = learning_encoder(content.settings.text).folder
    said = document(folder, "config.json")
    layers = next((int(said[name]) for name in ("num_hidden_layers", "n_layers", "n_layer") if name in said), 1)
    inside = ACTIVATIONS_PER_WIDTH * (width_of(said) or 0) * layers
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) + 4 * TOKENS * inside


def _kept_numbers(model: Mapping[str, Any], train: Mapping[str, Any]) -> float:
    """What one piece of a batch keeps for its backward pass, in numbers of four bytes."""
    positions = train.get("batch_tokens", 0) / train.get("accumulate", 1)
    layers, dim = model.get("num_layers", 1), int(model["dim"])
    inside = ACTIVATIONS_PER_WIDTH * dim
    if model["encoder"] == "hstu":
        inside += SCORES_KEPT * model.get("num_heads", 1) * model.get("max_len", 0)
    blocks = layers * dim + inside if train.get("checkpointing") else layers * inside
    half = 0.5 if train.get("encoder_precision") == "bfloat16" else 1.0
    drawn = NEGATIVES_KEPT * train.get("num_negatives", 0) if train.get("loss") in ("sampled_softmax", "gbce") else 0
    return float(positions * (half * blocks + drawn))


def bytes_there(device: torch.device) -> int:
    """Free memory of the device; the machine's own where that is a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(min(_machine_has(), _container_may()))


def _machine_has() -> int:
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")  # all there is, where nobody says what is free


def _container_may() -> float:
    """What a container's limit leaves; without one, no bound."""
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if not limit.exists() or not used.exists() or (most := limit.read_text().strip()) == "max":
        return math.inf
    return int(most) - int(used.read_text())


def refuse_what_cannot_fit(
    recipe: Recipe, num_items: int, num_behaviors: int, device: torch.device, content: ItemContent | None = None
) -> None:
    """Stop before the start; an opponent only counts and is let through. Members of an ensemble train in turn.

    Raises:
        RecipeError: The estimate is more than the free memory.
    """
    if "ensemble" in recipe.model:
        for member in member_recipes(recipe.model):
            refuse_what_cannot_fit(member, num_items, num_behaviors, device, content)
    if "encoder" not in recipe.model:
        return
    needed, there = bytes_needed(recipe, num_items, num_behaviors, content), bytes_there(device)
    if needed > there:
        fits = _affordable(recipe, num_items, num_behaviors, there, content)
        raise RecipeError(
            f"[model] dim = {recipe.model['dim']} with {num_items:,} items needs about {needed / 2**30:,.1f} GiB to "
            f"train; {there / 2**30:,.1f} GiB are free on {device}.",
            hint=f"Lower it: --set model.dim={fits}" if fits else "No dim would fit: --set data.min_item_events=5",
        )


def _affordable(recipe: Recipe, num_items: int, num_behaviors: int, there: int, content: ItemContent | None) -> int:
    """The largest dim that fits among the heads' powers of two, by the same estimate; 0: none."""
    heads = int(recipe.model.get("num_heads", 1))
    dim = heads << max(0, (int(recipe.model["dim"]) // heads).bit_length() - 1)
    while dim >= heads:
        smaller = replace(recipe, model={**recipe.model, "dim": dim})
        if bytes_needed(smaller, num_items, num_behaviors, content) <= there:
            return dim
        dim //= 2
    return 0
