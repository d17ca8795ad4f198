"""A recipe in, the same with every default out: whatever is wrong in any of its tables is found here, before any work.

The table `[tune]` is checked wherever a recipe is, though only a search uses it: who mistypes a range learns it at
once. This module knows no data; what only a log can tell (a behavior that it does not have) is found later.
"""

from __future__ import annotations

from horae.models.ensemble import member_recipes
from horae.recipe import Recipe
from horae.training.settings import filled
from horae.training.tuning.ranges import ranges_of

__all__ = ["check"]


def check(recipe: Recipe) -> Recipe:
    """Check every key of `[model]`, `[train]`, `[recommend]` and `[tune]`, and fill in the defaults.

    Raises:
        RecipeError: An unknown key, a wrong type, an impossible value, a key without effect, or such a range.
    """
    whole = filled(recipe)
    for one in (recipe, *(member_recipes(recipe.model) if "ensemble" in recipe.model else ())):
        if one.tune:
            ranges_of(one)
    return whole
