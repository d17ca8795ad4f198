"""Self-contained HTML pages: text, tables, tiles and plots in; one file that works offline out.

The page forbids itself the network (a content security policy), carries the plotly bundle once and only if it has a
plot, follows the reader's light or dark setting, and reads well from 390 to 1280 pixels. The same calls give the same
bytes. Every text is escaped here, so callers pass ids and titles as they are. This module does not know what it shows.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import Any, Final, Literal

from horae.errors import StoreError

__all__ = ["COLORS", "Column", "Page", "number"]

COLORS: Final = ("#3f6fb5", "#c7793a", "#4f9a72", "#a2578f", "#8a8f98", "#b8a13c")
"""Plot colors that stand on a light and on a dark ground; the first is for what the page is about."""

POLICY: Final = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
TEXT_KEYS: Final = ("x", "y", "z", "text", "labels", "customdata", "ids", "name", "hovertext", "parents")
DASH: Final = "\N{EN DASH}"


@dataclass(frozen=True)
class Column:
    """One column of a `Page.columns` block.

    Attributes:
        title: What the lines are.
        lines: One text per line.
        marked: Lines (from 0) to be set off.
    """

    title: str
    lines: Sequence[str]
    marked: frozenset[int] = frozenset()


@dataclass
class Page:
    """A page that grows from top to bottom.

    Attributes:
        title: The page's name, also the browser tab's.
        subtitle: One line under it.
        language: The text's language, for browsers and screen readers.
    """

    title: str
    subtitle: str = ""
    language: str = "en"
    _parts: list[str] = field(default_factory=list, repr=False)
    _headings: list[str] = field(default_factory=list, repr=False)
    _plots: int = field(default=0, repr=False)

    def heading(self, text: str) -> None:
        """Begin a section; a page of three or more gets a line of links to them at its top."""
        self._headings.append(text)
        self._parts.append(f'<h2 id="section-{len(self._headings)}">{escape(text)}</h2>')

    def text(self, text: str) -> None:
        """A paragraph."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def lead(self, text: str) -> None:
        """A paragraph in large type: the page's message in one or two sentences."""
        self._parts.append(f'<p class="lead">{escape(text)}</p>')

    def bullets(self, lines: Iterable[str]) -> None:
        """A list of short sentences."""
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        self._parts.append(f"<ul>{items}</ul>")

    def code(self, text: str) -> None:
        """Commands or code, as typed."""
        self._parts.append(f"<pre><code>{escape(text)}</code></pre>")

    def warning(self, text: str) -> None:
        """Something that the reader must not overlook."""
        self.callout(text, "warning")

    def callout(self, text: str, tone: Literal["good", "note", "warning", "bad"]) -> None:
        """A sentence in a box; the tone is told by its color, and must be clear from the words alone too."""
        self._parts.append(f'<p class="callout {tone}" role="note">{escape(text)}</p>')

    def tiles(self, tiles: Iterable[tuple[str, Any] | tuple[str, Any, str]]) -> None:
        """Large figures side by side: `(label, value)` or `(label, value, small print)`."""
        self._parts.append('<dl class="tiles">' + "".join(_tile(*tile) for tile in tiles) + "</dl>")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> None:
        """A table; a column whose cells all begin like numbers is set to the right. Wide tables scroll on their own."""
        cells = [[number(cell) for cell in row] for row in rows]
        right = [_are_figures([row[i] for row in cells]) for i in range(len(columns))]
        classes = [' class="n"' if flag else "" for flag in right]
        head = "".join(f"<th{c}>{escape(name)}</th>" for c, name in zip(classes, columns, strict=True))
        body = "".join(
            "<tr>" + "".join(f"<td{c}>{escape(cell)}</td>" for c, cell in zip(classes, row, strict=True)) + "</tr>"
            for row in cells
        )
        title = f"<caption>{escape(caption)}</caption>" if caption else ""
        self._parts.append(
            f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )

    def columns(self, title: str, columns: Sequence[Column]) -> None:
        """Lists side by side under one title; they stack where the screen is narrow."""
        inner = "".join(f"<div><h4>{escape(column.title)}</h4>{_lines(column)}</div>" for column in columns)
        self._parts.append(
            f'<section class="card"><h3>{escape(title)}</h3><div class="columns">{inner}</div></section>'
        )

    def plot(self, figure: Any, caption: str = "", height: int = 300) -> None:
        """A plotly figure (or its dict) with the page's fonts and colors, as wide as the page.

        The caption stands above, in place of a title. In the traces' texts and categories `<` is shown as it is; the
        layout and hover templates are the caller's own and keep plotly's small markup.
        """
        document = figure if isinstance(figure, dict) else figure.to_plotly_json()
        layout = _layout(dict(document.get("layout", {})), height)
        spec = _script_json({"data": [_escaped(trace) for trace in document["data"]], "layout": layout})
        title = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        self._plots += 1
        self._parts.append(
            f"<figure>{title}"
            f'<div class="plot" role="img" aria-label="{escape(caption)}" style="height:{height}px"></div>'
            f'<script type="application/json" class="spec">{spec}</script></figure>'
        )

    def html(self) -> str:
        """The whole document."""
        links = "".join(f'<a href="#section-{i}">{escape(text)}</a>' for i, text in enumerate(self._headings, start=1))
        nav = f"<nav>{links}</nav>" if len(self._headings) > 2 else ""
        subtitle = f'<p class="subtitle">{escape(self.subtitle)}</p>' if self.subtitle else ""
        noscript = "<noscript><p>The plots need JavaScript; the tables do not.</p></noscript>" if self._plots else ""
        return (
            f'<!DOCTYPE html>\n<html lang="{escape(self.language)}">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f"<title>{escape(self.title)}</title>\n<style>\n{_asset('page.css')}</style>\n</head>\n<body>\n<main>\n"
            f"<header><h1>{escape(self.title)}</h1>{subtitle}{nav}</header>\n{noscript}"
            + "\n".join(self._parts)
            + f"\n</main>\n{_scripts() if self._plots else ''}</body>\n</html>\n"
        )

    def write(self, path: str | Path) -> Path:
        """Write the page; a reader never sees half of it.

        Raises:
            StoreError: The folder is missing, read-only or full.
        """
        target = Path(path)
        unfinished = target.absolute().parent / f".{target.name}.{os.getpid()}.part"
        try:
            unfinished.write_text(self.html(), encoding="utf-8")
            unfinished.replace(target)
        except OSError as error:
            raise StoreError(
                f"Cannot write the page {target}: {error.strerror or error}.", hint="Give a folder that can be written."
            ) from error
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink()
        return target


