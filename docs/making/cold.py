"""Two pictures of a simulated shop: what each event of a new person is worth, and where a new item belongs.

In: `docs/making/cold.json`, which `docs/measure_cold.py` writes. Out: the text of two SVGs, legible on light and on
dark ground. It measures nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from making.picture import STYLE

__all__ = ["IMAGES", "cold_pictures"]

FIGURES: Final = Path(__file__).resolve().parent / "cold.json"
IMAGES: Final = Path(__file__).resolve().parent.parent / "images"
WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 58, 20, 44, 52
OWN, OTHER = "#2f81f7", "#d9822b"
KINDS: Final = ("#2f81f7", "#3fa34d", "#d9822b", "#a371f7")
NEW: Final = "#e5534b"


def cold_pictures() -> dict[Path, str]:
    """Both pictures, by their files."""
    told = json.loads(FIGURES.read_text(encoding="utf-8"))
    steps = _whole("NDCG@10 by the number of events known of a new person", _steps(told["levels"], told["recipe"]))
    near = _whole("Items by title and category, and where a new one belongs", _map(told["map"]))
    return {IMAGES / "cold-start.svg": steps, IMAGES / "content-map.svg": near}


def _whole(said: str, lines: Iterator[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">'
    title = f'<text class="title" x="16" y="22">{said}</text>'
    return "\n".join([head, f"<style>{STYLE}</style>", title, *lines, "</svg>", ""])


def _steps(levels: Sequence[Mapping[str, Any]], recipe: str) -> Iterator[str]:
    """One line for the recommender, one for popularity; bars are 95% intervals."""
    most = max(level[side]["high"] for level in levels for side in ("model", "popularity"))
    top = math.ceil(most * 25) / 25

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    places = [LEFT + 50 + number * (WIDTH - LEFT - RIGHT - 100) / (len(levels) - 1) for number in range(len(levels))]
    for step in range(5):
        value = top * step / 4
        yield _line(LEFT, y(value), WIDTH - RIGHT, y(value), f'class="{"grid" if step else "axis"}"')
        yield _text(LEFT - 6, y(value) + 4, f"{value:.3f}", "end")
    for x, level in zip(places, levels, strict=True):
        events = level["events"]
        yield _text(x, y(0) + 18, "nothing" if not events else f"{events} event{'s' * (events > 1)}", "middle")
        yield _text(x, y(0) + 34, f"{level['users']} people", "middle")
    for side, colour, shift, name in (("popularity", OTHER, 4, "recent popularity"), ("model", OWN, -4, recipe)):
        points = " ".join(f"{x + shift:.0f},{y(one[side]['mean']):.1f}" for x, one in zip(places, levels, strict=True))
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for x, one in zip(places, levels, strict=True):
            low, mean, high = (y(one[side][key]) for key in ("low", "mean", "high"))
            yield _line(x + shift, low, x + shift, high, f'stroke="{colour}" stroke-opacity=".5"')
            yield f'<circle cx="{x + shift:.0f}" cy="{mean:.1f}" r="4" fill="{colour}"/>'
        row = TOP + (6 if side == "model" else 24)
        yield f'<circle cx="{LEFT + 14}" cy="{row - 4}" r="4" fill="{colour}"/>'
        yield _text(LEFT + 24, row, name)


def _map(items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A point per item, lines from the new one to the three whose words are nearest."""
    low, high = ([edge(one[axis] for one in items) for axis in "xy"] for edge in (min, max))

    def place(one: Mapping[str, Any]) -> tuple[float, float]:
        across, up = ((one[axis] - low[n]) / (high[n] - low[n]) for n, axis in enumerate("xy"))
        return 30 + across * (WIDTH - 60), HEIGHT - 24 - up * (HEIGHT - 94)

    kinds = list(dict.fromkeys(one["category"] for one in items[:-1]))
    new = place(items[-1])
    for one in items:
        if one["near"]:
            yield _line(*new, *place(one), f'stroke="{NEW}" stroke-opacity=".6" stroke-dasharray="4 3"')
    for one in items[:-1]:
        x, y = place(one)
        colour = KINDS[kinds.index(one["category"])]
        said = f"<title>{escape(one['title'])}</title>"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}" fill-opacity=".75">{said}</circle>'
    named = 24 + 84 * len(kinds)
    for x, y in (new, (named, 42)):
        yield f'<path d="M{x:.1f} {y - 8:.1f}l8 8l-8 8l-8 -8z" fill="{NEW}"/>'
    yield _text(named + 12, 46, f"new: {items[-1]['title']}")
    for number, kind in enumerate(kinds):
        yield f'<circle cx="{24 + 84 * number}" cy="42" r="5" fill="{KINDS[number]}"/>'
        yield _text(34 + 84 * number, 46, kind)


def _text(x: float, y: float, said: str, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(said)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, drawn: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {drawn}/>'
