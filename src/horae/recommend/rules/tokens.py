"""The text of a rule in, its words with their places out. Refusals show the place.

The language has no loops, no calls and no patterns of the user's: reading is linear in the text's length. This module
does not know what the words mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from horae.errors import DataError

__all__ = ["LONGEST", "Token", "refusal", "tokens_of"]

LONGEST: Final = 10_000
"""Characters of one rule."""

PATTERNS: Final = re.compile(
    r"""(?P<space>\s+)
    |(?P<factor>x\d+(?:\.\d+)?(?![\w.]))
    |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<text>"[^"]*"|'[^']*')
    |(?P<column>`[^`]+`)
    |(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)?)
    |(?P<sign><=|>=|==|!=|[<>=+\-*/(),\[\]:])""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """One word: its kind (a group of `PATTERNS`, or `end`), its text (quotes taken off) and where it stands, from 0."""

    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"`{self.text}`"


def tokens_of(text: str) -> list[Token]:
    """The words of a rule; the last is its end.

    Raises:
        DataError: A sign that the language does not have, a text that does not end, or too long a rule.
    """
    if len(text) > LONGEST:
        raise DataError(f"A rule of {len(text):,} characters: at most {LONGEST:,} can be read.", hint="Split it.")
    found, at = [], 0
    while at < len(text):
        match = PATTERNS.match(text, at)
        if match is None:
            what = "this text does not end" if text[at] in "\"'" else f"{text[at]!r} means nothing here"
            raise refusal(text, at, what)
        kind = match.lastgroup
        if kind is not None and kind != "space":
            word = match.group()
            found.append(Token(kind, word[1:-1] if kind in ("text", "column") else word, at))
        at = match.end()
    return [*found, Token("end", "", len(text))]


def refusal(text: str, at: int, what: str, hint: str = "") -> DataError:
    """What is wrong with a rule, with a mark under the place."""
    line = re.sub(r"\s", " ", text)
    start = max(0, at - 60)
    shown = line[start : at + 40]
    mark = " " * (at - start) + "^"
    return DataError(
        f"The rule cannot be read at character {at + 1}: {what}.\n  {shown}\n  {mark}",
        hint=hint or "docs/strategies.md has the language on one page.",
    )
