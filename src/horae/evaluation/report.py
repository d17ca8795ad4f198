"""A run's card, its evaluation and its training log in, one self-contained page out that a manager can read.

The page says first what the recommender is worth and whether the numbers can be trusted, then shows everything behind
them. It computes nothing: what it prints stands in `card.json` and in `horae evaluate --json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from horae.evaluation import figures
from horae.evaluation.examples import Example
from horae.evaluation.forecasts.page import forecast_lead, forecast_sections
from horae.evaluation.table import ONE_ITEM, audit_text, columns_of, gap_text, one_item, standing
from horae.evaluation.words import comparison, headline, interval, meaning
from horae.page import Column, Page

__all__ = ["report_page"]

Document = Mapping[str, Any]

MOST_CAME = 12


def report_page(
    card: Document,
    evaluation: Document,
    *,
    description: Document | None = None,
    history: Sequence[Document] = (),
    examples: Iterable[Example] = (),
    commands: Sequence[str] = (),
) -> Page:
    """Put the page together.

    Args:
        card: The run's `card.json`.
        evaluation: `Evaluation.as_dict()`.
        description: `Description.as_dict()` of the log, where it was described.
        history: The lines of `log.jsonl`.
        examples: From `examples_of`.
        commands: What reproduces the page, one command each; the usual three where not given.
    """
    evaluation = {**evaluation, "run": card.get("run", evaluation["run"])}  # the recipe's name, not a folder's
    split = evaluation["split"]
    page = Page(
        f"{evaluation['run']}: what it is worth",
        f"{split['kind']} split, test from {_moment(split['boundary'])}, {split['targets']} targets, all items ranked",
    )
    _summary(page, evaluation)
    if not one_item(evaluation):
        _lists(page, evaluation, list(examples))
    if evaluation.get("forecast"):
        forecast_sections(page, evaluation)
    _training(page, card, history)
    _data(page, card, description)
    if card.get("content"):
        _content(page, card["content"])
    _audit(page, evaluation)
    if not one_item(evaluation):
        _all_metrics(page, evaluation)
    _reproduce(page, card, evaluation, commands)
    return page


def _summary(page: Page, evaluation: Document) -> None:
    metrics, (ndcg, recall) = evaluation["metrics"], columns_of(evaluation["metrics"])
    if not evaluation["passed"]:
        page.callout(f"Do not use these numbers. The leak audit {audit_text(evaluation['leak_audit'])}.", "bad")
    told = forecast_lead(evaluation["forecast"]) if evaluation.get("forecast") else ""
    page.lead(told if one_item(evaluation) else headline(evaluation))
    if one_item(evaluation):
        page.text(ONE_ITEM)
    elif evaluation["against"]:
        page.text(comparison(evaluation))
    if told and not one_item(evaluation):
        page.text(told)
    if evaluation["passed"]:
        page.callout(f"The leak audit {audit_text(evaluation['leak_audit'])}.", "good")
    for note in evaluation["notes"]:
        page.callout(note, "note")
    if one_item(evaluation):
        page.tiles([("users judged", evaluation["users"], f"{evaluation['forecast']['events']:,} events foretold")])
        return
    k = ndcg.split("@")[1]
    tiles: list[tuple[str, Any, str]] = [
        (name, _mean(metrics[name]), _range(metrics[name])) for name in (f"hit_rate@{k}", recall, ndcg)
    ]
    tiles.append(("users judged", evaluation["users"], f"{evaluation['requests']:,} requests"))
    tiles.append(("items ranked", evaluation["items"], f"{metrics[f'coverage@{k}']['mean']:.0%} of them recommended"))
    page.tiles(tiles)


def _lists(page: Page, evaluation: Document, examples: list[Example]) -> None:
    """What the recommendations are worth."""
    _opponents(page, evaluation)
    _examples(page, examples)
    _slices(page, evaluation)
    _cold(page, evaluation)
    _chances(page, evaluation["pointwise"])


def _opponents(page: Page, evaluation: Document) -> None:
    page.heading("Beside simple methods")
    ndcg, recall = columns_of(evaluation["metrics"])
    if not evaluation["opponents"]:
        page.text("No opponents were asked for, so these numbers stand alone.")
        return
    page.text(
        "Everybody answered the same requests and knows nothing of the test. A whisker holds the mean of 95 of 100 "
        "such samples of users; who is ahead is told by the paired difference, user by user."
    )
    figure, height = figures.opponents(evaluation, ndcg)
    page.plot(figure, f"{ndcg} ({meaning(ndcg)})", height)
    known = {name: one for name, one in evaluation["opponents"].items() if one is not None}
    own = evaluation["metrics"]
    rows = [(own[ndcg]["mean"] or 0.0, [evaluation["run"], interval(own[ndcg]), interval(own[recall]), "", ""])]
    for name, theirs in known.items():
        difference = evaluation["against"][name][ndcg]
        cells = [name, interval(theirs[ndcg]), interval(theirs[recall]), interval(difference), standing(difference)]
        rows.append((theirs[ndcg]["mean"] or 0.0, cells))
    rows.sort(key=lambda row: -row[0])
    heads = ["method", f"{ndcg} (95%)", f"{recall} (95%)", f"{evaluation['run']} minus it", f"{evaluation['run']} is"]
    page.table(heads, [cells for _, cells in rows])
    if evaluation["reasons"]:
        page.bullets(f"{name} is not here: {reason}" for name, reason in evaluation["reasons"].items())


def _examples(page: Page, examples: list[Example]) -> None:
    if not examples:
        return
    page.heading("Four people" if len(examples) == 4 else "Some people")
    page.text("Drawn at random from the test part, not picked for their look. What was recommended and came is marked.")
    for one in examples:
        history = Column(f"Before ({one.events:,} events, the newest first)", one.history)
        listed = Column("Recommended", [f"{n}. {title}" for n, title in enumerate(one.listed, 1)], one.hits)
        rest = [f"and {len(one.came) - MOST_CAME:,} more"] if len(one.came) > MOST_CAME else []
        came = Column("What really came", [*one.came[:MOST_CAME], *rest], one.found)
        likes = [Column("Likes more than others", one.likes)] if one.likes else []
        page.columns(f"User {one.user}" + (f", {one.asked}" if one.asked else ""), [history, *likes, listed, came])


def _slices(page: Page, evaluation: Document) -> None:
    slices = evaluation["slices"]
    if not slices:
        return
    page.heading("Where it is good, and where not")
    gap = gap_text(slices)
    if gap:
        page.text(gap[0].upper() + gap[1:] + ". Among many slices some gap is large by chance: look before you act.")
    widest = max(slices, key=lambda by: (slices[by]["gap"] or {"difference": -1.0})["difference"])
    figure, height = figures.slices(slices[widest])
    page.plot(figure, f"{slices[widest]['metric']} by {widest} (users). {slices[widest]['about']}", height)
    rows = [
        [by if place == 0 else "", row["name"], interval(row), row["users"], row["n"]]
        for by, one in slices.items()
        for place, row in enumerate(one["slices"])
    ]
    metric = slices[widest]["metric"]
    page.table(["by", "slice", f"{metric} (95%)", "users", "requests"], rows, "All slices")


def _cold(page: Page, evaluation: Document) -> None:
    cold, (ndcg, recall) = evaluation["cold"], columns_of(evaluation["metrics"])
    page.heading("New users and new items")
    page.text(
        f"{cold['users']['requests']:,} requests came from {cold['users']['n']:,} users without any history. They get "
        "what is popular, and do not count above. "
        f"{cold['items']['targets']:,} of the targets ({cold['items']['share']:.1%}) were items that were not there "
        "in training: misses, which count above."
    )
    parts = (
        ("users without a history", cold["users"]["metrics"]),
        ("only items that were there", cold["items"]["metrics_without"]),
        ("only items that were not there", cold["items"]["metrics"]),
    )
    rows = [
        [name, *(interval(metrics[metric]) if metric in metrics else None for metric in (ndcg, recall))]
        for name, metrics in parts
        if metrics
    ]
    page.table(["judged by", f"{ndcg} (95%)", f"{recall} (95%)"], rows)
    if evaluation.get("cold_protocol"):
        _cold_start(page, evaluation["cold_protocol"])


def _cold_start(page: Page, cold: Document) -> None:
    """The protocol's two tables, and what to know to read them."""
    ndcg, recall = (f"{name}@{cold['k']}" for name in ("ndcg", "recall"))
    rows = [
        [level["events"], level["users"], interval(level["metrics"][ndcg]), interval(level["metrics"][recall])]
        + [interval(level["against"][name][ndcg]) for name in level["opponents"]]
        for level in cold["levels"]
    ]
    if rows:
        against = [f"{ndcg} minus {name}" for name in cold["levels"][0]["opponents"]]
        page.table(["events known", "people", f"{ndcg} (95%)", f"{recall} (95%)", *against], rows)
    items = cold["items"]
    if items["metrics"]:
        methods = {cold["run"]: items["metrics"], **items["opponents"]}
        rows = [[name, interval(metrics[recall])] for name, metrics in methods.items()]
        page.table([f"new items, by {items['by']}", f"{recall} (95%)"], rows)
    page.bullets(cold["notes"])


