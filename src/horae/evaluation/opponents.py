"""The simple methods that stand beside every network, each frozen at the same boundary as the network.

In: a recommender and its split. Out: one recommender per opponent, over the same histories and the same items, or the
reason why there is none. Windows are chosen on validation; then everybody is fitted on all that is known before the
test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from horae.data.split import Split
from horae.errors import HoraeError
from horae.evaluation.validation import quality, validation_cut
from horae.models.base import Model
from horae.models.opponents import OPPONENTS, make_opponent, variants
from horae.models.opponents.recent_popularity import RecentPopularity
from horae.recipe import Recipe
from horae.recommend.recommender import Recommender
from horae.recommend.strategy.settings import without_rerank
from horae.sequences.prepared_split import AnySplit, learned_from

__all__ = ["LIVE", "STANDING", "WITHOUT", "choose", "opponents_of", "to_strangers", "without_language_model"]

LIVE = "recent_popularity_live"
READS = "content_neighbours"
STANDING = (*(name for name in OPPONENTS if name != "new_popularity"), LIVE)
"""Who stands beside every run. An item table made before the test holds nothing new to `new_popularity`; the cold
protocol gives it one that does."""
WITHOUT = "without_rerank"
CHOOSES = "ndcg@10"


def opponents_of(
    recommender: Recommender, split: Split, names: Iterable[str] | None = None
) -> dict[str, Recommender | str]:
    """Fit the opponents of a recommender, `STANDING` unless named. A text instead says why one is not there."""
    known = learned_from(split, "train", recommender.sequences)
    beside: dict[str, Recommender | str] = {}
    chosen: dict[str, dict[str, Any]] = {}
    for name in names if names is not None else STANDING:
        kind = "recent_popularity" if name == LIVE else name
        if kind == READS and recommender.content is None:
            if names is not None:
                beside[name] = "It needs to know what items say: [content] text, and a catalog."
            continue
        try:
            if kind not in chosen:
                chosen[kind] = choose(kind, {}, recommender, split)
            model: Model = make_opponent(kind, chosen[kind], recommender.content).fit(known)
            if name == LIVE:
                assert isinstance(model, RecentPopularity)
                model = model.live(recommender.sequences)
        except HoraeError as error:
            beside[name] = error.message
            continue
        recommend = without_rerank(recommender.recipe.recommend)  # asking costs, and the question is whether it pays
        recipe = Recipe(name, model={"opponent": kind, **chosen[kind]}, recommend=recommend)
        beside[name] = replace(recommender, model=model, recipe=recipe, calibration=None, card={}, log=[])
    if names is None and recommender.recipe.recommend.get("rerank", "none") != "none":
        beside[WITHOUT] = without_language_model(recommender)
    return beside


def without_language_model(recommender: Recommender) -> Recommender:
    """The same, its lists as they are before a language model puts them in order; itself where none does."""
    recipe = recommender.recipe
    if recipe.recommend.get("rerank", "none") == "none":
        return recommender
    return replace(recommender, recipe=replace(recipe, recommend=without_rerank(recipe.recommend)))


def to_strangers(opponent: Recommender) -> Recommender:
    """The same method for people without a history: what counts alone needs no fallback."""
    return replace(opponent, fallback=opponent.model, by_profile=None, profiles=None)


def choose(name: str, table: Mapping[str, Any], recommender: Recommender, split: AnySplit) -> dict[str, Any]:
    """What an opponent leaves open (a window, a decay), chosen by validation NDCG@10; fitted on the fit part alone.

    Where nothing can be validated, it stays open: the opponent's own defaults hold.
    """
    tables = variants(name, table)
    if len(tables) == 1 or (isinstance(split, Split) and not (split.part == "validation").any()):
        return dict(table)
    cut = validation_cut(split, limit=2_000, seed=0)
    if len(cut) == 0:
        return dict(table)
    sequences = learned_from(split, "fit", recommender.sequences)

    def reached(candidate: Mapping[str, Any]) -> float:
        model = make_opponent(name, candidate, recommender.content).fit(sequences)
        return quality(replace(recommender, model=model), cut)[CHOOSES]

    return max(tables, key=reached)  # the first of equals
