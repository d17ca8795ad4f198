"""A log's activity, week and periods as plotly figures, in the style of the data page.

In: a `TimeShape` and the log's numbers. Out: figures with captions, thinned to a few hundred points each.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from horae.data.checking.measures import Numbers, hour_of_week
from horae.data.checking.summary import DAYS, duration
from horae.features.activity import DAY, Activity, Floats
from horae.features.baseline import baseline
from horae.features.periodogram import periodogram
from horae.page import COLORS

if TYPE_CHECKING:
    from horae.features.describing import TimeShape

__all__ = ["Picture", "pictures"]

Picture = tuple[dict[str, Any], str]
MAX_POINTS: Final = 400


def pictures(shape: TimeShape, log: Numbers) -> list[Picture]:
    """What there is to see: activity always; the week where hours are known; periods where the span has cycles."""
    drawn = [_activity(shape, log)]
    if shape.visits.width_seconds < DAY:
        drawn.append(_week(log))
    spectrum = _spectrum(shape)
    return [*drawn, spectrum] if spectrum is not None else drawn


def _activity(shape: TimeShape, log: Numbers) -> Picture:
    """Events per day with the trend as a line, and a mark at each break."""
    series, trend = shape.trend.series, shape.trend
    factor = max(1, -(-len(series.counts_M) // MAX_POINTS))
    per_day, shown = DAY / series.width_seconds, series.coarser(factor)
    dates = _dates(shown)
    traces = [_line(dates, shown.counts_M * per_day / factor, "without rhythm" if shape.rhythms else "events", 0)]
    breaks = trend.breaks or ()
    if trend.fitted_M is not None:
        whole = len(trend.fitted_M) // factor * factor
        line = trend.fitted_M[:whole].reshape(-1, factor).mean(axis=1) * per_day
        traces.append(_line(dates, line, "trend", 1))
    marks = [
        {"type": "line", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "x0": at, "x1": at}
        | {"line": {"color": COLORS[1], "width": 1, "dash": "dot"}}
        for at in (_date(one.at_seconds) for one in breaks)
    ]
    layout = {"shapes": marks, "yaxis": {"rangemode": "tozero"}, "showlegend": len(traces) > 1}
    told = f"; {len(breaks)} break{'s' * (len(breaks) != 1)} dotted" if breaks else ""
    return {"data": traces, "layout": layout}, f"Events per day, rhythm taken out, with trend{told}, UTC"


def _week(log: Numbers) -> Picture:
    share = hour_of_week(log)
    cells = [[float(f"{value:.4g}") for value in row] for row in share]
    trace = {"type": "heatmap", "x": list(range(24)), "y": list(DAYS), "z": cells, "showscale": False}
    trace |= {"colorscale": [[0, "rgba(63,111,181,0.04)"], [1, COLORS[0]]], "xgap": 1, "ygap": 1}
    trace |= {"hovertemplate": "%{y} %{x}:00  %{z:.2%}<extra></extra>"}
    layout = {"yaxis": {"autorange": "reversed", "type": "category", "showgrid": False}, "xaxis": {"dtick": 3}}
    return {"data": [trace], "layout": layout}, "Share of events by hour of the week, UTC"


def _spectrum(shape: TimeShape) -> Picture | None:
    """Power over period; the found ones marked. Between two points of the picture the highest power is shown."""
    visits = shape.visits
    if visits.events < 1:
        return None
    spectrum = periodogram(visits, visits.counts_M - baseline(visits)) if len(visits.counts_M) >= 16 else None
    if spectrum is None:
        return None
    frequency, power = spectrum.frequency_F, spectrum.power_F
    edges = np.unique(
        np.searchsorted(frequency, np.geomspace(frequency[0], frequency[-1], min(MAX_POINTS, len(frequency))))
    )
    starts = edges[edges < len(frequency)]
    tops = [int(low + power[low:high].argmax()) for low, high in zip(starts, [*starts[1:], len(power)], strict=True)]
    days = [float(f"{1 / frequency[top] / DAY:.6g}") for top in tops]
    line = _line(days, power[tops], "power", 0)
    found = [(one.period_seconds, float(np.interp(1 / one.period_seconds, frequency, power))) for one in shape.rhythms]
    marks: dict[str, Any] = {"type": "scatter", "mode": "markers+text", "name": "found", "textposition": "top center"}
    marks |= {"x": [period / DAY for period, _ in found], "y": [float(f"{height:.4g}") for _, height in found]}
    marks |= {"text": [duration(period) for period, _ in found], "marker": {"color": COLORS[1], "size": 8}}
    heights = np.log10(np.maximum(power[tops], 1e-3))
    reach = [float(round(heights.min(), 2)), float(round(heights.max() + 0.5, 2))]  # room for the marks' names
    layout = {
        "xaxis": {"type": "log", "title": {"text": "period in days"}},
        "yaxis": {"type": "log", "range": reach, "title": {"text": "power (1: independent events)"}},
        "showlegend": False,
    }
    return {"data": [line, *([marks] if found else [])], "layout": layout}, "Power by period, and the periods found"


def _line(x: list[Any], y: Floats, name: str, color: int) -> dict[str, Any]:
    heights = [float(f"{value:.5g}") for value in y]
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": heights, "line": {"color": COLORS[color]}}


def _dates(activity: Activity) -> list[str]:
    return [_date(activity.start_seconds + number * activity.width_seconds) for number in range(len(activity.counts_M))]


def _date(seconds: float) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M")
