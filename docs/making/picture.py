"""Quality against CPU seconds, ours and the peers', as an SVG. In: the result of `peers_quality`. Out: its text.

One panel a set: validation NDCG@10 after each epoch over the CPU seconds of training so far, on a logarithmic axis. The
colours are legible on light and on dark ground. It does not know where the figures come from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

__all__ = ["quality_against_cpu"]

WIDTH, HEIGHT = 440, 330
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 44, 52
COLOURS: Final = {"horae": "#2f81f7", "replay": "#d9822b", "rectools": "#3fa34d"}
NAMES: Final = {"horae": "Horae", "replay": "RePlay", "rectools": "RecTools"}
QUALITY: Final = "validation_ndcg@10"
STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-size:14px;font-weight:600}"
    ".axis{stroke:#8b949e;stroke-width:1}.grid{stroke:#8b949e;stroke-opacity:.25}"
    "@media (prefers-color-scheme:dark){text{fill:#adbac7}}"
)

Points = Sequence[Mapping[str, float]]


def quality_against_cpu(result: Mapping[str, Any]) -> str:
    """The whole picture, one panel beside the other."""
    panels = [
        _panel(name, {"horae": one["horae"][0], **one["peers"]}, number * WIDTH)
        for number, (name, one) in enumerate(result["sets"].items())
    ]
    whole = f"{WIDTH * len(panels)} {HEIGHT}"
    said = "Validation NDCG@10 over CPU seconds of training: Horae and its peers"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole}" role="img" aria-label="{said}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *(line for panel in panels for line in panel), "</svg>", ""])


def _panel(name: str, curves: Mapping[str, Mapping[str, Any]], left: int) -> Iterator[str]:
    points = [point for one in curves.values() for point in one["points"]]
    first = math.floor(math.log10(min(point["cpu_seconds"] for point in points)))
    last = math.ceil(math.log10(max(point["cpu_seconds"] for point in points)))
    top = _round_up(max(point[QUALITY] for point in points))

    def x(seconds: float) -> float:
        share = (math.log10(seconds) - first) / (last - first)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(quality: float) -> float:
        return HEIGHT - BOTTOM - quality / top * (HEIGHT - TOP - BOTTOM)

    yield f'<g transform="translate({left} 0)">'
    yield f'<text class="title" x="{LEFT}" y="20">{escape(name)}: validation NDCG@10</text>'
    for step in range(5):
        quality = top * step / 4
        yield _line(LEFT, y(quality), WIDTH - RIGHT, y(quality), "grid" if step else "axis")
        yield f'<text x="{LEFT - 6}" y="{y(quality) + 4:.1f}" text-anchor="end">{quality:.3f}</text>'
    for power in range(first, last + 1):
        yield _line(x(10**power), y(0), x(10**power), y(0) + 5, "axis")
        yield f'<text x="{x(10**power):.1f}" y="{y(0) + 19:.1f}" text-anchor="middle">{10**power:g}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle:.1f}" y="{HEIGHT - 12}" text-anchor="middle">CPU seconds of training (one thread)</text>'
    for number, (side, one) in enumerate(curves.items()):
        yield from _curve(side, one["points"], x, y, number)
    yield "</g>"


def _curve(side: str, points: Points, x: Any, y: Any, number: int) -> Iterator[str]:
    """The line, a dot at its best epoch, and its name in the corner."""
    colour = COLOURS[side]
    path = " ".join(f"{x(point['cpu_seconds']):.1f},{y(point[QUALITY]):.1f}" for point in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>'
    best = max(points, key=lambda point: point[QUALITY])
    yield f'<circle cx="{x(best["cpu_seconds"]):.1f}" cy="{y(best[QUALITY]):.1f}" r="4" fill="{colour}"/>'
    place, row = WIDTH - RIGHT - 190, HEIGHT - BOTTOM - 46 + 16 * number
    yield _line(place, row, place + 18, row, "", colour)
    label = f"{NAMES[side]}: {best[QUALITY]:.4f} after {best['cpu_seconds']:,.0f} s"
    yield f'<text x="{place + 24}" y="{row + 4}">{label}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str, colour: str = "") -> str:
    drawn = f'stroke="{colour}" stroke-width="3"' if colour else f'class="{kind}"'
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {drawn}/>'


def _round_up(value: float) -> float:
    """To the next step whose quarters are short numbers."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10) if step * power >= value)
