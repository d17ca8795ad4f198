"""Parts of a backtest's document in, plotly figures as plain dicts out. Knows neither pages nor plotly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from horae.page import COLORS

__all__ = ["by_age", "by_fold", "by_lead"]

Document = Mapping[str, Any]
Figure = dict[str, Any]

OWN, FROZEN, LIVE, GREY = COLORS[0], COLORS[1], COLORS[2], COLORS[4]
NAMES = {"recent_popularity": "windowed popularity", "recent_popularity_live": "the same, live"}
STYLES = {"recent_popularity": (FROZEN, "square"), "recent_popularity_live": (LIVE, "diamond")}


def by_fold(document: Document, metric: str) -> Figure:
    """The metric in window after window, with intervals, beside windowed popularity."""
    folds = document["folds"]
    times = [fold["boundary"][:16].replace("T", " ") for fold in folds]
    data = [
        _points(times, [fold["metrics"][metric] for fold in folds], document.get("run", "the model"), OWN, "circle")
    ]
    for name, (color, symbol) in STYLES.items():
        if all(fold["opponents"].get(name) for fold in folds):
            values = [fold["opponents"][name][metric] for fold in folds]
            data.append(_points(times, values, NAMES[name], color, symbol))
    axis = {"type": "date", "tickvals": times, "tickformat": "%d %b %Y", "title": {"text": "window begins"}}
    return {"data": data, "layout": {"xaxis": axis, "yaxis": _axis(metric)}}


def by_lead(rows: Sequence[Document], metric: str, run: str) -> Figure:
    """Bars with intervals, from soon to late; what windowed popularity reaches is a mark on each."""
    measured = [row for row in rows if not row["reason"]]
    names = [row["name"] for row in measured]
    own = [row["metrics"][metric] for row in measured]
    bar = {
        "type": "bar",
        "x": names,
        "y": [one["mean"] or 0.0 for one in own],
        "name": run,
        "marker": {"color": OWN},
        "error_y": _error(own) | {"color": GREY},
        "text": [f"{row['users']:,} users" for row in measured],
        "textposition": "none",
        "hovertemplate": "%{x}: %{y:.4f}, %{text}<extra></extra>",
    }
    data: list[Figure] = [bar]
    for name, (color, symbol) in STYLES.items():
        if measured and all(name in row["against"] for row in measured):
            theirs = [_theirs(row, name, metric) for row in measured]
            mark = {"color": color, "symbol": symbol, "size": 10, "line": {"width": 1, "color": "#fff"}}
            data.append(
                {"type": "scatter", "mode": "markers", "x": names, "y": theirs, "name": NAMES[name], "marker": mark}
            )
    layout = {"xaxis": {"type": "category"}, "yaxis": _axis(metric), "bargap": 0.45}
    return {"data": data, "layout": layout}


def by_age(document: Document) -> Figure:
    """The share that is lost, over the age of the model; the line of what may be lost."""
    decay, plan = document["decay"], document["backtest"]
    rows = [row for row in decay["rows"] if row["loss"]["mean"] is not None]
    ages, losses = [row["age"] * plan["window_units"] for row in rows], [row["loss"] for row in rows]
    points = _points(ages, losses, "lost (95%)", OWN, "circle")
    ends = [0, 1.05 * max(ages, default=1)]
    limit = {"type": "scatter", "mode": "lines", "x": ends, "y": [decay["tolerated"]] * 2, "name": "what may be lost"}
    data = [points, limit | {"line": {"color": FROZEN, "dash": "dot", "width": 2}, "hoverinfo": "skip"}]
    slope = decay["loss_per_window"]["mean"]
    if slope is not None and len(rows) > 1 and rows[0]["verdict"] != "lost":
        line = {
            "type": "scatter",
            "mode": "lines",
            "x": ends,
            "y": [slope * age / plan["window_units"] for age in ends],
            "name": "trend",
        }
        data.append(line | {"line": {"color": GREY, "width": 1.5}, "hoverinfo": "skip"})
    zero = {"zeroline": True, "zerolinecolor": GREY, "zerolinewidth": 1}
    layout = {
        "xaxis": {
            "title": {"text": f"age of the model ({plan['unit']}s)"},
            "tickvals": [0, *ages],
            "range": [-0.03 * ends[1], ends[1]],
        },
        "yaxis": {"title": {"text": f"share of {decay['metric']} lost"}, "tickformat": ".0%"} | zero,
    }
    return {"data": data, "layout": layout}


def _points(x: Sequence[Any], intervals: Sequence[Document], name: str, color: str, symbol: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(x),
        "y": [one["mean"] for one in intervals],
        "name": name,
        "line": {"color": color, "width": 2},
        "marker": {"color": color, "symbol": symbol, "size": 8},
        "error_y": _error(intervals) | {"color": color},
    }


def _error(intervals: Sequence[Document]) -> Figure:
    known = [one if one["low"] is not None else {"mean": 0.0, "low": 0.0, "high": 0.0} for one in intervals]
    up, down = [one["high"] - one["mean"] for one in known], [one["mean"] - one["low"] for one in known]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1.2, "width": 4}


def _theirs(row: Document, name: str, metric: str) -> float | None:
    own, difference = row["metrics"][metric]["mean"], row["against"][name][metric]["difference"]
    return None if own is None or difference is None else own - difference


def _axis(metric: str) -> Figure:
    return {"title": {"text": metric}, "rangemode": "tozero"}
