"""Recipes in, one honest table out (public as `horae.compare`): the same split, the same requests, the same seed.

With `folds`, the comparison is repeated over several time windows: does the order of the recipes hold over time?
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import polars as pl

from horae.data.split import Split, split_by_time, split_rolling
from horae.errors import RecipeError
from horae.evaluation.protocol import Evaluation, evaluate
from horae.models.opponents import settings_of
from horae.recipe import Recipe
from horae.recommend.recommender import Recommender
from horae.schema import Events
from horae.training.choose import Choice, asked, because_of, settled
from horae.training.progress import progress_for
from horae.training.train import Options, check, check_catalog, train

__all__ = ["Comparison", "compare"]

RANKS_BY = "ndcg@10"
SHOWN = ("ndcg@10", "recall@10", "mrr@10", "coverage@10")


@dataclass(frozen=True)
class Fold:
    """One split's table.

    Attributes:
        boundary: Where its test begins.
        evaluations: By recipe; each but the best is compared, pair by pair, with the best.
        best: The recipe with the highest NDCG@10.
        behind: For each other recipe: best minus it, per metric, with intervals.
        seconds: Training time by recipe.
    """

    boundary: str
    evaluations: dict[str, Evaluation]
    best: str
    behind: dict[str, dict[str, Any]]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """Recipes, best first, over one split or several.

    Attributes:
        split: Its kind.
        folds: A table for each.
        choice: What `auto` took, and why; None where it was not asked.
    """

    split: str
    folds: list[Fold] = field(default_factory=list)
    choice: Choice | None = None

    @property
    def order(self) -> list[str]:
        """Recipes by mean NDCG@10 over the folds, best first."""
        names = list(self.folds[0].evaluations)
        return sorted(names, key=lambda name: (-self._mean(name, RANKS_BY), name))

    def as_dict(self) -> dict[str, Any]:
        """The document of `horae compare --json`."""
        return {
            "split": self.split,
            "order": self.order,
            "mean": {name: {metric: self._mean(name, metric) for metric in SHOWN} for name in self.order},
            "spread": {name: self._spread(name) for name in self.order},
            "chosen": None if self.choice is None else self.choice.as_dict(),
            "folds": [
                {
                    "boundary": fold.boundary,
                    "best": fold.best,
                    "recipes": {name: one.as_dict() for name, one in fold.evaluations.items()},
                    "behind": fold.behind,
                    "train_seconds": fold.seconds,
                }
                for fold in self.folds
            ],
        }

    def __str__(self) -> str:
        lines = [f"{'recipe':<20} {'ndcg@10':>8} {'recall@10':>10} {'coverage@10':>12} {'behind the best':>24}"]
        for name in self.order:
            means = (self._mean(name, metric) for metric in ("ndcg@10", "recall@10", "coverage@10"))
            ndcg, recall, coverage = means
            lines.append(f"{name:<20} {ndcg:>8.4f} {recall:>10.4f} {coverage:>12.4f} {self._behind(name):>24}")
        if any(" *" in line for line in lines):
            lines.append("* ahead of it, as the whole interval says.")
        if len(self.folds) > 1:
            lines.append(f"Means over {len(self.folds)} folds; the order is by {RANKS_BY}.")
        return "\n".join(lines)

    def _mean(self, name: str, metric: str) -> float:
        return float(np.mean([_mean(fold.evaluations[name], metric) for fold in self.folds]))

    def _spread(self, name: str) -> float:
        """Standard deviation of NDCG@10 over the folds."""
        return float(np.std([_mean(fold.evaluations[name], RANKS_BY) for fold in self.folds]))

    def _behind(self, name: str) -> str:
        gap = self.folds[-1].behind.get(name, {}).get(RANKS_BY)
        if gap is None:
            return "best"
        clear = "" if gap["low"] is None or gap["low"] <= 0 <= gap["high"] else " *"
        return f"{gap['difference']:.4f} [{gap['low']:.4f}, {gap['high']:.4f}]{clear}"


def compare(
    data: Events | Split,
    recipes: Iterable[str | Recipe],
    *,
    overrides: Iterable[str] = (),
    folds: int | None = None,
    horizon: float = 0.05,
    seed: int = 0,
    catalog: pl.DataFrame | None = None,
    options: Options | None = None,
) -> Comparison:
    """Train each recipe on one split and rank them.

    Args:
        data: Cleaned events, split by time here; or a split.
        recipes: Names, files or recipes; opponents are recipes too. `auto` is the one that suits the log, chosen once,
            by what lies before the first test; in the table it is called `auto (NAME)`.
        overrides: Settings such as `train.epochs=5`, over each recipe in which the key has an effect. Those of
            `[content]` go over the recipes that have such a table; where none has, over all.
        folds: Repeat over so many rolling time windows; needs events, not a split.
        horizon: With folds: length of each test window, as a share of the events.
        seed: For all trainings.
        catalog: Items' attributes by `item_id`, as for `train`; for recipes with `[content]`. What an encoder made of
            it once is kept on disk for the next recipe and fold.
        options: Where they run.

    Raises:
        RecipeError: A recipe is wrong (found before anything trains), none is given, or two have one name.
        DataError: A recipe needs a catalog and there is none (found before anything trains).
    """
    wanted = [asked(recipe) for recipe in recipes]
    if not wanted:
        raise RecipeError("There is no recipe to compare.", hint="Give some: --recipes sasrec,markov,popularity")
    names = [recipe.name for recipe in wanted]
    for name in names:
        if names.count(name) > 1:
            raise RecipeError(f"Two recipes are called {name!r}.", hint="Give one of them another name.")
    if folds is not None:
        if isinstance(data, Split):
            raise RecipeError("`folds` makes its own splits.", hint="Give the events, or leave folds out.")
        splits: Sequence[Split] = split_rolling(data, folds, horizon)
    else:
        splits = [data if isinstance(data, Split) else split_by_time(data)]
    recipes, choice = _settled(wanted, splits[0])
    chosen = _fitting(recipes, list(overrides), choice)
    check_catalog(chosen, catalog)
    if choice is not None:
        ((options.progress if options else None) or progress_for(None)).say(str(choice))
    return Comparison(splits[0].kind, [_fold(split, chosen, seed, catalog, options) for split in splits], choice)


def _settled(recipes: Sequence[Recipe], split: Split) -> tuple[list[Recipe], Choice | None]:
    """`auto` under the name of what it took, so that it may stand beside that one; others as they are."""
    found: list[Recipe] = []
    choice = None
    for recipe in recipes:
        one, why = settled(recipe, split)
        choice = why or choice
        found.append(one if why is None else replace(one, name=f"{recipe.name} ({one.name})"))
    return found, choice


def _fitting(recipes: Sequence[Recipe], overrides: Sequence[str], choice: Choice | None) -> list[Recipe]:
    """Each recipe with the overrides that it has a use for; one that no recipe has a use for is an error."""
    says = [bool(check(recipe).content) for recipe in recipes]
    fitting = [
        [override for override in overrides if _has_effect(recipe, override, its or not any(says))]
        for recipe, its in zip(recipes, says, strict=True)
    ]
    idle = set(overrides) - {override for those in fitting for override in those}
    if idle and recipes:
        with because_of(choice if len(recipes) == 1 else None):
            check(recipes[0].with_overrides(sorted(idle)[:1]))  # says what is wrong with it
        raise RecipeError(f"--set {sorted(idle)[0]} has no effect on any of the recipes.", hint="Remove it.")
    return [check(recipe.with_overrides(those)) for recipe, those in zip(recipes, fitting, strict=True)]


def _has_effect(recipe: Recipe, override: str, content: bool) -> bool:
    """Has a recipe a use for an override; `content`: is one of `[content]` meant for it?"""
    table, _, key = override.partition("=")[0].strip().partition(".")
    filled = check(recipe)
    if table == "model":
        opponent = filled.model.get("opponent")
        return key in filled.model if opponent is None else key in {f.name for f in fields(settings_of(opponent))}
    if table == "content":
        return content
    return table != "train" or "encoder" in filled.model or "ensemble" in filled.model


def _mean(evaluation: Evaluation, metric: str) -> float:
    mean = evaluation.metrics[metric].mean
    return -1.0 if mean is None else mean


def _fold(
    split: Split, recipes: Sequence[Recipe], seed: int, catalog: pl.DataFrame | None, options: Options | None
) -> Fold:
    trained = {recipe.name: train(split, recipe, seed=seed, catalog=catalog, options=options) for recipe in recipes}
    judged = {name: evaluate(one, split, opponents={}, seed=seed) for name, one in trained.items()}
    best = max(judged, key=lambda name: _mean(judged[name], RANKS_BY))
    others: dict[str, Recommender | str] = {name: one for name, one in trained.items() if name != best}
    against = evaluate(trained[best], split, opponents=others, seed=seed).as_dict()["against"]
    seconds = {name: float(one.card["training"]["train_seconds"]) for name, one in trained.items()}
    return Fold(split.boundary, judged, best, against, seconds)
