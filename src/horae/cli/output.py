"""What a verb says, and where: its result on standard output, everything else on standard error.

So a pipe gets the result alone, and a reader that goes away early (`| head`) never stops work that is under way.
"""

from __future__ import annotations

import contextlib
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

import typer

__all__ = ["PAGE_WIDTH", "aligned", "if_stopped", "say", "say_all", "show", "show_json", "wrapped"]

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


def wrapped(text: str, stream: TextIO | None = None, width: int = PAGE_WIDTH) -> str:
    """For a person at a terminal, lines that fit the page; for a log or a pipe, lines as they are.

    Args:
        text: What goes over stands under its own line's beginning.
        stream: Where it will be printed; standard error if not said.
        width: Of the page.
    """
    if not (stream or sys.stderr).isatty():
        return text
    lines = []
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        lines += textwrap.wrap(
            line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        ) or [""]
    return "\n".join(lines)


@contextlib.contextmanager
def if_stopped(sentence: str) -> Iterator[None]:
    """Should Ctrl-C come within the block, this says what was kept."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(stop.args[0] if stop.args else sentence) from stop


def aligned(header: Sequence[str], rows: Iterable[Sequence[Any]], *, widest: int = PAGE_WIDTH) -> str:
    """Columns side by side: numbers to the right, a last column of text broken into lines that fit the page."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [bool(cells) and all(_is_number(row[n]) for row in cells) for n in range(len(header))]
    widths = [max(len(name), *(len(row[n]) for row in cells), 0) for n, name in enumerate(header)]
    room = max(widest - sum(widths[:-1]) - 2 * (len(header) - 1), 20)
    lines = []
    for row in [list(header), *cells]:
        last = [row[-1]] if right[-1] else textwrap.wrap(row[-1], room) or [""]
        for number, piece in enumerate(last):
            texts = [*(row[:-1] if number == 0 else [""] * (len(row) - 1)), piece]
            placed = zip(texts, widths, right, strict=True)
            lines.append(
                "  ".join(f"{text:>{width}}" if aside else f"{text:<{width}}" for text, width, aside in placed)
            )
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.4f}" if isinstance(value, float) else str(value)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").replace(".", "").replace("-", "").isdigit()
