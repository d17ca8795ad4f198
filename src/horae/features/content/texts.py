"""Plain texts of a catalog's columns: markup, control characters, lists and hierarchies made into words.

In: a catalog. Out: one text for each row, empty where it says nothing, and per column what was there. It does not know
languages or encoders; letters stay as they are, in NFKC.
"""

from __future__ import annotations

import difflib
import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from horae.errors import DataError

__all__ = ["MAX_CHARS", "TEXT_COLUMNS", "coverage", "levels_of", "plain_text", "text_columns", "texts_of"]

MAX_CHARS: Final = 4_000
"""Of an item's text. Encoders read some 100 to 500 tokens at most; a longer text costs time and changes nothing."""
TEXT_COLUMNS: Final = ("title", "name", "description", "categories", "category", "genres", "tags", "brand")
"""Taken in this order where nobody names columns."""

_MARKUP: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)|</?[a-z][^<>]*>", re.DOTALL | re.IGNORECASE
)
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ufffd\ud800-\udfff]+"
)
_LEVELS: Final = re.compile(r"\s*[>|]\s*")
_MISREAD: Final = re.compile("[\u00c2-\u00f4][\u0080-\u00bf\u0152-\u2122]")
"""UTF-8 that was read as Latin text: two bytes or more that became letters such as A-tilde and a sign."""


def plain_text(value: Any, max_chars: int = MAX_CHARS) -> str:
    """One cell as plain words.

    Args:
        value: Text, bytes of text, a number, or a list of these; `A>B|A>C` is read as A, B, C.
        max_chars: Longer text is cut.
    """
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, list | tuple | pl.Series | np.ndarray):
        return ", ".join(dict.fromkeys(filter(None, (plain_text(one, max_chars) for one in value))))[:max_chars]
    text = _decoded(value[: 8 * max_chars] if isinstance(value, str | bytes) else str(value))
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _MARKUP.sub(" ", text)
    if _LEVELS.search(text):
        text = ", ".join(dict.fromkeys(filter(None, map(str.strip, _LEVELS.split(text)))))
    text = _UNSEEN.sub(" ", unicodedata.normalize("NFKC", text))
    return " ".join(text.split())[:max_chars].rstrip()


def levels_of(value: Any, max_chars: int = MAX_CHARS) -> list[str]:
    """A cell's values: the levels of hierarchies (`A>B|A>C` has A, B and C), or the one value; each once."""
    if not isinstance(value, str):
        text = plain_text(value, max_chars)
        return [text] if text else []
    return list(dict.fromkeys(filter(None, (plain_text(one, max_chars) for one in _LEVELS.split(value)))))


def _decoded(value: str | bytes) -> str:
    """Text of bytes, and of text whose bytes somebody read in the wrong encoding."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("cp1252", "replace")
    if not _MISREAD.search(value):
        return value
    try:
        return value.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return value


def text_columns(catalog: pl.DataFrame, columns: Sequence[str] | None) -> list[str]:
    """The columns asked for, or those that usually hold an item's words.

    Raises:
        DataError: A column is not there, or none is.
    """
    found = ", ".join(catalog.columns[:8])
    if columns is None:
        known: list[str] = [name for name in TEXT_COLUMNS if name in catalog.columns]
        if not known:
            raise DataError(
                f"The catalog has no column of text that is known by its name; it has {found}.",
                hint="Name them: columns=[...] in Python, --columns of `horae data encode`, "
                """content.columns of a recipe (--set 'content.columns=["text"]').""",
            )
        return known
    for name in columns:
        if name not in catalog.columns:
            near = difflib.get_close_matches(name, catalog.columns, 1)
            meant = f"Did you mean {near[0]}?" if near else f"Columns: {found}."
            raise DataError(f"The catalog has no column {name!r}.", hint=meant)
    if not columns:
        raise DataError("No column of the catalog was named.", hint="Name at least one, such as title.")
    return list(columns)


def texts_of(catalog: pl.DataFrame, columns: Sequence[str], max_chars: int = MAX_CHARS) -> list[str]:
    """Each row's columns in one text, a sentence each; what stands twice is said once."""
    cleaned = [_column(catalog[name], max_chars) for name in columns]
    return [". ".join(dict.fromkeys(filter(None, row)))[:max_chars].rstrip() for row in zip(*cleaned, strict=True)]


def coverage(catalog: pl.DataFrame, columns: Iterable[str], max_chars: int = MAX_CHARS) -> pl.DataFrame:
    """What each column has to say.

    Returns:
        One row per column: `column`, `items`, `filled` (with words), `share` of them, `distinct` texts, `characters`
            (median of the filled), `markup` (cells in which some was taken out or repaired) and `cut` (over the limit).
    """
    rows = []
    for name in columns:
        raw = catalog[name]
        texts = _column(raw, max_chars)
        filled = [text for text in texts if text]
        changed = sum(
            isinstance(was, str) and ("<" in was or "&" in was) and was != now
            for was, now in zip(raw, texts, strict=True)
        )
        rows.append(
            {
                "column": name,
                "items": len(texts),
                "filled": len(filled),
                "share": len(filled) / max(len(texts), 1),
                "distinct": len(set(filled)),
                "characters": float(np.median([len(text) for text in filled])) if filled else 0.0,
                "markup": changed,
                "cut": sum(len(text) >= max_chars - 1 for text in filled),
            }
        )
    return pl.DataFrame(rows)


def _column(values: pl.Series, max_chars: int) -> list[str]:
    if values.dtype in (pl.String, pl.Categorical, pl.Binary) or isinstance(values.dtype, pl.Enum):
        known: dict[Any, str] = {None: ""}
        for value in values.unique():
            known[value] = plain_text(value, max_chars)
        return [known[value] for value in values]
    return [plain_text(value, max_chars) for value in values]