def _chances(page: Page, pairs: Document | None) -> None:
    if pairs is None:
        return
    page.heading("Can a score be read as a chance?")
    page.text(
        f"{pairs['pairs']:,} pairs were scored: what came, and {pairs['negatives']}. Telling these apart is easy; the "
        "question is whether the chance that is said holds."
    )
    rows = [[name, interval(pairs[key])] for name, key in _POINTWISE if pairs[key] is not None]
    page.table(["pointwise", "value (95%)"], rows)
    if pairs["calibration"]:
        page.plot(figures.calibration(pairs["calibration"]), "Said against come true, in tenths of the chance", 320)
    else:
        page.text("This recommender is not calibrated: its scores order items, they are not chances.")


_POINTWISE = (
    ("AUC (0.5 is chance)", "auc"),
    ("accuracy at one half", "accuracy"),
    ("log loss (0.69 is a coin's, lower is better)", "log_loss"),
)


def _training(page: Page, card: Document, history: Sequence[Document]) -> None:
    lines = [line for line in history if "loss" in line]
    if lines:
        page.heading("Training")
        figure, caption = figures.training(lines)
        page.plot(figure, caption)
    cost = [(name.replace("_", " "), value) for name, value in card.get("training", {}).items() if _is_plain(value)]
    if cost:
        if not lines:
            page.heading("Training")
        page.table(["cost", "value"], cost)


