"""What a network takes over from one that was trained before: on an older log, on another one, on more people.

In: a network that has not learned yet, and a trained recommender. Out: the same network, with every weight that means
the same in both: all that is not an item's own, and the own part of items that both know by the same id. With items
made of their content alone, two logs need not share an id. This module does not know training or files.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from horae.errors import RecipeError
from horae.models.network import Network
from horae.recipe import Recipe
from horae.recommend.recommender import Recommender
from horae.sequences.history import Sequences

__all__ = ["check_start", "take_over"]

OWN_ROWS = ("items.weight", "items.ids.weight", "head.bias_I")
"""Arrays with a row for each item."""
BY_BEHAVIOR = ("behavior_vectors",)
"""Arrays with a row for each behavior."""
FREE = {"max_len", "dropout", "dropout_kind", "time_dropout", "context_dropout", "id_dropout", "id_bound"}
"""Keys of `[model]` that may differ: no array has their shape."""
SUMS = {"content", "sum"}
"""Ways of fusing that differ in the ids' part alone: what items say may be learned in one log, their ids in another."""


def check_start(recipe: Recipe, start: Recommender) -> None:
    """Is there something to take over?

    Raises:
        RecipeError: Either is no network of its own, or their `[model]` tables differ in what shapes the weights.
    """
    if not isinstance(start.model, Network) or "encoder" not in recipe.model:
        raise RecipeError(
            f"A training can start from a network only; {start.recipe.name} and {recipe.name} are not both one.",
            hint="Choose recipes such as sasrec or content-only for both.",
        )
    old, new = start.recipe.model, recipe.model
    free = FREE | ({"fusion"} if {old.get("fusion"), new.get("fusion")} <= SUMS else set())
    differing = [key for key in (*old, *new) if key not in free and old.get(key) != new.get(key)]
    if differing:
        key = differing[0]
        raise RecipeError(
            f"[model] {key} = {new.get(key)!r} here, {old.get(key)!r} in the run to start from.",
            hint="Its weights do not fit. Use that run's recipe: give its recipe.toml as --recipe.",
        )
    learned = None if start.content is None else start.content.adapter
    rank = recipe.content.get("lora", 0)
    if learned is not None and rank not in (0, learned.rank):
        raise RecipeError(
            f"[content] lora = {rank} here, {learned.rank} in the run to start from.",
            hint=f"Write lora = {learned.rank} to train its encoder further, or 0 to leave it as that run has it.",
        )


def take_over(network: Network, sequences: Sequences, start: Recommender) -> int:
    """Copy what means the same.

    Returns:
        How many items both know.
    """
    assert isinstance(start.model, Network)
    old = start.model.arrays()
    mine = network.arrays()
    index_I = np.zeros(sequences.num_items + 1, dtype=np.int64)
    index_I[1:] = start.items.indices(sequences.items.all)
    shared_I = torch.from_numpy(index_I > 0)
    behaviors = start.sequences.behaviors == sequences.behaviors
    for name, array in mine.items():
        if name in OWN_ROWS and name in old:
            mine[name] = _by_item(array, old[name], index_I, shared_I)
        elif name in old and old[name].shape == array.shape and (behaviors or name not in BY_BEHAVIOR):
            mine[name] = old[name].to(array.device)
    network.load_arrays(mine, sequences.num_items)
    return int(shared_I.sum())


def _by_item(array: Tensor, old: Tensor, index_I: np.ndarray, shared_I: Tensor) -> Tensor:
    """Rows of items that both know, by their ids; the others as they were drawn."""
    moved = old.to(array.device)[torch.from_numpy(index_I).to(array.device)]
    there_I = shared_I.to(array.device).reshape(-1, *[1] * (array.dim() - 1))
    return torch.where(there_I, moved, array)
