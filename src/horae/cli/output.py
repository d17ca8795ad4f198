"""What a verb says, and where: its result on standard output, everything else on standard error.

So a pipe gets the result alone, and a reader that goes away early (`| head`) never stops work that is under way.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer

__all__ = ["aligned", "say", "say_all", "show", "show_json"]

PAGE_WIDTH = 80


def show(text: str) -> None:
    """Print a part of the result."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show_json(document: Any) -> None:
    """Print the result as one JSON document."""
    show(json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False))


def say(text: str) -> None:
    """Tell the person, not the pipe."""
    typer.echo(text, err=True)


def say_all(notes: Iterable[str]) -> None:
    """Tell each note."""
    for note in notes:
        say(f"note: {note}")


def aligned(header: Sequence[str], rows: Iterable[Sequence[Any]], *, widest: int = PAGE_WIDTH) -> str:
    """Columns side by side; numbers to the right; only a last column of text is shortened to fit the page."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [all(_is_number(row[n]) for row in cells) and bool(cells) for n in range(len(header))]
    widths = [max([len(name), *(len(row[n]) for row in cells)]) for n, name in enumerate(header)]
    room = widest - sum(widths[:-1]) - 2 * (len(header) - 1)
    if not right[-1]:
        widths[-1] = min(widths[-1], max(room, 12))
    lines = []
    for row in [list(header), *cells]:
        row[-1] = row[-1] if len(row[-1]) <= widths[-1] else row[-1][: widths[-1] - 3] + "..."
        placed = zip(row, widths, right, strict=True)
        lines.append("  ".join(f"{text:>{width}}" if to_right else f"{text:<{width}}" for text, width, to_right in placed))
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.4f}" if isinstance(value, float) else str(value)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").replace(".", "").replace("-", "").isdigit()
