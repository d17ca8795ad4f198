"""The part of a run's report that shows what it tells of the next event: when, of which behavior, of which value.

In: a page and an evaluation's document. Out: sections. It computes nothing: all numbers stand under `forecast`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from horae.evaluation import figures
from horae.evaluation.table import standing
from horae.evaluation.words import interval
from horae.page import Page, number

__all__ = ["forecast_lead", "forecast_sections"]

Document = Mapping[str, Any]
DAY_SECONDS = 86_400.0


def forecast_lead(told: Document) -> str:
    """What the forecasts are worth, in a sentence or two."""
    said = []
    if time := told.get("time"):
        said.append(
            f"Of the next events, {_share(time['metrics']['coverage'])} came within the time that was told; its middle "
            f"was {_days(time['metrics']['mae_seconds'])} days off on average."
        )
    if behavior := told.get("behavior"):
        said.append(f"Of {_share(behavior['metrics']['accuracy'])} the behavior was told right.")
    if value := told.get("value"):
        said.append(f"{_share(value['metrics']['coverage'])} of the values lay within their bounds.")
    return " ".join(said)


def forecast_sections(page: Page, evaluation: Document) -> None:
    """One section for each question that the run answers."""
    run, told = str(evaluation["run"]), evaluation["forecast"]
    if time := told.get("time"):
        _when(page, run, time)
    if returns := told.get("return"):
        _returns(page, run, returns)
    if behavior := told.get("behavior"):
        _which(page, run, behavior)
    if value := told.get("value"):
        _how_much(page, run, value)


def _when(page: Page, run: str, time: Document) -> None:
    page.heading("When does the next event come?")
    page.text(
        f"{time['events']:,} events of the test part, each asked for at its user's event before it, or at the boundary "
        "where that is later. Everybody is asked when it comes, if it comes before the log ends. Four of five events "
        "are to lie within the bounds: more is too wide, less is too sure."
    )
    _bars(page, run, _in_days(time), "mae_days", "Mean error of the middle, in days; lower is better")
    columns = {"error, days (95%)": "mae_days", "within bounds (95%)": "coverage", "width, days (95%)": "width_days"}
    _table(page, run, _in_days(time), columns, "mae_days")


def _returns(page: Page, run: str, returns: Document) -> None:
    page.heading("Who comes back?")
    days = number(returns["within_seconds"] / DAY_SECONDS)
    page.text(
        f"{returns['events']:,} people who were here before the boundary, those who never came again included. "
        f"{returns['share']:.1%} of them had an event within {days} days of it."
    )
    caption = f"Chance to return within {days} days: said against come true, in tenths of the people"
    page.plot(figures.calibration(returns["reliability"], "users"), caption, 320)
    columns = {
        "log loss, nats (95%)": "log_loss",
        "Brier score (95%)": "brier",
        "AUC": "auc",
        "calibration error": "calibration_error",
    }
    _table(page, run, returns, columns, "log_loss")
    rows = [
        [name, f"{one['share']:.1%}", *(interval(one["metrics"][metric]) for metric in ("log_loss", "brier"))]
        for name, one in returns.get("by_horizon", {}).items()
    ]
    if rows:
        page.table(["within", "came", "log loss (95%)", "Brier score (95%)"], rows, f"{run}, for other times")


def _which(page: Page, run: str, behavior: Document) -> None:
    page.heading("Of which behavior is it?")
    page.text(
        f"{behavior['events']:,} events. The log loss asks for the chance of what came: 0 is certain and right. F1 is "
        "the mean over the behaviors, so a rare one counts as much as a common one."
    )
    _bars(page, run, behavior, "log_loss", "Log loss in nats; lower is better")
    columns = {"log loss, nats (95%)": "log_loss", "accuracy (95%)": "accuracy", "F1": "f1", "AUC": "auc"}
    _table(page, run, behavior, columns, "log_loss")


def _how_much(page: Page, run: str, value: Document) -> None:
    page.heading("Of which value is it?")
    page.text(
        f"{value['events']:,} events with a known value, in the log's own unit. MASE below 1 is better than saying the "
        "user's value before."
    )
    _bars(page, run, value, "mae", "Mean absolute error of the value; lower is better")
    columns = {"MAE (95%)": "mae", "RMSE": "rmse", "MASE (95%)": "mase", "within bounds (95%)": "coverage"}
    _table(page, run, value, columns, "mae")


def _bars(page: Page, run: str, told: Document, metric: str, caption: str) -> None:
    figure, height = figures.opponents({"run": run, **told}, metric, largest_on_top=False)
    page.plot(figure, caption, height)


def _table(page: Page, run: str, told: Document, columns: Mapping[str, str], main: str) -> None:
    """Methods by the main figure, the least first, and how the run stands to each."""
    methods = {**told["opponents"], run: told["metrics"]}
    rows = []
    for name, metrics in sorted(methods.items(), key=lambda one: one[1][main]["mean"] or 0.0):
        cells = [interval(metrics[metric]) if metric in metrics else None for metric in columns.values()]
        against = told["against"].get(name, {}).get(main)
        rows.append([name, *cells, "" if against is None else _SAID[standing(against)]])
    page.table(["method", *columns, f"{run} is"], rows)


_SAID = {"ahead": "behind", "behind": "ahead", "even": "even", "unknown": "unknown"}
"""`standing` reads larger as better; every figure here is an error."""


def _in_days(time: Document) -> Document:
    """The same with `mae_days` and `width_days`."""

    def of(figures_of: Document) -> Document:
        return {
            name.replace("_seconds", "_days"): _divided(one) if name.endswith("_seconds") else one
            for name, one in figures_of.items()
        }

    parts = {key: {name: of(one) for name, one in time[key].items()} for key in ("opponents", "against")}
    return {**time, **parts, "metrics": of(time["metrics"])}


def _divided(one: Document) -> Document:
    return {key: None if value is None else value / DAY_SECONDS for key, value in one.items()}


def _days(one: Document) -> str:
    return number(None if one["mean"] is None else one["mean"] / DAY_SECONDS)


def _share(one: Document) -> str:
    return number(None) if one["mean"] is None else f"{one['mean']:.0%}"
