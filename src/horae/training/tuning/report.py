"""What a search found, for a terminal and as one page.

In: trials and shares of importance. Out: text, or a `Page`. It computes nothing more, and reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from horae.page import COLORS, Page
from horae.recipe import Recipe
from horae.training.tuning.ranges import Range
from horae.training.tuning.trials import Trial

__all__ = ["line", "page", "text"]

SHOWN = 5
OWN, THIRD, OTHER = COLORS[0], COLORS[1], COLORS[4]
MARKS = {"complete": (OWN, "circle"), "pruned": (OTHER, "x"), "stopped": (THIRD, "diamond")}
TOO_FEW = "There are too few different trials to tell what mattered."
ENDS = {
    "done": "All trials were made.",
    "out of time": "The minutes were over before all trials were made; the search can go on.",
    "stopped by hand": "It was stopped by hand; the search can go on.",
}


def line(trial: Trial, title: str, is_best: bool) -> str:
    """One trial while the search runs."""
    reached = "no result      " if trial.ndcg is None else f"ndcg@10 {trial.ndcg:.4f}"
    how = {"complete": "best so far" if is_best else "", "running": ""}.get(trial.state, trial.state)
    why = f" ({trial.why})" if trial.state in ("failed", "stopped") and trial.why else ""
    epochs = f"{len(trial.curve):>3} epochs  " if trial.curve else ""
    return f"{title:<15}  {reached}  {epochs}{trial.seconds:>6.1f} s  {_values(trial)}  {how}{why}".rstrip()


def text(
    ranges: Sequence[Range], trials: Sequence[Trial], best: Trial, importances: Mapping[str, float], ended: str
) -> str:
    """The best trials, the best values, what mattered."""
    judged = sorted((trial for trial in trials if trial.ndcg is not None), key=lambda trial: -(trial.ndcg or 0.0))
    lines = [f"{'trial':>5}  {'ndcg@10':>8}  {'state':<8}  values"]
    lines += [f"{trial.number:>5}  {trial.ndcg:>8.4f}  {trial.state:<8}  {_values(trial)}" for trial in judged[:SHOWN]]
    lines += [f"       and {len(trials) - SHOWN} more"] if len(trials) > SHOWN else []
    lines += ["", f"{'key':<24} {'best':>10} {'mattered':>9}  searched"]
    for one in sorted(ranges, key=lambda one: -importances.get(one.key, 0.0)):
        share = f"{importances[one.key]:.0%}" if one.key in importances else "-"
        lines.append(f"{one.key:<24} {_plain(best.values[one.key]):>10} {share:>9}  {one}")
    lines += [TOO_FEW] if not importances else []
    return "\n".join([*lines, "", f"{ENDS[ended]} {_counts(trials)}"])


def page(
    base: Recipe,
    ranges: Sequence[Range],
    trials: Sequence[Trial],
    best: Trial,
    importances: Mapping[str, float],
    ended: str,
    toml: str,
) -> Page:
    """The page of `report.html`.

    Args:
        base: As it was given.
        ranges: What was searched.
        trials: In order.
        best: One of them.
        importances: By key, most important first.
        ended: `done`, `out of time` or `stopped by hand`.
        toml: The best recipe.
    """
    made = Page(f"{base.name}: tuned", "NDCG@10 on the validation part; the test part was not looked at")
    made.lead(_headline(trials, best))
    made.text(f"{ENDS[ended]} {_counts(trials)}")
    made.callout(
        "The best of many trials looks better on validation than it is: judge the trained recipe with horae evaluate.",
        "note",
    )
    _tiles(made, trials, best)
    made.heading("Trial by trial")
    made.plot(_course(trials), "Validation NDCG@10 of each trial (marks), and the best until then (line).")
    _mattered(made, ranges, trials, importances)
    made.heading("All trials")
    keys = [one.key for one in ranges]
    rows = [
        [one.number, one.ndcg, one.state + (f": {one.why}" if one.why else ""), len(one.curve), one.seconds]
        + [one.values[key] for key in keys]
        for one in trials
    ]
    made.table(["trial", "ndcg@10", "state", "epochs", "seconds", *keys], rows)
    made.heading("The best recipe")
    made.code(toml)
    return made


def _headline(trials: Sequence[Trial], best: Trial) -> str:
    first = _as_it_was(trials)
    if not first.ndcg:
        return f"Trial {best.number} reached a validation NDCG@10 of {best.ndcg:.4f}."
    if best.ndcg == first.ndcg:
        return f"Nothing beat the first trial: validation NDCG@10 {best.ndcg:.4f}."
    gain = (best.ndcg or 0.0) / first.ndcg - 1
    return (
        f"Trial {best.number} reached a validation NDCG@10 of {best.ndcg:.4f}: "
        f"{gain:+.1%} against {first.ndcg:.4f} of the first trial."
    )


def _as_it_was(trials: Sequence[Trial]) -> Trial:
    """The trial of the recipe as it was: where the first was stopped, the one that tried the same again."""
    first = trials[0]
    return next((one for one in trials if one.values == first.values and one.state != "stopped"), first)


def _tiles(made: Page, trials: Sequence[Trial], best: Trial) -> None:
    seconds = sum(trial.seconds for trial in trials)
    made.tiles(
        [
            ("best NDCG@10", best.ndcg, f"trial {best.number}"),
            ("the first trial's", _as_it_was(trials).ndcg, "the recipe as it was, within its ranges"),
            ("trials", len(trials), _counts(trials)),
            ("minutes", round(seconds / 60, 1), "of training and validation"),
        ]
    )


def _mattered(made: Page, ranges: Sequence[Range], trials: Sequence[Trial], importances: Mapping[str, float]) -> None:
    made.heading("What mattered")
    if importances:
        made.text("How much each key has to do with being among the best trials; the shares add up to 100%.")
        keys = list(importances)[::-1]
        bars = {"type": "bar", "orientation": "h", "y": keys, "x": [importances[key] for key in keys]}
        layout = {"xaxis": {"tickformat": ".0%"}, "yaxis": {"showgrid": False}}
        made.plot(
            {"data": [{**bars, "marker": {"color": OWN}}], "layout": layout},
            "Importance (PED-ANOVA)",
            80 + 32 * len(keys),
        )
    else:
        made.text(TOO_FEW)
    for one in sorted(ranges, key=lambda one: -importances.get(one.key, 0.0)):
        axis: dict[str, Any] = {"title": {"text": one.key}}
        if one.span is None:
            axis |= {"type": "category", "categoryarray": [str(choice) for choice in one.choices]}
        elif one.span.log:
            axis |= {"type": "log"}
        made.plot({"data": _marks(trials, one), "layout": {"xaxis": axis}}, f"{one.key}: {one}", 240)


def _course(trials: Sequence[Trial]) -> dict[str, Any]:
    so_far, best = [], 0.0
    for trial in trials:
        best = max(best, trial.ndcg or 0.0) if trial.state in ("complete", "stopped") else best
        so_far.append(best or None)
    path = {"type": "scatter", "mode": "lines", "name": "best so far", "line": {"color": OWN, "shape": "hv"}}
    course = {**path, "x": [trial.number for trial in trials], "y": so_far}
    layout = {"xaxis": {"title": {"text": "trial"}}, "yaxis": {"title": {"text": "NDCG@10"}}}
    return {"data": [course, *_marks(trials, None)], "layout": layout}


def _marks(trials: Sequence[Trial], one: Range | None) -> list[dict[str, Any]]:
    """A mark for each judged trial, by its state, at its number or at its value of a key."""
    traces = []
    for state, (color, symbol) in MARKS.items():
        of_state = [trial for trial in trials if trial.state == state and trial.ndcg is not None]
        if not of_state:
            continue
        at = [trial.number if one is None else trial.values[one.key] for trial in of_state]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": state,
                "x": [str(value) for value in at] if one is not None and one.span is None else at,
                "y": [trial.ndcg for trial in of_state],
                "marker": {"color": color, "symbol": symbol, "size": 9},
                "hovertemplate": "%{x}: %{y:.4f}<extra></extra>",
            }
        )
    return traces


def _values(trial: Trial) -> str:
    return "  ".join(f"{key.partition('.')[2]} {_plain(value)}" for key, value in trial.values.items())


def _plain(value: Any) -> str:
    """As a recipe has it: it is copied from here."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _counts(trials: Sequence[Trial]) -> str:
    counts = {
        state: sum(trial.state == state for trial in trials) for state in ("complete", "pruned", "failed", "stopped")
    }
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) + "."
