"""What the study of size shows: its rows, its section in two languages, its picture. In: the result of `scaling`.

The picture: validation loss by epoch at each width, then the best loss over weights and over events with the law that
was fitted. What was not run, or could not be fitted, is left out. It does not know where the figures come from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from making.markdown import table
from making.picture import STYLE

__all__ = ["scaling", "scaling_picture", "with_scaling"]

Said = Iterator[tuple[tuple[str, str], str]]
Point = tuple[float, float]

WIDTH, HEIGHT = 400, 330
LEFT, RIGHT, TOP, BOTTOM = 50, 16, 44, 52
COLOURS: Final = ("#8b949e", "#3fa34d", "#b08800", "#d9822b", "#2f81f7", "#a2578f")
LAW: Final = "#2f81f7"
SHOWN: Final = {
    "weights": ("weights, by width", "权重数（按宽度）"),
    "weights without the item table": (
        "weights without the item table, by width and depth",
        "不含物品表的权重数（按宽度与深度）",
    ),
    "events": ("training events, by users", "训练事件数（按用户）"),
}
PANELS: Final = {"weights": "weights, item table included", "events": "training events"}
HEADERS: Final = {
    "en": (
        "what grows",
        "floor, nats",
        "exponent",
        "each point left out",
        "largest foretold; measured",
        "largest residual",
    ),
    "zh": ("什么在增长", "下限（nats）", "指数", "逐点去掉后的指数", "对最大者的预言；实测", "最大残差"),
}
RUN_HEADERS: Final = {
    "en": ("run", "weights", "without items", "events", "best epoch", "loss, nats", "NDCG@10", "CPU seconds"),
    "zh": ("运行", "权重", "不含物品表", "事件", "最佳轮次", "损失（nats）", "NDCG@10", "CPU 秒"),
}
NOTHING: Final = {"en": "No results are committed yet.\n", "zh": "尚无已提交的结果。\n"}
ALT: Final = {
    "en": "Validation loss by epoch at each width, and the best loss over weights and over events",
    "zh": "各宽度下验证损失随轮次的变化，以及最佳损失随权重数与事件数的变化",
}
TO: Final = {"en": "to", "zh": "至"}
UNBOUND: Final = {"en": "no bend found", "zh": "未见弯曲"}


def scaling(result: Mapping[str, Any]) -> Said:
    """How the runs ended, and a row for each law."""
    losses = [one["loss"] for one in result["runs"].values()]
    what = (
        f"ml-1m, `sasrec`, {len(losses)} runs: loss, nats an event",
        f"ml-1m，`sasrec`，{len(losses)} 次运行：每事件损失（nats）",
    )
    sd = (
        "" if result["seeds"]["sd"] is None else f" (sd of {result['seeds']['runs']} seeds {result['seeds']['sd']:.4f})"
    )
    yield what, f"{min(losses):.3f} to {max(losses):.3f}{sd}"
    for name, fit in result["fits"].items():
        en, zh = SHOWN[name]
        low, high = fit["exponents"]
        found = (
            "at an end of the grid: no law" if fit["at_an_end"] else f"{fit['exponent']:.2f} [{low:.2f}, {high:.2f}]"
        )
        ahead = fit["without_largest"]
        what = (
            f"ml-1m, `sasrec`, loss by {en}: exponent [each point left out]",
            f"ml-1m，`sasrec`，损失随{zh}：指数 [逐点去掉]",
        )
        yield what, f"{found}; largest foretold {ahead['foretold']:.3f}, measured {ahead['measured']:.3f}"


def with_scaling(page: Path, language: str, result: Mapping[str, Any] | None) -> str:
    """The page with what stands between its markers made anew."""
    made = NOTHING[language] if result is None else "\n".join(_section(language, result))
    text = page.read_text(encoding="utf-8")
    return re.sub(r"(?s)(<!-- scaling -->\n).*?(<!-- /scaling -->)", lambda found: f"{found[1]}{made}{found[2]}", text)


def _section(language: str, result: Mapping[str, Any]) -> Iterator[str]:
    up = "" if language == "en" else "../"
    yield f"![{ALT[language]}]({up}images/scaling.svg)\n"
    yield table(RUN_HEADERS[language], [_run(name, one) for name, one in result["runs"].items()])
    rows = [_law(SHOWN[name][language != "en"], fit, language) for name, fit in result["fits"].items()]
    if rows:
        yield table(HEADERS[language], rows)
    sd = result["seeds"]["sd"]
    if sd is not None:
        seeds = result["seeds"]["runs"]
        yield {
            "en": f"Between {seeds} seeds of the middle run the loss has a standard deviation of {sd:.4f} nats.\n",
            "zh": f"中间那次运行换 {seeds} 个种子，损失的标准差为 {sd:.4f} nats。\n",
        }[language]


def _run(name: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    sizes = (f"{one[key]:,}" for key in ("weights", "weights_without_items", "events"))
    best = f"{one['best_epoch']} / {len(one['curve'])}"
    return name, *sizes, best, f"{one['loss']:.3f}", f"{one['ndcg@10']:.4f}", f"{one['cpu_seconds']:,.0f}"


def _law(what: str, fit: Mapping[str, Any], language: str) -> tuple[str, ...]:
    low, high = fit["exponents"]
    ahead, missed = fit["without_largest"], max(abs(one) for one in fit["residuals"])
    bent = UNBOUND[language] if fit["at_an_end"] else f"{fit['exponent']:.2f}"
    told = f"{ahead['foretold']:.3f}; {ahead['measured']:.3f}"
    return what, f"{fit['floor']:.2f}", bent, f"{low:.2f} {TO[language]} {high:.2f}", told, f"{missed:.4f}"


def scaling_picture(result: Mapping[str, Any]) -> str:
    """The whole picture, its panels side by side."""
    widths = {name: one for name, one in result["runs"].items() if name.startswith("width")}
    panels = [_curves(widths)] if widths else []
    panels += [_fitted(PANELS[name], result["fits"][name]) for name in PANELS if name in result["fits"]]
    drawn = [line for number, lines in enumerate(panels) for line in (_at(number * WIDTH), *lines, "</g>")]
    box = f"0 0 {WIDTH * max(len(panels), 1)} {HEIGHT}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" aria-label="{ALT["en"]}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *drawn, "</svg>", ""])


@dataclass(frozen=True)
class Frame:
    """Where a panel's numbers lie."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    logarithmic: bool

    @classmethod
    def around(cls, points: Sequence[Point], logarithmic: bool) -> Frame:
        """With a tenth of the height above and below."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        room = max(0.1 * (max(ys) - min(ys)), 0.01)
        low, high = (min(xs) / 1.5, max(xs) * 1.5) if logarithmic else (0.0, max(xs))
        return cls(low, high, min(ys) - room, max(ys) + room, logarithmic)

    def place(self, point: Point) -> Point:
        """In the panel, from its left and its top."""
        of = math.log if self.logarithmic else float
        across = (of(point[0]) - of(self.x_low)) / (of(self.x_high) - of(self.x_low))
        up = (point[1] - self.y_low) / (self.y_high - self.y_low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def marks(self) -> list[float]:
        """Where the horizontal axis has numbers."""
        if not self.logarithmic:
            step = max(1, round(self.x_high / 5))
            return [float(x) for x in range(0, int(self.x_high) + 1, step)]
        powers = range(math.floor(math.log10(self.x_low)), math.ceil(math.log10(self.x_high)) + 1)
        marks = [factor * 10.0**power for power in powers for factor in (1, 3)]
        return [mark for mark in marks if self.x_low <= mark <= self.x_high]


def _curves(runs: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Validation loss by epoch, a line for each width, a dot at its best."""
    lines = {name: [(float(epoch), loss) for epoch, _, loss in one["curve"]] for name, one in runs.items()}
    frame = Frame.around([point for line in lines.values() for point in line], logarithmic=False)
    frame = replace(frame, y_high=frame.y_high + 0.4 * (frame.y_high - frame.y_low))  # the names stand above the lines
    yield from _axes(frame, "Validation loss, nats", "epoch")
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        yield _polyline(frame, line, colour)
        yield _dot(frame, min(line, key=lambda point: point[1]), colour)
        row = TOP + 12 + 15 * number
        yield f'<text x="{WIDTH - RIGHT}" y="{row}" text-anchor="end" style="fill:{colour}">{name}</text>'


