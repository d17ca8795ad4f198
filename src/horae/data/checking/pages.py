"""A description as an HTML page with plots: popularity curve, history lengths, events per day, rhythm, behaviors.

In: Events and their `Description`. Out: a `Page`. Plots are thinned to a few hundred points, so that a page of ten
million events is no larger than one of a thousand. It writes no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from horae.data.checking import measures
from horae.data.checking.measures import DAY, Numbers
from horae.data.checking.summary import DAYS, duration
from horae.data.checks import Description
from horae.page import COLORS, Page
from horae.schema import DataReport, Events

__all__ = ["describe_page"]

MAX_POINTS: Final = 300


def describe_page(
    events: Events | Numbers, description: Description, when: Sequence[tuple[dict[str, Any], str]] = ()
) -> Page:
    """The whole page; everything on it can be had from `description.as_dict()` too, but for the curves.

    Args:
        events: The log, or its numbers.
        description: Of it.
        when: Figures with captions that say more of its times than events per day; they stand in their place.
    """
    log = Numbers.of(events)
    source = description.report.source
    page = Page(f"Data: {PurePath(source).name or source}", f"{source}: {_span(description)}")
    page.tiles(_tiles(description))
    _warnings(page, description)
    if description.first is not None:
        page.heading("When")
        for figure, caption in when or [(_per_day(log), "Events per day, UTC")]:
            page.plot(figure, caption)
        _found(page, description)
        hours = [f"{hour}" for hour in range(24)]
        page.plot(_bars(hours, description.hour_profile, ".1%"), "Share of events by hour, UTC")
        page.plot(_bars(DAYS, description.weekday_profile, ".0%"), "Share of events by weekday, UTC")
    page.heading("Who and what")
    page.plot(_lengths(measures.history_lengths(log)), "Users by events (both axes by powers)")
    if description.items is not None:
        page.plot(_popularity(measures.popularity(log)), "Events held by the most popular items")
    page.plot(_bars(list(description.behaviors), list(description.behaviors.values())), "Events by behavior")
    page.table(("measure", "value"), _measures(description), "All measures")
    _cleaning(page, description.report)
    return page


def _span(description: Description) -> str:
    if description.first is None or description.last is None:
        return "times unknown: order only"
    return f"{description.first[:16]} to {description.last[:16]} UTC, times to the {description.resolution}"


def _tiles(description: Description) -> list[tuple[str, Any]]:
    tiles: list[tuple[str, Any]] = [("events", description.events), ("users", description.users)]
    if description.items is not None:
        tiles.append(("items", description.items))
    if description.span_days is not None:
        tiles.append(("time span", duration(description.span_days * 86_400)))
    if description.repeat_share is not None:
        tiles.append(("repeats", f"{description.repeat_share:.1%}"))
    if description.ties_share is not None:
        tiles.append(("equal times", f"{description.ties_share:.1%}"))
    return tiles


def _warnings(page: Page, description: Description) -> None:
    page.heading("What to know")
    for found in description.warnings:
        page.warning(f"{found.message} {found.hint}")
    if not description.warnings:
        page.text("Nothing to warn of.")


def _found(page: Page, description: Description) -> None:
    """Periods and breaks as tables; nothing where there is none."""
    rows = [
        (
            duration(one["period_seconds"]),
            f"{one['amplitude']:.0%}",
            one["last_peak"][:16],
            one["strength"],
            one["p_value"],
        )
        for one in description.rhythm
    ]
    if rows:
        page.table(("period", "amplitude", "last peak, UTC", "strength", "p-value"), rows, "Periods of the activity")
    breaks = (description.trend or {}).get("breaks") or ()
    moved = [(one["at"][:16], one["kind"], one["before_per_day"], one["after_per_day"]) for one in breaks]
    if moved:
        caption = "Breaks: level (of a shift) or slope (of a turn), in events per day"
        page.table(("from, UTC", "kind", "before", "after"), moved, caption)


def _cleaning(page: Page, report: DataReport) -> None:
    page.heading("Cleaning")
    page.text(f"{report.rows_read:,} rows read, {report.rows_kept:,} kept as events. Nothing else was done than this:")
    rows = [(step.kind.replace("_", " "), step.name, step.rows, f"{step.message} {step.hint}") for step in report.steps]
    page.table(("kind", "step", "rows", "what"), rows)
    for step in report.steps:
        if step.examples:
            page.text(f"Examples of {step.name}:")
            page.code("\n".join(step.examples))


def _measures(description: Description) -> list[tuple[str, str]]:
    rows = []
    for group in ("history_length", "gap_seconds", "popularity", "cold"):
        for name, value in getattr(description, group).items():
            shown = "unknown" if value is None else f"{value:.1%}" if "share" in name else f"{value:,.2f}"
            rows.append((f"{group} {name}".replace("_", " "), shown.removesuffix(".00")))
    return rows


def _per_day(log: Numbers) -> dict[str, Any]:
    """Daily counts; of a long log, the mean per day over equal stretches of days."""
    day = log.sorted_T // DAY
    counts = np.bincount(day - day[0])
    step = -(-len(counts) // MAX_POINTS)
    starts = np.arange(0, len(counts), step)
    width = np.diff(starts, append=len(counts))
    means = np.add.reduceat(counts, starts) / width
    dates = [
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int(day[0] + start))).date().isoformat() for start in starts
    ]
    return _figure({"type": "scatter", "mode": "lines", "x": dates, "y": _plain(means)})


def _lengths(lengths: npt.NDArray[np.int64]) -> dict[str, Any]:
    """How many users have 1, 2, 3-4, 5-8, ... events."""
    power = np.ceil(np.log2(lengths)).astype(np.int64)
    counts = np.bincount(power)
    lows = [1, *(2 ** (step - 1) + 1 for step in range(1, len(counts)))]
    names = [f"{low}" if low >= 2**step else f"{low}-{2**step}" for step, low in enumerate(lows)]
    figure = _bars(names, counts.tolist())
    figure["layout"]["yaxis"] = {"type": "log", "dtick": 1}
    return figure


def _popularity(counts: npt.NDArray[np.int64]) -> dict[str, Any]:
    ranks = np.unique(np.geomspace(1, len(counts), min(MAX_POINTS, len(counts))).astype(np.int64))
    held = np.cumsum(counts)[ranks - 1] / counts.sum()
    figure = _figure({"type": "scatter", "mode": "lines", "x": _plain(ranks / len(counts)), "y": _plain(held)})
    figure["layout"] = {
        "xaxis": {"title": {"text": "share of items, most popular first"}, "tickformat": ".0%"},
        "yaxis": {"tickformat": ".0%", "range": [0, 1]},
    }
    return figure


def _bars(names: Sequence[str], heights: Sequence[float], form: str = "") -> dict[str, Any]:
    figure = _figure({"type": "bar", "x": list(names), "y": list(heights)})
    figure["layout"] = {"xaxis": {"type": "category"}, "yaxis": {"tickformat": form}}
    return figure


def _figure(trace: dict[str, Any]) -> dict[str, Any]:
    color = {"line": {"color": COLORS[0]}} if trace["type"] == "scatter" else {"marker": {"color": COLORS[0]}}
    return {"data": [trace | color], "layout": {}}


def _plain(values: npt.NDArray[Any]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
