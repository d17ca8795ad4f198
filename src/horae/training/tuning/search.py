"""What to try next, when to give a trial up, and what mattered: the library Optuna (extra `tune`), and nothing else.

In: ranges and the finished trials. Out: values, a verdict, shares of importance. Nothing is kept between two calls: the
study is made anew from the trials, with a seed of its own for each. So a search that was stopped goes on as one that
was not, and no second file holds what `trials.jsonl` says.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from horae.errors import MissingExtraError
from horae.training.tuning.ranges import Range
from horae.training.tuning.trials import FINISHED, Trial

__all__ = ["Asked", "ask", "importances", "need_optuna"]

RANDOM_TRIALS = 6
"""So many are drawn at random (the first is the recipe itself), before the search follows what it has seen."""

COMPLETE_BEFORE_PRUNING = 4
"""So many trials must have run to their end before one is given up: a median of fewer says little."""

EPOCHS_BEFORE_PRUNING = 3
"""Small steps begin slowly; nothing is given up before so many epochs."""

ENOUGH_TO_WEIGH = 8
"""From so many trials on, it is told what mattered."""


class Asked:
    """A trial that is under way.

    Attributes:
        values: What is to be tried, by `table.key`.
    """

    def __init__(self, live: Any, values: dict[str, Any]) -> None:
        self._live = live
        self.values = values

    def hopeless(self, epoch: int, best_so_far: float) -> bool:
        """Is the best so far, after this epoch, under the median of what complete trials had reached by then?"""
        self._live.report(best_so_far, epoch - 1)
        return bool(self._live.should_prune())


def need_optuna() -> Any:
    """Optuna, silent.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        optuna = importlib.import_module("optuna")
    except ImportError as error:
        raise MissingExtraError(
            "Optuna is not installed.", hint="Install it with: pip install 'horae[tune]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def ask(ranges: Sequence[Range], trials: Iterable[Trial], seed: int, first: Mapping[str, Any]) -> Asked:
    """The next values to try.

    Args:
        ranges: What may be tried.
        trials: So far; stopped ones do not count, so what they tried is asked again.
        seed: Same seed, same ranges, same trials: same values.
        first: What the very first trial tries, where it lies within the ranges: the recipe's own values.
    """
    optuna = need_optuna()
    finished = [trial for trial in trials if trial.state in FINISHED]
    study = _study(optuna, ranges, finished, seed)
    if not finished:
        study.enqueue_trial({one.key: first[one.key] for one in ranges if one.holds(first.get(one.key))})
    live = study.ask({one.key: _distribution(optuna, one) for one in ranges})
    return Asked(live, {one.key: one.near(live.params[one.key]) for one in ranges})


def importances(ranges: Sequence[Range], trials: Iterable[Trial]) -> dict[str, float]:
    """By key, most important first, the share (they add up to 1) that it has in what sets the best trials apart.

    Trials that were given up count with the best that they reached. Empty where there are too few trials, or where all
    are equal.

    Source: Watanabe, Bansal and Hutter 2023 (arXiv:2304.10255), PED-ANOVA, as Optuna has it.
    """
    judged = [trial for trial in trials if trial.state in ("complete", "pruned") and trial.ndcg is not None]
    if len(judged) < ENOUGH_TO_WEIGH or len({trial.ndcg for trial in judged}) == 1:
        return {}
    optuna = need_optuna()
    study = optuna.create_study(direction="maximize")
    distributions = {one.key: _distribution(optuna, one) for one in ranges}
    for trial in judged:
        study.add_trial(optuna.trial.create_trial(params=trial.values, distributions=distributions, value=trial.ndcg))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {key: float(share) for key, share in shares.items() if np.isfinite(share)}


def _study(optuna: Any, ranges: Sequence[Range], finished: Sequence[Trial], seed: int) -> Any:
    own = int(np.random.SeedSequence([seed, len(finished)]).generate_state(1)[0])
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(n_startup_trials=RANDOM_TRIALS, seed=own),
        pruner=optuna.pruners.MedianPruner(COMPLETE_BEFORE_PRUNING, EPOCHS_BEFORE_PRUNING),
    )
    distributions = {one.key: _distribution(optuna, one) for one in ranges}
    states = optuna.trial.TrialState
    for trial in finished:
        study.add_trial(
            optuna.trial.create_trial(
                state={"complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[trial.state],
                params=trial.values,
                distributions=distributions,
                value=trial.ndcg if trial.state != "failed" else None,
                intermediate_values=dict(enumerate(np.maximum.accumulate(trial.curve).tolist())),
            )
        )
    return study


def _distribution(optuna: Any, one: Range) -> Any:
    span, kinds = one.span, optuna.distributions
    if span is None:
        return kinds.CategoricalDistribution(one.choices)
    if one.whole:
        return kinds.IntDistribution(int(span.low), int(span.high), log=span.log, step=int(span.step or 1))
    return kinds.FloatDistribution(span.low, span.high, log=span.log, step=span.step)
