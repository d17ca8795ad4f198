"""A forecast's document in, plain text for a terminal out. It computes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["as_text", "standing", "table_rows"]

Document = Mapping[str, Any]
COLUMNS: Final = ("mase", "mae", "rmse", "coverage", "width")


def as_text(document: Document) -> str:
    """The methods side by side, the best first, and what may be said of the model."""
    rows = [["method", "MASE", "MAE", "RMSE", "within bounds", "series", ""], *table_rows(document)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(_placed(row, widths)).rstrip() for row in rows]
    width = f"{document['every']} ({document['timezone']})"
    head = [
        f"{document['series']:,} series of {document['bins']:,} bins of {width}, {document['horizon']} ahead, judged "
        f"at {len(document['origins'])} past origins from {document['origins'][0][:16].replace('T', ' ')}.",
        document["chosen"],
        standing(document),
    ]
    if len(rows) == 1:
        lines = ["No value is known at the past times that judge, so how far off it is cannot be told."]
    notes = [f"note: {note}" for note in document["notes"]]
    return "\n".join([*(line for line in head if line), "", *lines, *([""] if notes else []), *notes])


def table_rows(document: Document) -> list[list[str]]:
    """One row per method, the least MASE first: name, MASE, MAE, RMSE, coverage, series, how it stands to the model."""
    known = {name: one for name, one in document["opponents"].items() if one is not None}
    known[document["model"]] = document["metrics"]
    rows = []
    for name, one in known.items():
        if one["mase"] is not None:
            cells = [_number(one["mase"]), _number(one["mae"]), _number(one["rmse"]), f"{one['coverage']:.0%}"]
            rows.append((one["mase"], [name, *cells, f"{one['series']:,}", _beside(document, name)]))
    return [cells for _, cells in sorted(rows, key=lambda row: row[0])]


def standing(document: Document) -> str:
    """Is the model ahead of seasonal naive, as far as the data can tell?"""
    model, naive = document["model"], document["against"].get("seasonal-naive")
    if naive is None or naive["mase"]["difference"] is None:
        return ""
    one = naive["mase"]
    if one["low"] is None:
        said = f"{model} differs from seasonal-naive by {one['difference']:+.3f} MASE"
        return f"On the test part {said}; so few series and origins tell no more."
    gap = f"{one['difference']:+.3f} MASE, 95% interval {one['low']:+.3f} to {one['high']:+.3f}"
    if one["high"] < 0:
        return f"On the test part {model} is ahead of seasonal-naive ({gap})."
    if one["low"] > 0:
        return f"On the test part {model} is behind seasonal-naive ({gap})."
    return f"On the test part {model} cannot be told from seasonal-naive ({gap})."


def _beside(document: Document, name: str) -> str:
    if name == document["model"]:
        return "the model"
    one = document["against"].get(name, {}).get("mase")
    if one is None or one["difference"] is None:
        return ""
    turned = {key: None if value is None else 0.0 - value for key, value in one.items()}  # 0.0 - 0.0 has no minus
    if one["low"] is None:
        return f"{turned['difference']:+.3f}"
    return f"{turned['difference']:+.3f} [{turned['high']:+.3f}, {turned['low']:+.3f}]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}" if abs(value) >= 10 else f"{value:.3f}"


def _placed(row: list[str], widths: list[int]) -> list[str]:
    return [
        text.ljust(width) if column in (0, len(row) - 1) else text.rjust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