def _data(page: Page, card: Document, description: Document | None) -> None:
    report = (description or {}).get("report") or card.get("data_report")
    if not description and not report:
        return
    page.heading("The data")
    if description:
        span = description["span_days"]
        tiles = [("events", description["events"]), ("users", description["users"]), ("items", description["items"])]
        page.tiles([*tiles, ("days", None if span is None else round(span, 1)), ("repeat share", _share(description))])
        for finding in description["warnings"]:
            page.warning(f"{finding['message']} {finding['hint']}")
    if report:
        page.text(f"{report['rows_read']:,} rows read from {report['source']}, {report['rows_kept']:,} kept.")
        rows = [
            [step["kind"].replace("_", " "), step["name"], step["rows"] or "", step["message"]]
            for step in report["steps"]
        ]
        page.table(["what", "step", "rows", "in words"], rows, "Everything that was understood, changed or dropped")


def _content(page: Page, content: Document) -> None:
    """What is known of items, and where the catalog has holes."""
    page.heading("What items say")
    steps = content["report"]["steps"]
    page.tiles([(f"items with {name}", known, "") for name, known in content["known"].items()])
    rows = [[step["kind"], step["name"], step["message"], ", ".join(step["examples"])] for step in steps]
    page.table(["what", "step", "in words", "for example"], rows, "Items without any are known by their ids alone")


def _audit(page: Page, evaluation: Document) -> None:
    page.heading("Can these numbers be trusted?")
    page.bullets(
        [
            "Everybody answers with weights, counts and windows frozen at the boundary; only recent_popularity_live, "
            "recipes with live-popularity in them, and places kept for new items go on counting up to each request.",
            "Every item was ranked, not a sample; equal scores are ordered by item, not by luck.",
            "Every user counts alike; intervals come from "
            f"{evaluation['bootstrap']:,} resamples of the users (seed {evaluation['seed']}).",
        ]
    )
    audit = evaluation["leak_audit"]
    rows = [
        [
            f"future {one['change']}",
            one["requests"],
            one["changed"],
            f"{one['largest']:.2g}",
            "; ".join(one["examples"]),
        ]
        for one in audit["findings"]
    ]
    page.table(["leak audit", "asked again", "moved", "largest change", "examples"], rows)
    trained = audit["test_events_trained_on"]
    page.text(
        "Whether test events were trained on could not be checked: the run does not hold its events."
        if trained is None
        else f"Test events among those trained on: {trained:,}."
    )


def _all_metrics(page: Page, evaluation: Document) -> None:
    page.heading("All metrics")
    rows = [[name, interval(one, 4), meaning(name)] for name, one in evaluation["metrics"].items()]
    page.table(["metric", "mean (95%)", "in words"], rows)


def _reproduce(page: Page, card: Document, evaluation: Document, commands: Sequence[str]) -> None:
    page.heading("Cost, versions, and how to get this again")
    rows = [("judging", f"{evaluation['seconds']:,.1f} s"), ("peak memory", f"{evaluation['peak_memory_mb']:,.0f} MB")]
    rows += [(name, str(version)) for name, version in card.get("versions", {}).items()]
    rows += [("seed", str(card["seed"]))] if "seed" in card else []
    if card.get("refit"):
        page.text("After judging, the model was trained again on all events; the numbers are those from before.")
    page.table(["what", "value"], rows)
    kind = {"leave-one-out": " --split leave-one-out", "column": " --split column"}.get(evaluation["split"]["kind"], "")
    usual = (
        f"horae train EVENTS -o RUN --recipe {card.get('run', evaluation['run'])}{kind} --seed {card.get('seed', 0)}",
        "horae evaluate RUN --json",
        "horae recommend RUN --user USER -k 10",
    )
    page.code("\n".join(commands or usual))


def _mean(document: Document) -> str:
    return "\N{EN DASH}" if document["mean"] is None else f"{document['mean']:.3f}"


def _moment(boundary: str) -> str:
    """An ISO time for readers; other words stay."""
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d(:\d\d)?)(\.\d+)?\+00:00$", r"\1 \2 UTC", boundary)


def _range(document: Document) -> str:
    return "" if document["low"] is None else f"{document['low']:.3f} to {document['high']:.3f}"


def _share(description: Document) -> str | None:
    share = description["repeat_share"]
    return None if share is None else f"{share:.0%}"


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | str)
