"""Docstrings and tables as Markdown. In: text and rows. Out: Markdown. It does not know what the pages say."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, get_args, get_origin

__all__ = [
    "code",
    "drawing",
    "entries",
    "listed",
    "markdown",
    "one_line",
    "shifted",
    "table",
    "type_text",
]

SECTION: Final = re.compile(r"^(Args|Attributes|Returns|Raises|Yields|Example|Source|Differs|Shape):\s*(.*)$")
NAMED: Final = ("Args", "Attributes", "Raises")


def sections(docstring: str) -> list[tuple[str, str]]:
    """A Google docstring (dedented) in parts: `("", prose)` and `(name, text)`, in order."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in docstring.splitlines():
        head = SECTION.match(line)
        if head:
            parts.append((head[1], [head[2]] if head[2] else []))
        elif line and not line.startswith(" ") and parts[-1][0] and not (parts[-1][1] and parts[-1][1][-1]):
            parts.append(("", [line]))
        else:
            parts[-1][1].append(line)
    return [(name, inspect.cleandoc("\n".join(["", *lines])).strip("\n")) for name, lines in parts]


def entries(docstring: str, section: str) -> dict[str, str]:
    """`name: text` entries of a section, each on one line."""
    found: dict[str, str] = {}
    last = ""
    for name, text in sections(docstring):
        for line in text.splitlines() if name == section else ():
            entry = re.match(r"^(\*{0,2}[\w, ]+?):\s+(.*)$", line)
            if entry and not line.startswith(" "):
                last = entry[1]
                found[last] = entry[2]
            elif last:
                found[last] = f"{found[last]} {line.strip()}".strip()
    return found


def markdown(docstring: str) -> str:
    """A docstring as Markdown: named entries become lists, other sections paragraphs."""
    said = []
    for name, text in sections(docstring):
        if not name:
            said.append(text)
        elif name in NAMED:
            lines = [f"- `{entry}`: {about}" for entry, about in entries(docstring, name).items()]
            said.append("\n".join([f"**{name}**", "", *lines]))
        else:
            said.append(f"**{name}**" + ("\n\n" if "\n" in text else " ") + text)
    return "\n\n".join(part for part in said if part.strip())


def type_text(hint: Any) -> str:
    """A type as a reader of recipes writes it."""
    if get_origin(hint) is Literal:
        return " or ".join(f'"{value}"' for value in get_args(hint))
    if get_origin(hint) in (types.UnionType, typing.Union):
        return " or ".join(type_text(option) for option in get_args(hint) if option is not type(None))
    if get_origin(hint) in (tuple, list):
        return f"list of {type_text(get_args(hint)[0])}"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}.get(
        getattr(hint, "__name__", ""), str(hint)
    )


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows under a header; each cell on one line."""
    lines = [[_cell(value) for value in row] for row in rows]
    if not lines:
        return "None.\n"
    body = [f"| {' | '.join(row)} |" for row in [list(header), ["---"] * len(header), *lines]]
    return "\n".join(body) + "\n"


def _cell(value: object) -> str:
    return one_line(str(value)).replace("|", "\\|")


def one_line(text: str) -> str:
    """The text with every run of white space as one space."""
    return re.sub(r"\s+", " ", text).strip()


def code(text: str, language: str) -> str:
    """A fenced block."""
    return f"\n```{language}\n{text}\n```\n"


def drawing(docstring: str) -> str:
    """The indented lines of a docstring: its drawing."""
    lines = [line for line in inspect.cleandoc(docstring).splitlines() if line.startswith("    ")]
    return inspect.cleandoc("\n".join(["", *lines]))


def shifted(text: str, indent: str) -> str:
    """Every line moved to the right, as inside a list."""
    return "\n".join(f"{indent}{line}".rstrip() for line in text.splitlines()) + "\n"


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    return ", ".join(f"`{name}`" for name in names)
