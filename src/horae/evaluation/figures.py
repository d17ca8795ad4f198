"""Parts of an evaluation's document in, plotly figures as plain dicts out. Knows neither pages nor plotly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from horae.page import COLORS

__all__ = ["calibration", "opponents", "slices", "training"]

Document = Mapping[str, Any]
Figure = dict[str, Any]

OWN, OTHER, THIRD = COLORS[0], COLORS[4], COLORS[1]
ROW = 30


def opponents(document: Document, metric: str, *, largest_on_top: bool = True) -> tuple[Figure, int]:
    """One bar with its interval for each method, the best on top; the run's own in color. Also the height."""
    means = {name: one[metric] for name, one in document["opponents"].items() if one is not None}
    bars = [(name, one, OTHER) for name, one in means.items()] + [(_own(document), document["metrics"][metric], OWN)]
    bars.sort(key=lambda bar: bar[1]["mean"] or 0.0, reverse=not largest_on_top)
    figure = _bars([name for name, _, _ in bars], [one for _, one, _ in bars], [color for _, _, color in bars])
    return figure, 60 + ROW * len(bars)


def slices(slicing: Document) -> tuple[Figure, int]:
    """One bar with its interval for each slice, in natural order from the top. Also the height."""
    rows = list(reversed(slicing["slices"]))
    names = [f"{row['name']} ({row['users']:,})" for row in rows]
    return _bars(names, rows, [OWN] * len(rows)), 60 + ROW * len(rows)


def training(history: Sequence[Document]) -> tuple[Figure, str]:
    """Loss by epoch, and the validation metric on its own axis where there is one. Also a caption."""
    epochs = [line["epoch"] for line in history]
    data = [_line(epochs, [line["loss"] for line in history], "training loss", THIRD, "y")]
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "epoch"}, "dtick": max(1, len(epochs) // 10)},
        "yaxis": {"title": {"text": "loss"}},
    }
    judged = [line for line in history if line.get("validation")]
    if not judged:
        return {"data": data, "layout": layout}, "The loss on the training events."
    name = "ndcg@10" if "ndcg@10" in judged[0]["validation"] else next(iter(judged[0]["validation"]))
    values = [line["validation"][name] for line in judged]
    data.append(_line([line["epoch"] for line in judged], values, f"validation {name}", OWN, "y2"))
    layout["yaxis2"] = {"title": {"text": name}, "overlaying": "y", "side": "right", "showgrid": False}
    layout["yaxis2"] |= {"tickmode": "auto", "nticks": 6}
    layout["margin"] = {"l": 48, "r": 56, "t": 12, "b": 40}
    best = max(judged, key=lambda line: line["validation"][name])
    return {"data": data, "layout": layout}, (
        f"Loss on the training events (left) and {name} on the validation part (right); best in epoch {best['epoch']}."
    )


def calibration(rows: Sequence[Document], counted: str = "pairs") -> Figure:
    """What was said against what came: on the line, a chance of 70% comes true 70 times of 100.

    Args:
        rows: `probability`, `came`, and how many there were.
        counted: The key of how many; with others than pairs the axes end where the chances do.
    """
    said, came = [row["probability"] for row in rows], [row["came"] for row in rows]
    end = 1.0 if counted == "pairs" else min(1.0, 1.1 * max([*said, *came, 0.01]))
    line = {"type": "scatter", "mode": "lines", "x": [0, end], "y": [0, end], "hoverinfo": "skip", "showlegend": False}
    points = {"type": "scatter", "mode": "lines+markers", "x": said, "y": came, "showlegend": False}
    axis = {"range": [0, end], "tickformat": ".0%" if end > 0.2 else ".1%"}
    return {
        "data": [
            line | {"line": {"color": OTHER, "dash": "dot", "width": 1}},
            points | {"line": {"color": OWN}, "text": [f"{row[counted]:,} {counted}" for row in rows]},
        ],
        "layout": {
            "xaxis": axis | {"title": {"text": "chance that was said"}},
            "yaxis": axis | {"title": {"text": "share that came true"}},
        },
    }


def _own(document: Document) -> str:
    """The run's name, told apart from an opponent of the same name."""
    return f"{document['run']} (this run)" if document["run"] in document["opponents"] else str(document["run"])


def _bars(names: list[str], intervals: Sequence[Document], colors: list[str]) -> Figure:
    means = [one["mean"] or 0.0 for one in intervals]
    up = [0.0 if one["high"] is None else one["high"] - mean for one, mean in zip(intervals, means, strict=True)]
    down = [0.0 if one["low"] is None else mean - one["low"] for one, mean in zip(intervals, means, strict=True)]
    error = {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1.2, "width": 3}
    bar = {
        "type": "bar",
        "orientation": "h",
        "x": means,
        "y": names,
        "marker": {"color": colors},
        "error_x": error | {"color": COLORS[4] if OWN in colors and OTHER not in colors else COLORS[1]},
        "hovertemplate": "%{y}: %{x:.4f}<extra></extra>",
        "showlegend": False,
    }
    layout = {
        "xaxis": {"rangemode": "tozero", "showgrid": True},
        "yaxis": {"type": "category", "showgrid": False},
        "margin": {"l": 8, "r": 12, "t": 4, "b": 32},
    }
    return {"data": [bar], "layout": layout}


def _line(x: list[int], y: list[float], name: str, color: str, axis: str) -> Figure:
    line = {"type": "scatter", "mode": "lines+markers", "x": x, "y": y, "name": name}
    return line | {"line": {"color": color, "width": 2}, "marker": {"size": 5}, "yaxis": axis}
