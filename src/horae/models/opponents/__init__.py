"""The opponents by name. Each is a file with a class and its settings; they are imported when asked for.

All score from the batch's history only, never from a user's id. All learn from target events (`session_knn` and the
left sides of `markov` from every event): what nobody wants recommended is history, but nothing to be counted.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from horae.errors import RecipeError
from horae.features.content.of_items import ItemContent
from horae.models.base import Opponent, Reading
from horae.recipe import settings

__all__ = ["OPPONENTS", "make_opponent", "settings_of", "variants"]

OPPONENTS: dict[str, tuple[str, str, str]] = {
    "popularity": ("popularity", "Popularity", "PopularitySettings"),
    "recent_popularity": ("recent_popularity", "RecentPopularity", "RecentPopularitySettings"),
    "new_popularity": ("new_popularity", "NewPopularity", "NewPopularitySettings"),
    "markov": ("markov", "Markov", "MarkovSettings"),
    "item_knn": ("item_knn", "ItemKNN", "ItemKNNSettings"),
    "user_knn": ("user_knn", "UserKNN", "UserKNNSettings"),
    "session_knn": ("session_knn", "SessionKNN", "SessionKNNSettings"),
    "ease": ("ease", "EASE", "EASESettings"),
    "ials": ("ials", "IALS", "IALSSettings"),
    "content_neighbours": ("content_neighbours", "ContentNeighbours", "ContentNeighboursSettings"),
}
"""Name in a recipe -> module, class, settings class."""

Table = Mapping[str, Any]


def settings_of(name: str) -> type[Any]:
    """The settings dataclass of an opponent.

    Raises:
        RecipeError: No opponent has that name.
    """
    module, _, settings_name = _entry(name)
    cls: type[Any] = _load(module, settings_name)
    return cls


def make_opponent(name: str, table: Table | None = None, content: ItemContent | None = None) -> Opponent:
    """An opponent that has yet to be fitted.

    Args:
        name: One of `OPPONENTS`.
        table: Its keys, as `[model]` has them; the key `opponent` itself may be among them.
        content: What the items say and show; for those that look at it.

    Raises:
        RecipeError: No opponent has that name, or it does not have such a key, type or value.
    """
    module, class_name, _ = _entry(name)
    keys = {key: value for key, value in (table or {}).items() if key != "opponent"}
    opponent: Opponent = _load(module, class_name)(settings(settings_of(name), keys, "[model]"))
    if content is not None and isinstance(opponent, Reading):
        opponent.read(content)
    return opponent


def variants(name: str, table: Table | None = None) -> list[dict[str, Any]]:
    """The tables to choose from on validation data: the given one, unless the opponent leaves something open.

    Only `recent_popularity` does, where the table names neither its window nor its half-life. The chosen table says
    everything, so it can be written into a resolved recipe.
    """
    given = dict(table or {})
    module, _, _ = _entry(name)
    if name != "recent_popularity":
        return [given]
    tables: list[dict[str, Any]] = _load(module, "variants")(given)
    return tables


def _entry(name: str) -> tuple[str, str, str]:
    if name not in OPPONENTS:
        close = difflib.get_close_matches(name, OPPONENTS, n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise RecipeError(f"There is no opponent {name!r}.", hint=f"{hint}Known: {', '.join(OPPONENTS)}.")
    return OPPONENTS[name]


def _load(module: str, attribute: str) -> Any:
    return getattr(import_module(f"{__name__}.{module}"), attribute)
