"""Events and a recipe in, a trained recommender out (public as `horae.train`).

    split -> item vocabulary -> sequences -> model -> train on `fit`, stop by `validation` -> calibrate -> Recommender

Nothing here looks at a split's test events: they are only laid into the recommender's histories, where the place of a
request decides what it may see.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import torch

from horae.data.checks import repeat_share
from horae.data.split import Split, split_by_time, split_leave_one_out
from horae.data.stand_in import with_stand_in
from horae.errors import DataError
from horae.evaluation.forecasts.judge import calibrated_levels
from horae.evaluation.validation import validation_cut
from horae.features.content.of_items import ItemContent, content_of, refuse_without_catalog
from horae.features.content.settings import ContentSettings
from horae.models.compose import context_of
from horae.models.ensemble import Ensemble, member_recipes
from horae.models.opponents import make_opponent
from horae.recipe import Recipe, settings
from horae.recommend.by_profile import ByProfile
from horae.recommend.device import device_of
from horae.recommend.foretell import upcoming_of
from horae.recommend.recommender import Recommender
from horae.schema import BEHAVIOR, ITEM, Events
from horae.sequences.before import repeat_share as repeat_share_of
from horae.sequences.context import ContextColumns
from horae.sequences.history import Sequences, categories
from horae.sequences.prepared import PreparedLog
from horae.sequences.prepared_split import AnySplit, PreparedSplit, learned_from, split_prepared
from horae.sequences.vocabulary import Vocabulary
from horae.training.blend import learn_blend
from horae.training.check import check
from horae.training.choose import AUTO, Choice, asked, because_of, settled
from horae.training.fitting import calibrated, cost, finish, fit_again, model_of, search
from horae.training.learned_texts import keep_texts
from horae.training.members import log_of, together
from horae.training.memory import refuse_what_cannot_fit
from horae.training.options import Options
from horae.training.progress import progress_for
from horae.training.transfer import check_start

__all__ = ["Options", "check", "check_catalog", "content_in", "made_out", "refit", "sizes_of", "train", "untrained"]

SEEN_STAYS = 0.1
"""At this share of repeated items or more, `seen = "auto"` keeps items of the history in the lists."""


def train(
    data: Events | Split | PreparedLog | PreparedSplit,
    recipe: str | Path | Recipe = "sasrec",
    *,
    overrides: Iterable[str] = (),
    seed: int = 0,
    catalog: pl.DataFrame | None = None,
    profiles: pl.DataFrame | None = None,
    options: Options | None = None,
) -> Recommender:
    """Train a recommender.

    Args:
        data: Cleaned events, whose end is cut off for validation; or a split, whose own validation part is used (one
            is cut off its training part where it has none) and whose test part is not looked at. A prepared log, or
            such a log cut by `split_prepared`, is trained from where it lies on the disk; the run then has no events.
        recipe: A recipe's name, a TOML file, or a recipe; `auto` chooses one that suits the log, and the card says why.
        overrides: Settings such as `train.epochs=5`, over the recipe's.
        seed: Same data, recipe and seed: same weights (on the same machine and number of threads).
        catalog: Items' attributes by `item_id`; kept with the run, shown in reports.
        profiles: Users' attributes by `user_id`: what people of each kind turn to answers users without events. Counts
            by value are kept with the run, the table is not.
        options: Where and how it runs.

    Raises:
        RecipeError: An unknown key, a wrong type, an impossible value or a key without effect.
        DataError: No items in the log, or too few events to cut a validation part from; profiles of other people, or
            without an attribute that tells people apart; of a prepared log something
            that only the events can tell (`auto`, `[model] also`).
        NotTrainedError: The loss became infinite or exploded.
    """
    chosen, choice, split = made_out(data, recipe, overrides)
    where = options or Options()
    progress = where.progress or progress_for(None)
    device = device_of(where.device)
    content = content_in(chosen, split, catalog, where.start)
    refuse_what_cannot_fit(chosen, *sizes_of(split), device, content)
    recommender = untrained(chosen, split, catalog, seed, device, content)
    if profiles is not None:
        _look_at(recommender, split, profiles)
    recommender.shaper.check()
    if where.start is not None:
        recommender.card["started_from"] = where.start.card.get("run", where.start.recipe.name)
        progress.say(_taken_over(recommender, where.start))
    if choice is not None:
        recommender.card["chosen"] = choice.as_dict()
        progress.say(str(choice))
    if recommender.content is not None:
        progress.say(str(recommender.content))
    if recommender.card.get("context"):
        progress.say(str(recommender.sequences.context))
    trained = search(recommender, split, seed, where, progress)
    recommender.calibration = calibrated(recommender, split, seed)
    if chosen.recommend["strategy"] == "combined" and chosen.recommend["blend"] == "learned":
        recommender.card["blend"] = _blend(recommender, split, seed)
    if isinstance(split, Split) and upcoming_of(recommender) is not None:
        recommender.card["forecast"] = calibrated_levels(recommender, split, seed=seed).as_dict()
    finish(recommender, split, trained, seed, where, progress)
    keep_texts(recommender)
    recommender.card["training"] = cost(together(trained))
    if isinstance(recommender.model, Ensemble):
        recommender.card["training"]["members"] = [cost(one) for one in trained]
    if chosen.recommend["index"] == "approximate":
        recommender.card["index_recall@10"] = recommender.index_recall()
    recommender.log = log_of(trained)
    return recommender


def made_out(
    data: Events | Split | PreparedLog | PreparedSplit, recipe: str | Path | Recipe, overrides: Iterable[str]
) -> tuple[Recipe, Choice | None, AnySplit]:
    """The recipe in full, why it was chosen where it was, and the data with a validation part.

    Raises:
        RecipeError: As in `train`.
        DataError: As in `train`.
    """
    wanted = asked(recipe, overrides)
    if isinstance(data, PreparedLog | PreparedSplit):
        prepared = split_prepared(data, test=None) if isinstance(data, PreparedLog) else data
        return _for_prepared(wanted), None, prepared
    split = _with_validation(data)
    chosen, choice = settled(wanted, split)
    with because_of(choice):
        chosen = check(chosen)
    return chosen, choice, _with_items(split, chosen)


def refit(recommender: Recommender, *, options: Options | None = None) -> Recommender:
    """Train once more, on all events, for the epochs that validation chose; judged metrics stay on the card.

    Args:
        recommender: Trained on a split, and judged if it is to be.
        options: As for `train`.

    Raises:
        DataError: It holds no events, as one that was trained from a prepared log.
    """
    if recommender.split is None:
        raise DataError(
            "This recommender holds no events to learn again from.", hint="Train it anew, on a log in memory."
        )
    where = options or Options()
    seed = int(recommender.card["seed"])
    split = recommender.split
    everything = replace(
        split, part=pl.repeat("train", len(split.events), dtype=split.part.dtype, eager=True).alias("part")
    )
    content = content_in(recommender.recipe, everything, recommender.catalog, where.start)
    fresh = untrained(recommender.recipe, everything, recommender.catalog, seed, recommender.device, content)
    fit_again(fresh, recommender.card["training"], seed, where, where.progress or progress_for(None))
    keep_texts(fresh)
    card = {**recommender.card, "refit": True, "items": len(fresh.items)}
    card.pop("items_trained", None)
    if fresh.content is not None:
        card["content"] = fresh.content.as_dict()
    return replace(
        recommender,
        model=fresh.model,
        fallback=fresh.fallback,
        sequences=fresh.sequences,
        learned=fresh.learned,
        by_profile=_relearned(recommender, fresh, everything),
        content=fresh.content,
        card=card,
    )


def _look_at(recommender: Recommender, split: AnySplit, profiles: pl.DataFrame) -> None:
    """Learn what people of each kind turn to, from everything before the test."""
    recommender.by_profile = ByProfile.learned(profiles, learned_from(split, "train", recommender.sequences))
    recommender.profiles = profiles


def _relearned(recommender: Recommender, fresh: Recommender, everything: Split) -> ByProfile | None:
    """The same from everything, where the table is still at hand; else what was learned before stays."""
    if recommender.by_profile is None or recommender.profiles is None:
        return recommender.by_profile
    return ByProfile.learned(recommender.profiles, learned_from(everything, "train", fresh.sequences))


def _blend(recommender: Recommender, split: AnySplit, seed: int) -> dict[str, float]:
    """How much each part of the scores counts, by validation.

    Raises:
        DataError: A prepared log, or too few validation requests.
    """
    if isinstance(split, PreparedSplit):
        raise DataError("A blend is learned from events in memory.", hint="Declare it: [recommend] weights = {...}.")
    return learn_blend(recommender, split, validation_cut(split, limit=2_000, seed=seed), seed)


def _for_prepared(recipe: Recipe) -> Recipe:
    """The recipe checked; refused where it needs what only events in memory can tell.

    Raises:
        DataError: It is `auto`, or foretells more than items.
    """
    wants = "--recipe auto" if recipe.name == AUTO else "[model] also" if _asks_more(recipe) else ""
    if wants:
        raise DataError(
            f"{wants} is not possible on a prepared log: it looks at the events themselves.",
            hint="Name another recipe, such as sasrec; or give a part of the log that fits in memory.",
        )
    return check(recipe)


def _with_items(split: Split, recipe: Recipe) -> Split:
    """The split; of a log without items, for a recipe that foretells when and how much, with one that stands in."""
    if not split.events.has_items and _asks_more(recipe):
        return with_stand_in(split)
    if not split.events.has_items:
        raise DataError(
            "This log has no items, so there is nothing to recommend.",
            hint="Name the item column with --columns item_id=..., or train on when and how much alone: "
            "--recipe which-what-when.",
        )
    return split


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


def _asks_more(recipe: Recipe) -> bool:
    """Is anything asked but the item, of the model or of a member?"""
    members = member_recipes(recipe.model) if "ensemble" in recipe.model else [recipe]
    return any(one.model.get("also") for one in members)


def sizes_of(split: AnySplit) -> tuple[int, int]:
    """How many items and behaviors a model of this split has to know."""
    if isinstance(split, PreparedSplit):
        return len(split.log.sequences.items), len(split.log.sequences.behaviors)
    return split.train.frame[ITEM].drop_nulls().n_unique(), len(categories(split.events.frame[BEHAVIOR]))


def content_in(
    recipe: Recipe, split: AnySplit, catalog: pl.DataFrame | None, start: Recommender | None = None
) -> ItemContent | None:
    """What the items of a split say and show, as the recipe asks and as the run to start from has it.

    Raises:
        RecipeError: That run does not fit the recipe.
        DataError: There is no catalog, or it says nothing about any item.
    """
    if start is not None:
        check_start(recipe, start)
    wanted = settings(ContentSettings, recipe.content, "[content]")
    if not wanted.names_any:
        return None
    known = split.log.sequences.items if isinstance(split, PreparedSplit) else Vocabulary.of(split.train.frame[ITEM])
    return content_of(known, wanted, catalog, like=None if start is None else start.content)


def check_catalog(recipes: Iterable[Recipe], catalog: pl.DataFrame | None) -> None:
    """Refuse recipes that need a catalog where there is none, before any of them is trained.

    Raises:
        DataError: There is none.
    """
    for recipe in recipes:
        refuse_without_catalog(settings(ContentSettings, recipe.content, "[content]"), catalog)


def untrained(
    recipe: Recipe,
    split: AnySplit,
    catalog: pl.DataFrame | None,
    seed: int,
    device: torch.device,
    content: ItemContent | None = None,
) -> Recommender:
    """Everything but the weights."""
    if isinstance(split, PreparedSplit):
        items, behaviors = split.log.sequences.items, split.log.sequences.behaviors
        timed = not split.log.sequences.has_unknown_times
    else:
        known = split.train
        items, behaviors = Vocabulary.of(known.frame[ITEM]), categories(split.events.frame[BEHAVIOR])
        timed = known.times == "all"
    names = context_of(recipe.model, "context", "request_context")
    model = model_of(recipe, len(items), len(behaviors), seed, device, content)
    fallback_name = "recent_popularity" if timed else "popularity"
    if isinstance(split, PreparedSplit):
        events, whole, repeats = None, split.log.sequences, repeat_share_of(split.train)
    else:
        context = ContextColumns.learned(known, names)
        events, repeats = split.events, repeat_share(known)
        whole = Sequences.from_events(events, items, behaviors, context)
    fallback = make_opponent(fallback_name, {}).fit(learned_from(split, "train", whole))
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
    if content is not None:
        card["content"] = content.as_dict()
    if names:
        card["context"] = whole.context.as_dict()
    if isinstance(split, PreparedSplit):
        card["data_report"] = split.log.report.as_dict()
    return Recommender(
        model=model,
        fallback=fallback,
        sequences=whole,
        recipe=recipe,
        include_seen=bool(card["include_seen"]),
        events=events,
        split=None if isinstance(split, PreparedSplit) else split,
        catalog=catalog,
        content=content,
        card=card,
        device=device,
    )


def _taken_over(recommender: Recommender, start: Recommender) -> str:
    both = int((start.items.indices(recommender.items.all) > 0).sum())
    name = start.card.get("run", start.recipe.name)
    return f"Starting from {name}: {both:,} of {len(recommender.items):,} items are known there."


def _versions() -> dict[str, str]:
    names = ("horae", "torch", "numpy", "polars")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}
