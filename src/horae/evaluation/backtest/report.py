"""A backtest's document in, one self-contained page out that a manager can read. It computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from horae.evaluation.backtest import figures
from horae.evaluation.backtest.answer import times
from horae.evaluation.backtest.table import LEAD_TABLES, plan_text
from horae.evaluation.table import audit_text, columns_of, standing
from horae.evaluation.words import interval, meaning
from horae.page import Page

__all__ = ["backtest_page"]

Document = Mapping[str, Any]

WINDOWED, LIVE = "recent_popularity", "recent_popularity_live"
LEAD_WORDS = {
    "once": (
        "One list for each user, made when the model was fresh and never again: how much of what came later was in it? "
        "An item counts in each row in whose time it first came."
    ),
    "since_boundary": (
        "The weights stay as they were at the boundary, but each step of a user is known at the next: the model is "
        "asked anew each time. Windowed popularity beside it was counted anew in each window, and at each request."
    ),
    "since_event": (
        "Fresh models in their own windows: is somebody who was here a minute ago easier to serve than somebody who "
        "comes back after a month?"
    ),
}


def backtest_page(document: Document, *, source: str = "", commands: Sequence[str] = ()) -> Page:
    """Put the page together.

    Args:
        document: `Backtest.as_dict()`, with the run's name under `run`.
        source: What log it was made of.
        commands: What reproduces it.
    """
    run = str(document.get("run", "the model"))
    page = Page(f"{run} over time", f"{plan_text(document['backtest'])}{f', from {source}' if source else ''}")
    metric = columns_of(document["pooled"]["metrics"])[0]
    _summary(page, document, metric)
    _folds(page, document, metric)
    _lead(page, document, metric, run)
    _decay(page, document)
    _trust(page, document)
    if commands:
        page.heading("How to get this again")
        page.code("\n".join(commands))
    return page


def _summary(page: Page, document: Document, metric: str) -> None:
    failed = [fold for fold in document["folds"] if not fold["leak_audit"]["passed"]]
    if failed:
        page.callout(
            f"Do not use these numbers. The leak audit of fold {failed[0]['fold']} "
            f"{audit_text(failed[0]['leak_audit'])}.",
            "bad",
        )
    page.lead(document["answer"])
    pooled = document["pooled"]
    if WINDOWED in pooled["against"]:
        page.text(_standing(pooled["against"], metric))
    for note in document["notes"]:
        page.callout(note, "note")
    spread = pooled["spread"].get(metric)
    tiles: list[tuple[str, Any, str]] = [(metric, _mean(pooled["metrics"][metric]), _range(pooled["metrics"][metric]))]
    if spread is not None:
        tiles.append(("worst and best window", f"{spread['worst']:.3f}, {spread['best']:.3f}", metric))
    every = document["decay"]["retrain_every"]
    if every is not None:
        longer = "longer was not tested" if document["decay"]["longer_untested"] else "then it is fitted anew"
        tiles.append(("a model may serve", times(every, document["backtest"]), longer))
    tiles.append(("users judged", pooled["users"], f"{len(document['folds'])} windows"))
    page.tiles(tiles)


def _standing(against: Document, metric: str) -> str:
    words = {"ahead": "is clearly ahead of", "behind": "is clearly behind", "even": "differs, if at all, from"}
    said = []
    for name, what in ((WINDOWED, "windowed popularity as of each boundary"), (LIVE, "windowed popularity kept live")):
        if name in against:
            word = words.get(standing(against[name][metric]), "differs by an unknown amount from")
            said.append(f"{word} {what}, by {interval(against[name][metric])} of {metric}")
    return f"Over all windows the model {', and '.join(said)}."


def _folds(page: Page, document: Document, metric: str) -> None:
    page.heading("Window after window")
    page.text(
        "Each model was made of what lay before its window, and judged in it. Everybody answered the same requests; a "
        "whisker holds the mean of 95 of 100 such samples of users."
    )
    page.plot(figures.by_fold(document, metric), f"{metric} ({meaning(metric)})", 340)
    heads = ["fold", "window begins", "learned from", "users", f"{metric} (95%)"]
    heads += ["minus windowed popularity", "minus it, live"]
    rows = [
        [
            str(fold["fold"]),
            _moment(fold["boundary"]),
            f"{fold['train_events']:,} events",
            fold["users"],
            interval(fold["metrics"][metric]),
            *(
                interval(fold["against"][name][metric]) if name in fold["against"] else None
                for name in (WINDOWED, LIVE)
            ),
        ]
        for fold in document["folds"]
    ]
    pooled = document["pooled"]
    minus = [interval(pooled["against"][n][metric]) if n in pooled["against"] else None for n in (WINDOWED, LIVE)]
    rows.append(["all", "", "", pooled["users"], interval(pooled["metrics"][metric]), *minus])
    page.table(heads, rows)
    more = [name for name in pooled["against"] if name not in (WINDOWED, LIVE)]
    if more:
        cells = [[n, interval(pooled["opponents"][n][metric]), interval(pooled["against"][n][metric])] for n in more]
        page.table(["opponent", f"{metric} (95%)", "model minus it"], cells, "Over all windows")


def _lead(page: Page, document: Document, metric: str, run: str) -> None:
    page.heading("How far ahead")
    names = columns_of(document["pooled"]["metrics"])
    for key, title in LEAD_TABLES.items():
        rows = document["lead_time"][key]
        if not any(not row["reason"] for row in rows):
            continue
        page.text(f"{title[0].upper()}{title[1:]}. {LEAD_WORDS[key]}")
        page.plot(figures.by_lead(rows, metric, run), f"{metric}: {title}", 320)
        heads = ["target comes", *(f"{name} (95%)" for name in names), "minus windowed popularity", "users", "models"]
        page.table(
            heads,
            [
                [
                    row["name"],
                    *(interval(row["metrics"][name]) for name in names),
                    interval(row["against"][WINDOWED][metric]) if WINDOWED in row["against"] else None,
                    row["users"],
                    row["models"],
                ]
                for row in rows
                if not row["reason"]
            ],
        )
        page.bullets(f"{row['name']} was not measured: {row['reason']}." for row in rows if row["reason"])


def _decay(page: Page, document: Document) -> None:
    decay, plan = document["decay"], document["backtest"]
    page.heading("What is lost without retraining")
    page.text(document["answer"])
    if not decay["rows"]:
        return
    share = f"{decay['tolerated']:.0%}"
    page.plot(
        figures.by_age(document), f"Loss of {decay['metric']} against a model fitted anew, on the same windows", 320
    )
    page.text(
        "An older model and one fitted anew answered the same requests. What is lost is one minus the ratio of their "
        f"means. An age is kept where the whole interval lies below {share}, lost where it lies above; a model may "
        "serve until the first age that is not kept."
    )
    rows = [
        [
            times(row["age"], plan),
            interval(row["fresh"]),
            interval(row["old"]),
            _share(row["loss"]),
            row["verdict"],
            interval(row["against"][WINDOWED]) if WINDOWED in row["against"] else None,
            row["users"],
            row["windows"],
        ]
        for row in decay["rows"]
    ]
    heads = [
        "age",
        "fresh (95%)",
        "old (95%)",
        "lost (95%)",
        f"{share}?",
        "old minus fresh popularity",
        "users",
        "windows",
    ]
    page.table(heads, rows)


def _trust(page: Page, document: Document) -> None:
    page.heading("Can these numbers be trusted?")
    page.bullets(
        [
            "Whoever fitted was handed the past alone: nothing at or after a boundary was in it.",
            "Every item was ranked, not a sample; users without any event before a request are not asked.",
            "A user counts once in each window. For intervals users are drawn whole, with all of their windows, "
            f"{document['bootstrap']:,} times (seed {document['seed']}).",
            "The luck of a single training is not in the intervals: where it matters, use another seed and compare.",
        ]
    )
    rows = [
        [str(fold["fold"]), "passed" if fold["leak_audit"]["passed"] else "FAILED", audit_text(fold["leak_audit"])]
        for fold in document["folds"]
    ]
    page.table(["fold", "leak audit", "in words"], rows)


def _moment(text: str) -> str:
    return text.replace("T", " ")[:16]


def _mean(document: Document) -> str:
    return "\N{EN DASH}" if document["mean"] is None else f"{document['mean']:.3f}"


def _range(document: Document) -> str:
    return "" if document["low"] is None else f"{document['low']:.3f} to {document['high']:.3f}"


def _share(loss: Document) -> str:
    if loss["mean"] is None:
        return "\N{EN DASH}"
    bounds = "" if loss["low"] is None else f" ({loss['low']:.1%} to {loss['high']:.1%})"
    return f"{loss['mean']:.1%}{bounds}"
