"""An evaluation's document in, a terminal page of at most 80 columns out. Knows the document's keys, nothing else."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

__all__ = ["ONE_ITEM", "as_text", "audit_text", "cold_text", "columns_of", "gap_text", "one_item", "standing"]

WIDTH = 80
NAME = 23
CELL = 21
ONE_ITEM = "Every event stands on one item, so lists say nothing; what is told of the next event counts."
Document = Mapping[str, Any]


def as_text(document: Document) -> str:
    """The evaluation for a terminal: metrics beside the opponents', what is cold, the largest gap, the audit."""
    lines = [*_head(document), ""]
    lines += [ONE_ITEM, ""] if one_item(document) else [*_opponents(document), "", *_others(document), ""]
    lines += _forecast(document["forecast"]) if document.get("forecast") else []
    lines += [*_cold_lines(document["cold_protocol"]), ""] if document.get("cold_protocol") else []
    lines += [f"leak audit {audit_text(document['leak_audit'])}"]
    lines += [f"note: {note}" for note in document["notes"]]
    seconds = f"{document['seconds']:,.1f} s, opponents fitted in {document['opponent_seconds']:,.1f} s"
    lines.append(f"{seconds}, peak memory {document['peak_memory_mb']:,.0f} MB")
    return "\n".join(part for line in lines for part in _wrapped(line))


def cold_text(document: Document) -> str:
    """The cold protocol for a terminal."""
    return "\n".join(part for line in _cold_lines(document) for part in _wrapped(line))


def columns_of(metrics: Mapping[str, Any]) -> list[str]:
    """The two metrics that tables show: NDCG and recall at 10, or at the largest k judged."""
    ks = sorted({int(name.split("@")[1]) for name in metrics if name.startswith("ndcg@")})
    k = 10 if 10 in ks else ks[-1]
    return [f"ndcg@{k}", f"recall@{k}"]


def one_item(document: Document) -> bool:
    """Is there nothing to rank, as in a log of behaviors and values alone? Then only forecasts are worth reading."""
    return document["items"] == 1 and bool(document.get("forecast"))


def standing(difference: Document | None) -> str:
    """A paired difference in a word: is its whole interval on one side of zero?"""
    if difference is None or difference["low"] is None:
        return "unknown"
    if difference["low"] > 0:
        return "ahead"
    return "behind" if difference["high"] < 0 else "even"


def audit_text(audit: Document) -> str:
    """The verdict in a sentence."""
    findings = audit["findings"]
    if audit["passed"]:
        asked = max((finding["requests"] for finding in findings), default=0)
        changes = ", ".join(finding["change"] for finding in findings)
        return f"passed: {asked} requests asked again with their future {changes}; no score moved"
    said = [
        f"{one['changed']} of {one['requests']} answers moved when the future was {one['change']}"
        for one in findings
        if one["changed"]
    ]
    if audit["test_events_trained_on"]:
        said.append(f"{audit['test_events_trained_on']:,} test events were trained on")
    for name, made in audit.get("features", {}).items():  # absent from what an older version stored
        worst = max(made["findings"], key=lambda one: one["changed"], default=None)
        if worst is not None and worst["changed"]:
            said.append(
                f"{worst['changed']:,} rows of the features {name!r} moved when the future was {worst['change']}"
            )
    return "FAILED: " + "; ".join(said)


def gap_text(slices: Mapping[str, Document]) -> str:
    """The largest gap between two slices; empty where no two slices have users enough."""
    gaps = {by: one for by, one in slices.items() if one["gap"] is not None}
    if not gaps:
        return ""
    by = max(gaps, key=lambda name: gaps[name]["gap"]["difference"])
    gap, metric = gaps[by]["gap"], gaps[by]["metric"]
    return (
        f"largest gap in {metric}: by {by}, '{gap['best']}' stands above '{gap['worst']}' by "
        f"{gap['difference']:.3f}{_bounds(gap)}"
    )


def _head(document: Document) -> Iterator[str]:
    split = document["split"]
    yield (
        f"{document['run']}: {document['requests']:,} requests of {document['users']:,} users, "
        f"{document['items']:,} items, full ranking"
    )
    yield f"{split['kind']} split, test from {split['boundary']}, {split['targets']} targets, ties by {split['ties']}"


def _opponents(document: Document) -> Iterator[str]:
    names = columns_of(document["metrics"])
    head = "".join(f"{name + ' [95%]':>{CELL}}" for name in names)
    yield f"{'':<{NAME}}{head}{'it is':>9}".rstrip()
    yield _row(PurePath(document["run"]).name, document["metrics"], names, "")
    known = {name: one for name, one in document["opponents"].items() if one is not None}
    for name in sorted(known, key=lambda one: -(known[one][names[0]]["mean"] or 0.0)):
        yield _row(name, known[name], names, standing(document["against"][name][names[0]]))
    for name, reason in document["reasons"].items():
        yield f"{name:<{NAME}}  not here: {reason}"


def _row(name: str, metrics: Document, names: list[str], word: str) -> str:
    cells = "".join(f"{_cell(metrics[metric]):>{CELL}}" for metric in names)
    return f"{name[: NAME - 1]:<{NAME}}{cells}{word:>9}".rstrip()


