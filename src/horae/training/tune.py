"""A recipe and its ranges in, the recipe with the best settings out (public as `horae.tune`).

    ranges -> ask -> train, watched epoch by epoch -> validation NDCG@10 -> ask ... -> best.toml, report.html

Only the validation part is looked at, never the test part. What is tried is the whole path of `horae.train`, so what
was found here is what a training with `best.toml` gives.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from horae.data.split import Split
from horae.errors import DataError, NotTrainedError, RecipeError
from horae.evaluation.validation import quality, validation_cut
from horae.models.opponents import make_opponent
from horae.page import Page
from horae.recipe import TABLES, Recipe, to_toml
from horae.schema import Events
from horae.training.choose import AUTO, Choice, asked, because_of, settled
from horae.training.progress import Progress, progress_for
from horae.training.train import Options, check, check_catalog, train
from horae.training.tuning import report
from horae.training.tuning.ranges import Range, ranges_of, with_values
from horae.training.tuning.search import ask, importances, need_optuna
from horae.training.tuning.trials import FINISHED, Trial, TrialLog, catalog_fingerprint, data_fingerprint
from horae.training.tuning.watch import CHOOSES, NOBODY, OutOfTime, Pruned, Watch

__all__ = ["BY_HAND", "Tuned", "best_of", "ready", "tune"]

BY_HAND: Final = "stopped by hand"
OUT_OF_TIME: Final = "out of time"
FAILURES: Final = 3
"""A search whose first trials all fail, so many of them, is given up."""


@dataclass(frozen=True)
class Tuned:
    """What a search came to.

    Attributes:
        recipe: The best: the recipe that was given, with the best trial's values.
        base: The recipe as it was given.
        ranges: What was searched.
        trials: Everything that was tried, in order.
        importances: By key, most important first, its share in what sets good trials apart; empty with few trials.
        seed: Of the trainings and of the search.
        ended: `done`, `out of time` or `stopped by hand`.
        folder: Where it is written; None: nowhere.
        choice: What `auto` took for the base, and why; None where it was not asked.
    """

    recipe: Recipe
    base: Recipe
    ranges: Sequence[Range]
    trials: Sequence[Trial]
    importances: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    ended: str = "done"
    folder: Path | None = None
    choice: Choice | None = None

    @property
    def best(self) -> Trial:
        """The trial with the highest validation NDCG@10; the first of equals."""
        best = best_of(self.trials)
        assert best is not None
        return best

    def as_dict(self) -> dict[str, Any]:
        """The document of `horae tune --json`."""
        return {
            "recipe": self.base.name,
            "chosen": None if self.choice is None else self.choice.as_dict(),
            "best": asdict(self.best),
            "trials": [asdict(trial) for trial in self.trials],
            "ranges": [one.as_dict() for one in self.ranges],
            "importances": dict(self.importances),
            "seed": self.seed,
            "ended": self.ended,
            "folder": None if self.folder is None else str(self.folder),
        }

    def toml(self) -> str:
        """The best recipe as a file that `horae train --recipe` takes."""
        return recipe_text(self.recipe)

    def page(self) -> Page:
        """The page of `report.html`."""
        return report.page(self.base, self.ranges, self.trials, self.best, self.importances, self.ended, self.toml())

    def __str__(self) -> str:
        return report.text(self.ranges, self.trials, self.best, self.importances, self.ended)


def tune(
    data: Events | Split,
    recipe: str | Path | Recipe = "sasrec",
    *,
    trials: int = 20,
    minutes: float | None = 30.0,
    folder: str | Path | None = None,
    overrides: Iterable[str] = (),
    seed: int = 0,
    resume: bool = False,
    catalog: pl.DataFrame | None = None,
    options: Options | None = None,
) -> Tuned:
    """Search a recipe's ranges for the settings with the best validation NDCG@10.

    The first trial is the recipe as it stands. Trials that fall behind are given up early.

    Args:
        data: As for `train`; a split's test part is not looked at.
        recipe: Its `[tune]` table says what is searched; networks without one have usual ranges. `auto` is the one that
            suits the log.
        trials: So many, those of a search that goes on included; stopped ones do not count.
        minutes: No longer than this, in this call; None: as long as it takes.
        folder: Where trials, `best.toml` and `report.html` go, after every trial. None: nowhere.
        overrides: Settings such as `train.epochs=30`, over the recipe's, the same in all trials.
        seed: Same data, recipe, ranges and seed: same trials, unless the time ends.
        resume: Go on with the search in `folder`.
        catalog: Items' attributes by `item_id`, as for `train`; for recipes with `[content]`. What an encoder made of
            it once is kept on disk for all trials.
        options: Where the trainings run; checkpoints are not kept.

    Raises:
        RecipeError: The recipe or a range is wrong; nothing to search.
        DataError: No items, or nobody in the validation part to choose by; no catalog, and the recipe needs one.
        MissingExtraError: Optuna is not installed.
        RunError: The folder holds another search, or one that nobody asked to go on with.
        NotTrainedError: None of the first trials could be trained.
    """
    _sane(trials, minutes)
    wanted = asked(recipe, overrides)
    log = TrialLog(None if folder is None else Path(folder))
    ranges = ready(wanted, log.folder, resume)
    base, choice = settled(wanted, data)
    with because_of(choice):
        ranges = ranges or ranges_of(base)
    check_catalog([base], catalog)
    made_of = {
        "recipe": {name: dict(getattr(base, name)) for name in _that_train(base)},
        "ranges": [one.as_dict() for one in ranges],
        "data": data_fingerprint(data),
        "seed": seed,
        **({} if catalog is None else {"catalog": catalog_fingerprint(catalog)}),
    }
    tried = log.begin(made_of, resume)
    where = replace(options or Options(), folder=None, resume=False)
    progress = where.progress or progress_for(None)
    if choice is not None:
        progress.say(str(choice))
    search = _Search(data, base, ranges, seed, where, progress, log, tried, catalog)
    ended = search.run(trials, None if minutes is None else time.monotonic() + 60 * minutes)
    return replace(search.result(ended), choice=choice)


def _that_train(recipe: Recipe) -> tuple[str, ...]:
    """Tables that make a trial what it is; `[content]` where there is any, as searches from before it have none."""
    return ("model", "train", "recommend", *(("content",) if recipe.content else ()))


def ready(recipe: Recipe, folder: Path | None, resume: bool) -> tuple[Range, ...]:
    """Everything that can be refused before the log is read; the ranges, but for `auto` none, which waits for the log.

    Raises:
        MissingExtraError, RecipeError, RunError: As in `tune`.
    """
    need_optuna()
    ranges = () if recipe.name == AUTO else ranges_of(recipe)
    TrialLog(folder).check(resume)
    return ranges


def recipe_text(recipe: Recipe) -> str:
    """A recipe as TOML, without its empty tables and its ranges."""
    tables = {name: getattr(recipe, name) for name in TABLES}
    return to_toml({"name": recipe.name, "about": recipe.about, **{name: one for name, one in tables.items() if one}})


def best_of(trials: Iterable[Trial]) -> Trial | None:
    """The best of what ran to its end or was stopped; None where nothing was judged yet."""
    judged = [trial for trial in trials if trial.ndcg is not None and trial.state in ("complete", "stopped")]
    return max(judged, key=lambda trial: trial.ndcg or 0.0, default=None)


class _Search:
    """One call of `tune`: what is tried on what, and what came of it so far."""

    def __init__(
        self,
        data: Events | Split,
        base: Recipe,
        ranges: Sequence[Range],
        seed: int,
        where: Options,
        progress: Progress,
        log: TrialLog,
        trials: list[Trial],
        catalog: pl.DataFrame | None,
    ) -> None:
        self.data, self.catalog, self.base, self.ranges, self.seed = data, catalog, base, ranges, seed
        self.where, self.progress, self.log, self.trials = where, progress, log, trials
        self._counted: Any = None

    def run(self, wanted: int, deadline: float | None) -> str:
        """Try until there are enough trials, or the time is over, or somebody stops it; says which."""
        filled = check(self.base)
        first = {
            f"{table}.{key}": value for table in ("model", "train") for key, value in getattr(filled, table).items()
        }
        while self.finished < wanted:
            if deadline is not None and time.monotonic() >= deadline and best_of(self.trials):
                return OUT_OF_TIME
            asked = ask(self.ranges, self.trials, self.seed, first)
            trial = Trial(len(self.trials) + 1, asked.values)
            self.trials.append(trial)
            self._write()
            title = f"trial {self.finished + 1} of {wanted}"
            ended = self._try(trial, Watch(self.progress, title, trial, asked, deadline, self._write))
            self._note(trial, title)
            if ended:
                return ended
        return "done"

    @property
    def finished(self) -> int:
        """Trials that need not be tried again."""
        return sum(trial.state in FINISHED for trial in self.trials)

    def result(self, ended: str) -> Tuned:
        """What it came to, written down."""
        best = best_of(self.trials)
        if best is None and ended == BY_HAND:
            raise KeyboardInterrupt
        if best is None:
            raise NotTrainedError(
                "No trial ran to its first validation, so nothing was found.", hint="Give it more --minutes."
            )
        shares = importances(self.ranges, self.trials)
        recipe = self._with(best)
        tuned = Tuned(recipe, self.base, self.ranges, self.trials, shares, self.seed, ended, self.log.folder)
        self.log.write_text("best.toml", tuned.toml())
        if self.log.folder is not None:
            self.log.write_text("report.html", tuned.page().html())
        return tuned

    def _write(self) -> None:
        self.log.write(self.trials)

    def _with(self, best: Trial) -> Recipe:
        about = f"{self.base.name}, tuned: validation NDCG@10 {best.ndcg:.4f}, the best of {len(self.trials)} trials."
        return replace(with_values(self.base, best.values), name=f"{self.base.name}-tuned", about=about, tune={})

    def _try(self, trial: Trial, watch: Watch) -> str:
        """Train once; the trial's state is set. Says why the search ends, or nothing."""
        started = time.monotonic()
        try:
            finished = self._trained(trial, watch)
            trial.state, trial.why = ("complete", "") if finished else ("stopped", BY_HAND)
        except Pruned:
            trial.state = "pruned"
        except OutOfTime:
            trial.state, trial.why = "stopped", OUT_OF_TIME
        except KeyboardInterrupt:
            trial.state, trial.why = "stopped", BY_HAND
        except (NotTrainedError, RecipeError) as error:
            self._fail(trial, error)
        finally:
            trial.seconds = round(time.monotonic() - started, 3)
            if trial.state == "running":  # something else went wrong: it is not the trial's fault
                trial.state, trial.why = "stopped", "an error"
            self._write()
        return trial.why if trial.state == "stopped" else ""

    def _trained(self, trial: Trial, watch: Watch) -> bool:
        """False where it was stopped by hand."""
        recipe = with_values(self.base, trial.values)
        if "opponent" in recipe.model:
            trial.ndcg = self._counted_quality(recipe)
            return True
        once = with_values(recipe, {"train.relearn": False})
        board = self.where.tensorboard
        board = None if board is None else board / f"trial-{trial.number}"
        options = replace(self.where, progress=watch, tensorboard=board)
        recommender = train(self.data, once, seed=self.seed, catalog=self.catalog, options=options)
        return not recommender.card["training"]["interrupted"]

    def _counted_quality(self, recipe: Recipe) -> float:
        """An opponent is fitted on the fit part alone, as when its own open settings are chosen."""
        if self._counted is None:
            options = replace(self.where, progress=self.progress)
            whole = train(self.data, self.base, seed=self.seed, catalog=self.catalog, options=options)
            assert whole.split is not None
            cut = validation_cut(whole.split, limit=10_000, seed=self.seed)
            if len(cut) == 0:
                raise DataError(NOBODY, hint="Give a longer log, or another --split.")
            known = whole.sequences.alike(whole.split.fit)
            self._counted = whole, cut, known
        whole, cut, known = self._counted
        model = make_opponent(recipe.model["opponent"], recipe.model, whole.content).fit(known)
        return quality(replace(whole, model=model), cut)[CHOOSES]

    def _fail(self, trial: Trial, error: NotTrainedError | RecipeError) -> None:
        """Note why; a search that never got anywhere says so at once."""
        trial.state, trial.why = "failed", error.message
        alone = isinstance(error, RecipeError) and len(self.trials) == 1
        nothing = len(self.trials) >= FAILURES and all(one.state == "failed" for one in self.trials)
        if alone or nothing:
            raise error

    def _note(self, trial: Trial, title: str) -> None:
        best = best_of(self.trials)
        self.progress.say(report.line(trial, title, trial is best))
        if best is trial:  # a kill loses no more than the trial that runs
            self.log.write_text("best.toml", recipe_text(self._with(trial)))


def _sane(trials: int, minutes: float | None) -> None:
    if trials < 1:
        raise RecipeError(f"trials = {trials}: expected 1 or more.", hint="Give --trials 20.")
    if minutes is not None and not minutes > 0:
        raise RecipeError(f"minutes = {minutes}: expected more than 0.", hint="Give --minutes 30.")