def _fitted(what: str, fit: Mapping[str, Any]) -> Iterator[str]:
    """The best losses over a size, and the law through them."""
    points = [(size, loss) for size, loss in fit["points"]]
    frame = Frame.around(points, logarithmic=True)
    yield from _axes(frame, "Best validation loss, nats", what)
    if not fit["at_an_end"]:
        steps = [frame.x_low * (frame.x_high / frame.x_low) ** (n / 40) for n in range(41)]
        law = [(x, fit["floor"] + fit["factor"] * x ** -fit["exponent"]) for x in steps]
        yield _polyline(frame, [point for point in law if frame.y_low <= point[1] <= frame.y_high], LAW)
        said = f"{fit['floor']:.2f} + {fit['factor']:.3g} / size^{fit['exponent']:.2f}"
        yield f'<text x="{WIDTH - RIGHT}" y="{TOP + 12}" text-anchor="end">{said}</text>'
    for point in points:
        yield _dot(frame, point, LAW)


def _axes(frame: Frame, title: str, what: str) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    yield f'<text class="title" x="{LEFT}" y="20">{title}</text>'
    for step in range(5):
        value = frame.y_low + (frame.y_high - frame.y_low) * step / 4
        y = frame.place((frame.x_high, value))[1]
        yield _line((LEFT, y), (WIDTH - RIGHT, y), "grid" if step else "axis")
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>'
    for mark in frame.marks():
        x = frame.place((mark, frame.y_low))[0]
        yield _line((x, bottom), (x, bottom + 5), "axis")
        yield f'<text x="{x:.1f}" y="{bottom + 19}" text-anchor="middle">{_short(mark)}</text>'
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{HEIGHT - 12}" text-anchor="middle">{what}</text>'


def _at(left: int) -> str:
    return f'<g transform="translate({left} 0)">'


def _polyline(frame: Frame, points: Sequence[Point], colour: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(frame.place, points))
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>'


def _dot(frame: Frame, point: Point, colour: str) -> str:
    x, y = frame.place(point)
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'


def _line(one: Point, other: Point, kind: str) -> str:
    return f'<line x1="{one[0]:.1f}" y1="{one[1]:.1f}" x2="{other[0]:.1f}" y2="{other[1]:.1f}" class="{kind}"/>'


def _short(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