def _cell(interval: Document) -> str:
    return "-" if interval["mean"] is None else f"{interval['mean']:.3f}{_bounds(interval)}"


def _bounds(interval: Document) -> str:
    return "" if interval["low"] is None else f" [{interval['low']:.3f}, {interval['high']:.3f}]"


def _others(document: Document) -> Iterator[str]:
    rest = [f"{name} {_cell(document['metrics'][name])}" for name in _beyond(document["metrics"])]
    yield "also: " + "; ".join(rest)
    pairs = document["pointwise"]
    if pairs is not None:
        words = [f"{name} {_cell(pairs[name])}" for name in ("auc", "accuracy", "log_loss") if pairs[name]]
        yield f"pointwise ({pairs['pairs']:,} pairs, half of them random): " + "; ".join(words)
    cold = document["cold"]
    yield (
        f"cold: {cold['users']['requests']:,} requests of users without a history stand apart; "
        f"{cold['items']['targets']:,} targets ({cold['items']['share']:.1%}) were not in the item table"
    )
    gap = gap_text(document["slices"])
    if gap:
        yield gap


def _cold_lines(document: Document) -> Iterator[str]:
    """New people by what is known of them, then new items; each beside the simple methods."""
    own, names = document["run"], [f"{name}@{document['k']}" for name in ("ndcg", "recall")]
    head = "".join(f"{name + ' [95%]':>{CELL}}" for name in names)
    yield f"{'new people':<{NAME}}{head}{'it is':>9}"
    for level in document["levels"]:
        known = "1 event" if level["events"] == 1 else f"{level['events']} events"
        yield f"after {known} ({level['users']:,} people)"
        yield _row(f"  {own}", level["metrics"], names, "")
        for name, metrics in level["opponents"].items():
            yield _row(f"  {name}", metrics, names, standing(level["against"][name][names[0]]))
        if level["gained"]:
            gained = "".join(f"{_gain(level['gained'][name]):>{CELL}}" for name in names)
            yield f"{'  gained since 0':<{NAME}}{gained}"
    items = document["items"]
    if items["metrics"]:
        yield f"{'new items':<{NAME}}{names[1] + ' [95%]':>{CELL}}{'it is':>9}"
        yield f"{items['requests']:,} requests for {items['items']:,} items, new by {items['by']}"
        yield _row(f"  {own}", items["metrics"], names[1:], "")
        for name, metrics in items["opponents"].items():
            yield _row(f"  {name}", metrics, names[1:], standing(items["against"][name][names[1]]))
    yield from (f"note: {note}" for note in document["notes"])


def _gain(interval: Document) -> str:
    if interval["difference"] is None:
        return "-"
    bounds = "" if interval["low"] is None else f" [{interval['low']:+.2f}, {interval['high']:+.2f}]"
    return f"{interval['difference']:+.2f}{bounds}"


_TOLD = {
    "behavior": ("log_loss", "accuracy"),
    "time": ("mae_seconds", "coverage"),
    "return": ("log_loss", "brier"),
    "value": ("mae", "coverage"),
}
_TOLD_NAME, _TOLD_CELL = 30, 25
_UNITS = {"mae_seconds": ("mae, days", 86_400.0), "log_loss": ("log loss, nats", 1.0)}


def _forecast(told: Document) -> list[str]:
    """What is told of the next event, two figures a question, beside the simple methods."""
    lines = []
    for question, names in _TOLD.items():
        if told.get(question) is None:
            continue
        titles = [_UNITS.get(name, (name, 1.0))[0] for name in names]
        head = f"next {question}, {told[question]['events']:,} events"
        if question == "return":
            days = told[question]["within_seconds"] / 86_400
            head = f"back in {days:.3g} d, {told[question]['events']:,} users"
        lines.append(f"{head:<{_TOLD_NAME}}" + "".join(f"{title + ' [95%]':>{_TOLD_CELL}}" for title in titles))
        rows = {"this run": told[question]["metrics"], **told[question]["opponents"]}
        for name, metrics in rows.items():
            cells = [_told_cell(metrics.get(metric), _UNITS.get(metric, ("", 1.0))[1]) for metric in names]
            lines.append((f"  {name:<{_TOLD_NAME - 2}}" + "".join(f"{cell:>{_TOLD_CELL}}" for cell in cells)).rstrip())
        lines.append("")
    return lines


def _told_cell(interval: Document | None, unit: float) -> str:
    if interval is None or interval["mean"] is None:
        return "" if interval is None else "-"
    mean, low, high = (None if interval[key] is None else _figure(interval[key] / unit) for key in _BOUNDS)
    return str(mean) if low is None else f"{mean} [{low}, {high}]"


_BOUNDS = ("mean", "low", "high")


def _figure(value: float) -> str:
    """Three decimals of what is small, four figures of what is large."""
    size = abs(value)
    return f"{value:.3f}" if size < 10 else f"{value:.2f}" if size < 100 else f"{value:,.{1 if size < 1000 else 0}f}"


def _beyond(metrics: Document) -> list[str]:
    k = columns_of(metrics)[0].split("@")[1]
    names = (f"mrr@{k}", f"map@{k}", "auc", f"coverage@{k}", f"novelty@{k}", f"popularity_bias@{k}", f"diversity@{k}")
    return [name for name in names if name in metrics]


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False) if len(line) > WIDTH else [line]
