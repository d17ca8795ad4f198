"""Which method forecasts: the one that is best on the validation part, or the one that was asked for.

In: a table, a plan, a wish. Out: `Choice`: fitted methods, and why one of them speaks. It sees
nothing of the test part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from horae.errors import NotTrainedError
from horae.forecasting.series.fitting import enough_to_train
from horae.forecasting.series.judging import Judged, Plan, judge, summary
from horae.forecasting.series.methods import FALLBACK, Method
from horae.forecasting.series.network import NETWORKS
from horae.forecasting.series.settings import SeriesSettings
from horae.forecasting.series.table import SeriesTable
from horae.training.progress import Progress

__all__ = ["AUTO", "Choice", "choose", "trainable"]

AUTO: Final = "auto"
JUDGED_BY: Final = "mase"
SHORT: Final = "the history is too short to train it"
OTHER: Final = "another network was ahead of it on the validation part"


@dataclass(frozen=True)
class Choice:
    """Who forecasts, and who stands beside.

    Attributes:
        model: The method's name.
        why: In a sentence.
        methods: It and its opponents, fitted.
        validation: By method: `mase` on the validation part, and of how many `series`.
        reasons: Why a method is not among them.
    """

    model: str
    why: str
    methods: list[Method]
    validation: dict[str, dict[str, Any]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def trainable(names: Sequence[str], model: str, table: SeriesTable, plan: Plan, horizon: int) -> list[str]:
    """The methods that the history is long enough for.

    Raises:
        NotTrainedError: It is too short for the network that was asked for.
    """
    first = (plan.validation or plan.test)[0]
    if enough_to_train(table.until(first), horizon):
        return list(names)
    if model in NETWORKS:
        raise NotTrainedError(
            f"{model}: {first:,} bins before the first origin are too few to train a network for {horizon:,} bins.",
            hint="Ask for a shorter --horizon, narrower bins (--every), or take --model seasonal-naive.",
        )
    return [name for name in names if name not in NETWORKS]


def choose(
    model: str,
    methods: Sequence[Method],
    table: SeriesTable,
    plan: Plan,
    horizon: int,
    settings: SeriesSettings,
    progress: Progress,
) -> Choice:
    """Fit the methods on what lies before the validation part, judge them there, and take the best.

    Of several networks only the best one stays: training all of them again for the test would cost minutes.
    """
    found = _validated(methods, table, plan, horizon, settings, progress) if plan.validation else {}
    validation = {name: _told(judged, name) for name, judged in found.items()}
    if not found or validation[FALLBACK][JUDGED_BY] is None:
        why = "There is no room for a validation part" if not found else "Nothing is known of the validation part"
        told = (FALLBACK, f"{why}, so {FALLBACK} speaks.") if model == AUTO else (model, _asked(model))
        return Choice(*told, list(methods), validation)
    cells = {name: int((~np.isnan(judged.errors[name][JUDGED_BY])).sum()) for name, judged in found.items()}
    candidates = {name: one for name, one in validation.items() if cells[name] == cells[FALLBACK]}
    best = min(candidates, key=lambda name: (candidates[name][JUDGED_BY], name != FALLBACK))
    networks = [name for name in candidates if name in NETWORKS]
    kept = min(networks, key=lambda name: candidates[name][JUDGED_BY], default=None)
    dropped = [method.name for method in methods if method.name in NETWORKS and method.name != kept]
    chosen, why = (best, _in_words(best, candidates)) if model == AUTO else (model, _asked(model))
    progress.say(why)
    left = [method for method in methods if method.name not in dropped]
    return Choice(chosen, why, left, validation, dict.fromkeys(dropped, OTHER))


def _validated(
    methods: Sequence[Method],
    table: SeriesTable,
    plan: Plan,
    horizon: int,
    settings: SeriesSettings,
    progress: Progress,
) -> dict[str, Judged]:
    found = {}
    for method in methods:
        judged = judge(table, [method], plan.validation, horizon, settings.levels, fit="once")
        found[method.name] = judged
        mase = _told(judged, method.name)[JUDGED_BY]
        said = "has nothing to say" if mase is None else f"MASE {mase:.4f}"
        progress.say(f"{method.name:<15} {said} on the validation part, {judged.seconds[method.name]:.1f} s")
    return found


def _told(judged: Judged, name: str) -> dict[str, Any]:
    means = summary(judged.errors[name])
    return {JUDGED_BY: means[JUDGED_BY], "series": means["series"]}


def _asked(model: str) -> str:
    return f"{model} was asked for."


def _in_words(best: str, candidates: Mapping[str, Mapping[str, Any]]) -> str:
    others = sorted((one[JUDGED_BY], name) for name, one in candidates.items() if name != best)
    beside = f" Next is {others[0][1]} with {others[0][0]:.3f}." if others else ""
    naive = f" {FALLBACK} has {candidates[FALLBACK][JUDGED_BY]:.3f}." if FALLBACK not in (best, others[0][1]) else ""
    return f"{best} has the least error on the validation part: MASE {candidates[best][JUDGED_BY]:.3f}.{beside}{naive}"
