"""A backtest's document in, a terminal page of at most 80 columns out. Knows the document's keys, nothing else."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from horae.evaluation.backtest.answer import times
from horae.evaluation.table import audit_text, columns_of, standing

__all__ = ["LEAD_TABLES", "SHORT", "backtest_text", "plan_text"]

WIDTH = 80
SHORT = {"recent_popularity": "recent", "recent_popularity_live": "live"}
"""The opponents of the terminal's columns: windowed popularity, frozen at the boundary, and live."""
LEAD_TABLES = {
    "once": "asked once, at the boundary",
    "since_boundary": "asked at each step, by time since the model's boundary",
    "since_event": "asked at each step, by time since the user's last event",
}
Document = Mapping[str, Any]


def backtest_text(document: Document) -> str:
    """The backtest for a terminal: folds, lead times, decay, and the answer in words."""
    metric = columns_of(document["pooled"]["metrics"])[0]
    lines = [*_head(document), "", *_folds(document, metric), "", *_lead(document, metric), ""]
    lines += [*_decay(document), "", document["answer"], ""]
    failed = [fold for fold in document["folds"] if not fold["leak_audit"]["passed"]]
    lines += [f"leak audit of fold {fold['fold']} {audit_text(fold['leak_audit'])}" for fold in failed]
    lines += [] if failed else ["leak audit passed in every fold"]
    lines += [f"note: {note}" for note in document["notes"]]
    lines.append(f"{document['seconds']:,.1f} s, fitting included")
    return "\n".join(part for line in lines for part in _wrapped(line))


def plan_text(plan: Document) -> str:
    """What was asked, in a sentence without its end."""
    share = plan["window_days"] is None
    window = f"{100 * float(plan['window']):.3g}% of the events" if share else times(1, plan)
    training = "all that is known before" if plan["train_days"] is None else f"the last {plan['train_days']:g} days"
    folds = "1 fold" if plan["folds"] == 1 else f"{plan['folds']} folds"
    return f"{folds} of {window}, each model fitted on {training}, {plan['targets']} targets"


def _head(document: Document) -> Iterator[str]:
    name = document.get("run", "backtest")
    yield f"{name}: {plan_text(document['backtest'])}"
    yield "recent, live: windowed popularity, frozen at the window's beginning, and up to each request"


def _folds(document: Document, metric: str) -> Iterator[str]:
    yield _line("fold", "from (UTC)", "users", f"{metric} [95%]", "minus recent", "minus live")
    for fold in document["folds"]:
        begins = fold["boundary"].replace("T", " ")[:16]
        cells = [_minus(fold["against"], name, metric) for name in SHORT]
        yield _line(str(fold["fold"]), begins, f"{fold['users']:,}", _cell(fold["metrics"][metric]), *cells)
    pooled = document["pooled"]
    cells = [_minus(pooled["against"], name, metric) for name in SHORT]
    yield _line("all", "", f"{pooled['users']:,}", _cell(pooled["metrics"][metric]), *cells)
    for name, one in pooled["against"].items():
        difference = one[metric]
        if difference["low"] is not None:
            bounds = f"[{difference['low']:+.3f}, {difference['high']:+.3f}]"
            yield f"      minus {name}: {difference['difference']:+.3f} {bounds}"


def _lead(document: Document, metric: str) -> Iterator[str]:
    for key, title in LEAD_TABLES.items():
        rows = document["lead_time"][key]
        if not rows:
            continue
        yield _wide(title if len(title) < 32 else "", "users", f"{metric} [95%]", "minus recent", "minus live", title)
        for row in rows:
            if row["reason"]:
                yield f"  {row['name']}: not measured, {row['reason']}"
                continue
            cells = [_minus(row["against"], name, metric) for name in SHORT]
            yield _wide(f"  {row['name']}", f"{row['users']:,}", _cell(row["metrics"][metric]), *cells)


def _decay(document: Document) -> Iterator[str]:
    decay, plan = document["decay"], document["backtest"]
    if not decay["rows"]:
        return
    yield _aged(f"age, {decay['metric']}", "windows", "users", "fresh", "old", "lost [95%]", "")
    for row in decay["rows"]:
        loss = row["loss"]
        share = "-" if loss["mean"] is None else f"{loss['mean']:.1%}"
        if loss["low"] is not None:
            share += f" [{loss['low']:.1%}, {loss['high']:.1%}]"
        age, users, fresh, old = times(row["age"], plan), f"{row['users']:,}", _mean(row["fresh"]), _mean(row["old"])
        yield _aged(f"  {age}", str(row["windows"]), users, fresh, old, share, row["verdict"])


def _line(fold: str, begins: str, users: str, cell: str, recent: str, live: str) -> str:
    return f"{fold:>4}  {begins:<16}{users:>8}{cell:>22}{recent:>14}{live:>14}".rstrip()


def _wide(name: str, users: str, cell: str, recent: str, live: str, title: str = "") -> str:
    if title and not name:
        return f"{title}\n" + f"{'':<22}{users:>8}{cell:>22}{recent:>14}{live:>14}".rstrip()
    if len(name) > 22:
        return f"{name}\n" + f"{'':<22}{users:>8}{cell:>22}{recent:>14}{live:>14}".rstrip()
    return f"{name:<22}{users:>8}{cell:>22}{recent:>14}{live:>14}".rstrip()


def _aged(name: str, windows: str, users: str, fresh: str, old: str, loss: str, verdict: str) -> str:
    return f"{name:<18}{windows:>8}{users:>7}{fresh:>7}{old:>7}{loss:>25}{verdict:>8}".rstrip()


def _cell(interval: Document) -> str:
    bounds = "" if interval["low"] is None else f" [{interval['low']:.3f}, {interval['high']:.3f}]"
    return f"{_mean(interval)}{bounds}"


def _mean(interval: Document) -> str:
    return "-" if interval["mean"] is None else f"{interval['mean']:.3f}"


def _minus(against: Document, name: str, metric: str) -> str:
    """`+0.012 ahead`: a paired difference, and whether its whole interval lies on one side of zero."""
    if name not in against or against[name][metric]["difference"] is None:
        return "-"
    difference = against[name][metric]
    word = standing(difference)
    return f"{difference['difference']:+.3f} {'' if word == 'unknown' else word}".rstrip()


def _wrapped(line: str) -> list[str]:
    pieces = []
    for part in line.split("\n"):
        indent = " " * (len(part) - len(part.lstrip()) + 2)
        wide = len(part) > WIDTH
        pieces += textwrap.wrap(part, WIDTH, subsequent_indent=indent, break_on_hyphens=False) if wide else [part]
    return pieces