def number(value: Any) -> str:
    """A value as the pages print it: thousands apart, three or four figures that matter, a dash for nothing."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if not isfinite(value):
            return DASH
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _tile(label: str, value: Any, note: str = "") -> str:
    small = f'<dd class="small">{escape(note)}</dd>' if note else ""
    return f"<div><dt>{escape(label)}</dt><dd>{escape(number(value))}</dd>{small}</div>"


def _lines(column: Column) -> str:
    if not column.lines:
        return f"<p>{DASH}</p>"
    lines = (
        f'<li class="marked">{escape(line)}</li>' if i in column.marked else f"<li>{escape(line)}</li>"
        for i, line in enumerate(column.lines)
    )
    return "<ol>" + "".join(lines) + "</ol>"


def _are_figures(cells: list[str]) -> bool:
    told = [text for text in cells if text not in ("", DASH)]
    return bool(told) and all(text.lstrip("+-\N{MINUS SIGN}<>~ ")[:1].isdigit() for text in told)


def _layout(layout: dict[str, Any], height: int) -> dict[str, Any]:
    """The page's look under the caller's: what the caller set wins, colors are set in the browser."""
    layout.pop("template", None)  # plotly's default is 7 kB of colors that the page overrides
    axes = {key: _axis(key, dict(layout.get(key, {}))) for key in _axes(layout)}
    look: dict[str, Any] = {
        "height": height,
        "autosize": True,
        "margin": {"l": 48, "r": 12, "t": 12, "b": 40},
        "colorway": list(COLORS),
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "bargap": 0.25,
        "hovermode": "closest",
        "font": {"size": 13},
    }
    return look | layout | axes


def _axes(layout: dict[str, Any]) -> list[str]:
    return sorted({"xaxis", "yaxis"} | {key for key in layout if key.startswith(("xaxis", "yaxis"))})


def _axis(key: str, given: dict[str, Any]) -> dict[str, Any]:
    if isinstance(given.get("title"), dict):
        given["title"] = {"font": {"size": 13}} | given["title"]
    return {"automargin": True, "zeroline": False, "showgrid": key.startswith("y")} | given


def _escaped(trace: Any) -> dict[str, Any]:
    """Plotly renders a small markup in texts; ids and titles are not markup."""
    return {key: _marked_down(value) if key in TEXT_KEYS else value for key, value in dict(trace).items()}


def _marked_down(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("&", "&amp;").replace("<", "&lt;")
    if isinstance(value, list | tuple):
        return [_marked_down(element) for element in value]
    if getattr(value, "dtype", None) is not None and value.dtype.kind in "OUS":
        return [_marked_down(element) for element in value.tolist()]
    return value


def _script_json(document: dict[str, Any]) -> str:
    """JSON that may stand inside a script element."""
    from plotly.io.json import to_json_plotly

    text = json.dumps(json.loads(to_json_plotly(document)), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _scripts() -> str:
    from plotly.offline import get_plotlyjs

    return f"<script>{get_plotlyjs()}</script>\n<script>\n{_asset('page.js')}</script>\n"


def _asset(name: str) -> str:
    return (resources.files("horae") / "assets" / name).read_text(encoding="utf-8")
