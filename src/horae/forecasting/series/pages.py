"""A forecast as an HTML page: what comes next, true against predicted with bounds, errors by step, all numbers.

In: `SeriesForecast`. Out: a `Page`. It computes nothing that is not in `SeriesForecast.as_dict()`, but for the curves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from horae.forecasting.series.every import Floats, Ints
from horae.forecasting.series.words import standing, table_rows
from horae.page import COLORS, Page

if TYPE_CHECKING:
    from horae.forecasting.series.result import SeriesForecast

__all__ = ["forecast_page"]

MOST_SERIES: Final = 12
HISTORY_HORIZONS: Final = 6
FEWEST_BINS: Final = 60
OWN, TRUE, NAIVE = COLORS[0], COLORS[4], COLORS[1]
BAND: Final = "rgba(63,111,181,0.22)"
FUTURE: Final = "rgba(79,154,114,0.25)"
FUTURE_LINE: Final = COLORS[2]


def forecast_page(forecast: SeriesForecast) -> Page:
    """The whole page; of many series, the largest are drawn."""
    document, table = forecast.as_dict(), forecast.table
    title = f"Forecast: {len(table):,} series, {table.every.ahead(forecast.horizon)} ahead"
    page = Page(title, f"from {document['first'][:10]}, next values from {document['end'][:16].replace('T', ' ')}")
    page.lead(document["chosen"])
    if said := standing(document):
        page.text(said)
    for note in document["notes"]:
        page.callout(note, "note")
    _tiles(page, document)
    page.heading("What comes next")
    page.text(
        f"Grey is what happened. Blue is what {forecast.model} said at past times, knowing nothing later, with the "
        f"bounds that are to hold {forecast.interval:.0%} of the truth; green is what it says now."
    )
    for row in range(min(MOST_SERIES, len(table))):
        page.plot(_series(forecast, row), str(table.keys[row]), 300)
    if len(table) > MOST_SERIES:
        page.text(f"These are the {MOST_SERIES} largest of {len(table):,} series; the file has all of them.")
    page.heading("Errors by step")
    page.plot(_by_step(document), "MASE by step; 1 is what the value of one season before missed by, on the history")
    _opponents(page, document)
    _by_step_table(page, document)
    return page


def _tiles(page: Page, document: dict[str, Any]) -> None:
    own = document["metrics"]
    naive = document["opponents"].get("seasonal-naive")
    beside = f"seasonal naive {naive['mase']:.3f}" if naive and naive["mase"] is not None else ""
    page.tiles(
        [
            ("MASE", own["mase"], beside),
            ("MAE", own["mae"], "in the series' own units"),
            ("RMSE", own["rmse"], ""),
            ("within the bounds", _share(own["coverage"]), f"{document['interval']:.0%} was meant"),
            ("series", document["series"], f"{document['bins']:,} bins of {document['every']}"),
        ]
    )


def _opponents(page: Page, document: dict[str, Any]) -> None:
    page.heading("Beside simple methods")
    page.text(
        "All methods forecast from the same past times, none knowing what came later. The last column is each method's "
        "MASE less the model's, paired, with its 95% interval: above zero, the model is ahead."
    )
    heads = ["method", "MASE", "MAE", "RMSE", "within bounds", "series", "less the model's"]
    page.table(heads, table_rows(document))
    page.bullets(f"{name} is not here: {reason}." for name, reason in document["reasons"].items())
    if document["validation"]:
        rows = sorted(document["validation"].items(), key=lambda one: (one[1]["mase"] is None, one[1]["mase"] or 0.0))
        cells = [[name, one["mase"], one["series"]] for name, one in rows]
        page.table(["method", "MASE", "series"], cells, "On the validation part, which chose the model")


def _by_step_table(page: Page, document: dict[str, Any]) -> None:
    steps = document["metrics"]["by_horizon"]
    columns = ("mae", "mse", "rmse", "mase", "coverage")
    rows = [[step + 1, *(steps[name][step] for name in columns)] for step in range(document["horizon"])]
    page.table(["step", "MAE", "MSE", "RMSE", "MASE", "within bounds"], rows, f"{document['model']}, step by step")


def _series(forecast: SeriesForecast, row: int) -> dict[str, Any]:
    """History, what was said at past origins with bounds, and what is said now."""
    table, horizon = forecast.table, forecast.horizon
    begin = max(0, table.num_bins - max(HISTORY_HORIZONS * horizon, FEWEST_BINS))
    shown = np.arange(begin, table.num_bins)
    data = [_line(_times(forecast, shown), table.value_ST[row, begin:], "what happened", TRUE)]
    said = forecast.judged.said[forecast.model]
    for number, origin in enumerate(forecast.judged.origins):
        ahead = np.arange(origin, origin + horizon)
        data += _band(_times(forecast, ahead), said[number, row], f"{forecast.model} then", OWN, BAND, number == 0)
    ahead = np.arange(table.num_bins, table.num_bins + horizon)
    own = forecast.frame[row * horizon : (row + 1) * horizon]
    now = np.stack([own[name].to_numpy() for name in ("low", "value", "high")], axis=1)
    data += _band(_times(forecast, ahead), now, "next", FUTURE_LINE, FUTURE, True)
    return {"data": data, "layout": {"hovermode": "x unified"}}


def _band(x: list[str], said_HQ: Floats, name: str, color: str, fill: str, legend: bool) -> list[dict[str, Any]]:
    edge = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    return [
        edge | {"y": _plain(said_HQ[:, 0])},
        edge | {"y": _plain(said_HQ[:, 2]), "fill": "tonexty", "fillcolor": fill},
        _line(x, said_HQ[:, 1], name, color) | {"showlegend": legend},
    ]


def _by_step(document: dict[str, Any]) -> dict[str, Any]:
    known = {name: one for name, one in document["opponents"].items() if one is not None and one["mase"] is not None}
    lines = {document["model"]: document["metrics"], **known}
    colors = [OWN, *(color for color in COLORS if color != OWN)]
    steps = [str(step) for step in range(1, document["horizon"] + 1)]
    data = []
    for number, (name, one) in enumerate(lines.items()):
        trace = _line(steps, np.array(one["by_horizon"]["mase"], dtype=np.float64), name, colors[number % len(colors)])
        trace["line"] |= {"width": 3 if number == 0 else 1.5, "dash": "solid" if number < len(colors) else "dot"}
        data.append(trace)
    return {"data": data, "layout": {"xaxis": {"title": {"text": "step"}}, "yaxis": {"rangemode": "tozero"}}}


def _line(x: list[str], y: Floats, name: str, color: str) -> dict[str, Any]:
    mode = "lines+markers" if len(x) == 1 else "lines"
    trace = {"type": "scatter", "mode": mode, "x": x, "y": _plain(y), "name": name}
    return trace | {"line": {"color": color, "width": 2}, "hovertemplate": "%{y:.4g}"}


def _times(forecast: SeriesForecast, columns: Ints) -> list[str]:
    """The bins' beginnings by the zone's clocks."""
    table = forecast.table
    starts = table.every.starts(columns + table.first_bin).dt.replace_time_zone(None)
    return [f"{start:%Y-%m-%d %H:%M}" for start in starts]


def _plain(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else float(f"{value:.6g}") for value in values]


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.0%}"
