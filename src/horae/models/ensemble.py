"""Several models that answer as one: the mean of their scores, each made comparable first.

In: a `SequenceBatch`. Out: scores of all items. A member may be a network or an opponent. An ensemble has no item
vectors and no last state, since what it takes a mean of is known only when all items of a request are scored: it always
scores densely, and whatever searches a large catalog by dot product has nothing to take hold of. This module does not
know how members are trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Self

import torch
from torch import Tensor, nn

from horae.errors import RecipeError, RunError
from horae.features.content.of_items import ItemContent
from horae.models.base import Following, Growing, Model
from horae.recipe import Recipe, Table, load_recipe
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Sequences

__all__ = ["Ensemble", "as_table", "member_recipes", "newest", "standardised"]

WHOLE = ("recipe", "model", "train")
"""Keys of a member that is written out in full."""


class Ensemble(nn.Module):
    """`score(i) = mean over members m of (s_m(i) - mean_j s_m(j)) / sd_j s_m(j)`, j over all items, request by request.

    Args:
        members: At least one.
        num_items: I; opponents that have yet to be fitted cannot say it.

    Source: Lee 1997 (SIGIR, doi:10.1145/258525.258587) for the mean of normalised scores; z-scores as in Montague &
        Aslam 2001 (CIKM, doi:10.1145/502585.502657).
    Differs: a member to whom all items are alike says nothing about any.
    """

    def __init__(self, members: Sequence[Model], num_items: int) -> None:
        super().__init__()
        assert members
        self.members = list(members)
        self.networks = nn.ModuleList(member for member in members if isinstance(member, nn.Module))
        self.num_items = num_items
        looks = [member.max_len for member in members]
        self.max_len = None if None in looks else max(look for look in looks if look is not None)

    def score(self, batch: SequenceBatch, items_N: Tensor | None = None) -> Tensor:
        """See `Model.score`; chosen items cost as much as all."""
        total_BI = _of_member(self.members[0], batch)
        for member in self.members[1:]:
            total_BI += _of_member(member, batch)
        total_BI /= len(self.members)
        total_BI[:, 0] = -torch.inf
        return total_BI if items_N is None else total_BI[:, items_N]

    def following(self, sequences: Sequences) -> Ensemble:
        """See `Following`: those of the members that do."""
        members = [one.following(sequences) if isinstance(one, Following) else one for one in self.members]
        return self if members == self.members else Ensemble(members, self.num_items).train(self.training)

    def note(self, item: int, time: float) -> None:
        """See `Following`."""
        for member in self.members:
            if isinstance(member, Following):
                member.note(item, time)

    def grow(self, num: int, content: ItemContent | None = None, trained: int | None = None) -> None:
        """See `Growing`: every member does."""
        for member in self.members:
            assert isinstance(member, Growing)
            member.grow(num, content, trained)
        self.num_items += num

    def arrays(self) -> dict[str, Tensor]:
        """The members' arrays, under their numbers."""
        numbered = enumerate(self.members)
        return {f"{number}.{name}": array for number, one in numbered for name, array in one.arrays().items()}

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """The inverse of `arrays`.

        Raises:
            RunError: Arrays of other members, or of members of another shape.
        """
        apart: dict[str, dict[str, Tensor]] = {str(number): {} for number in range(len(self.members))}
        for key, array in arrays.items():
            number, _, name = key.partition(".")
            if number not in apart:
                raise RunError(
                    f"The weights do not fit the recipe: {len(self.members)} members, but an array {key!r}.",
                    hint="The run folder mixes files of different runs; train again, or restore the folder.",
                )
            apart[number][name] = array
        for member, own in zip(self.members, apart.values(), strict=True):
            member.load_arrays(own, num_items)
        self.num_items = num_items
        return self


def standardised(score_BI: Tensor) -> Tensor:
    """Scores with mean 0 and standard deviation 1 over the items of each request, in place; 0 where all are alike.

    Shape:
        score_BI: column 0 takes no part and is 0 afterwards.
    """
    items_BI = score_BI[:, 1:]
    sd_B1, mean_B1 = torch.std_mean(items_BI, dim=1, correction=0, keepdim=True)
    alike_B1 = items_BI.amax(1, keepdim=True) == items_BI.amin(1, keepdim=True)
    items_BI.sub_(mean_B1).div_(sd_B1.masked_fill(alike_B1, 1.0)).masked_fill_(alike_B1, 0.0)
    score_BI[:, 0] = 0.0
    return score_BI


def newest(batch: SequenceBatch, max_len: int | None) -> SequenceBatch:
    """The same requests, asked from their newest `max_len` events only; None: from all."""
    width = batch.item_BL.shape[1]
    if max_len is None or width <= max_len:
        return batch
    first_B1 = (batch.length_B - max_len).clamp(min=0)[:, None]
    index_BL = first_B1 + torch.arange(max_len, device=first_B1.device)
    row_B1 = torch.arange(len(batch), device=first_B1.device)[:, None]
    cut = {f.name: getattr(batch, f.name)[row_B1, index_BL] for f in fields(batch) if f.name != "length_B"}
    return SequenceBatch(**cut, length_B=batch.length_B.clamp(max=max_len))


def member_recipes(table: Table) -> list[Recipe]:
    """The recipes that `[model] ensemble` lists: by name, by path, or written out with their `[model]` and `[train]`.

    Raises:
        RecipeError: No list, an unknown member, an ensemble as a member, or a key beside `ensemble`.
    """
    for key in table:
        if key != "ensemble":
            raise RecipeError(
                f"[model] {key} has no effect with ensemble.", hint=f"Write {key} into the recipe of a member."
            )
    given = table["ensemble"]
    if not isinstance(given, list | tuple) or not given:
        raise RecipeError(
            f"[model] ensemble = {given!r}: expected a list of recipes.",
            hint='Write ensemble = ["sasrec", "item-knn"].',
        )
    return [_member(one) for one in given]


def as_table(member: Recipe) -> dict[str, Any]:
    """A member written out; the inverse of what `member_recipes` does with one."""
    return {"recipe": member.name, "model": dict(member.model), "train": dict(member.train)}


def _member(given: Any) -> Recipe:
    if isinstance(given, str):
        recipe = load_recipe(given)
    elif isinstance(given, Mapping) and "model" in given and set(given) <= set(WHOLE):
        recipe = Recipe(str(given.get("recipe", "member")), model=given["model"], train=given.get("train", {}))
    else:
        raise RecipeError(
            f"[model] ensemble has the member {given!r}: expected a recipe.",
            hint=f"Give a recipe's name, the path of a .toml file, or a table of {', '.join(WHOLE)}.",
        )
    if "ensemble" in recipe.model:
        raise RecipeError(
            f"[model] ensemble has the member {recipe.name!r}, itself an ensemble.", hint="List its members instead."
        )
    for name in ("data", "recommend"):
        if getattr(recipe, name):
            raise RecipeError(
                f"[{name}] of {recipe.name!r} has no effect as a member of an ensemble.",
                hint=f"Write [{name}] into the ensemble's recipe, and the member without it.",
            )
    return recipe


def _of_member(member: Model, batch: SequenceBatch) -> Tensor:
    return standardised(member.score(newest(batch, member.max_len)))
