"""Delimited text, well-formed or not, to a frame of text.

In: a file's bytes (or its path, which the fast reader prefers). Out: a frame whose columns are all String, what was
understood, and which rows could not be read. It does not know what a column means.

The fast reader is polars, over all cores. It takes a short row silently and refuses a long one, so its result is
believed only if no row can have been short; else `ragged.sieve` finds the bad rows, which are set aside.
"""

from __future__ import annotations

import csv
import io
import mmap
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.data.reading.ragged import Sieve, count_outside, sieve
from horae.data.reading.raw import Part, read_share
from horae.data.reading.sniff import SAMPLE_BYTES, WHITESPACE, Dialect, decode, sniff
from horae.errors import DataError
from horae.schema import Step

__all__ = ["Options", "Text", "read_text"]

STAND_IN = "\x1f"
"""Unit separator: takes the place of delimiters that the fast reader does not know."""
RECBOLE = re.compile(r"(.+):(token|float|token_seq|float_seq)")
ONE_LINE = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "pipes", WHITESPACE: "spaces"}


@dataclass(frozen=True)
class Options:
    """What the caller knows about a text file; None: recognise it."""

    header: bool | None = None
    delimiter: str | None = None
    encoding: str | None = None
    max_bad: float = 0.01


@dataclass(frozen=True, eq=False)
class Text:
    """A file to read.

    Attributes:
        name: For messages.
        content: Its bytes, or a map of them.
        path: Where it lies, if `content` is just that file.
    """

    name: str
    content: bytes | mmap.mmap
    path: Path | None = None


def read_text(text: Text, options: Options) -> tuple[pl.DataFrame, list[Step], Part]:
    """Read one delimited file.

    Raises:
        DataError: Empty, no delimiter, a header that does not fit, or too many rows that do not.
    """
    text, encoding = _as_utf8(text, options)
    dialect = sniff(text.content[:SAMPLE_BYTES], text.name, options.delimiter, options.header)
    names, notes = _names(dialect, text.name)
    text, delimiter, quoted = _single_delimiter(text, dialect.delimiter)
    skip_rows = 1 if dialect.names is not None else 0
    frame = None
    if text.content[:1] not in (b"\n", b"\r"):
        frame = _read_fast(text, names, delimiter, skip_rows, quoted)
    if frame is None and text.path is not None:  # perhaps not UTF-8 further on than the sample
        content, encoding = decode(bytes(text.content), text.name, options.encoding)
        text = Text(text.name, content)
        frame = _read_fast(text, names, delimiter, skip_rows, quoted) if encoding != "utf-8" else None
    steps, gaps = [_understood(dialect, encoding, notes)], np.empty(0, dtype=np.int64)
    if frame is None or not _is_whole(frame, text, delimiter, skip_rows, quoted):
        del frame
        found = _find_bad(text, delimiter, dialect, len(names), quoted, options.max_bad)
        frame, gaps = _read_clean(text, found, names, delimiter, quoted), found.gaps
        steps += _set_aside(text.name, found, len(names))
    if frame.is_empty():
        raise DataError(f"{text.name} has a header and no rows.", hint="Give a file with at least one event.")
    first_row = skip_rows + 1
    while len(gaps) and gaps[0] == first_row:
        first_row, gaps = first_row + 1, gaps[1:]
    return frame, steps, Part(text.name, frame.height, first_row, gaps)


def _as_utf8(text: Text, options: Options) -> tuple[Text, str]:
    """Decode where needed; a mapped file that looks like UTF-8 is left to the fast reader, which checks all of it."""
    head = text.content[:SAMPLE_BYTES]
    plain = options.encoding in (None, "utf-8", "utf8") and 0 not in head and b"\n" in head
    if plain and text.path is not None and head[:3] != b"\xef\xbb\xbf" and head[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        try:
            head[: head.rfind(b"\n")].decode("utf-8")
            return text, "utf-8"
        except UnicodeDecodeError:
            pass
    content, encoding = decode(bytes(text.content), text.name, options.encoding)
    if b"\n" not in content[:SAMPLE_BYTES] and b"\r" in content[:SAMPLE_BYTES]:
        content = content.replace(b"\r", b"\n")
    return Text(text.name, content), encoding


def _names(dialect: Dialect, name: str) -> tuple[list[str], list[str]]:
    """One unique name per field, and what was done to the header's."""
    if dialect.names is None:
        return [f"column_{i}" for i in range(1, dialect.width + 1)], ["no header"]
    names, notes = list(dialect.names), []
    if len(names) == dialect.width - 1 and dialect.sample:
        trailing = all(not fields[-1] for fields in dialect.sample if len(fields) == dialect.width)
        names = [*names, ""] if trailing else ["row_name", *names]
        notes.append("rows have one field more than the header")
    elif len(names) == dialect.width + 1 and not names[-1]:
        names.pop()
    elif len(names) != dialect.width and dialect.sample:
        raise DataError(
            f"{name}: the header names {len(names)} columns ({', '.join(names[:8])}), most rows have {dialect.width}.",
            hint="Mend the header, or give --no-header if the first row is an event.",
        )
    typed = [RECBOLE.fullmatch(field) for field in names]
    if all(typed):
        names, notes = [match.group(1) for match in typed if match], [*notes, "types behind the names taken off"]
    return _unique(names, notes), notes


def _unique(names: Sequence[str], notes: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for position, name in enumerate(names, start=1):
        name = name or f"column_{position}"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            notes.append(f"the name {name!r} occurs again, called {name}_{seen[name]!s}")
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result


def _single_delimiter(text: Text, delimiter: str) -> tuple[Text, str, bool]:
    """Replace a delimiter that is not one byte; such files do not quote."""
    if len(delimiter.encode()) == 1:
        return text, delimiter, True
    content = bytes(text.content)
    if STAND_IN.encode() in content:
        raise DataError(f"{text.name} holds the control character 0x1F.", hint="Take it out, or save the file as CSV.")
    if delimiter == WHITESPACE:
        content = re.sub(rb"(?m)^[ \t]+|[ \t\r]+$", b"", content)
        content = re.sub(rb"[ \t]+", STAND_IN.encode(), content)
    else:
        content = content.replace(delimiter.encode(), STAND_IN.encode())
    return Text(text.name, content), STAND_IN, False


def _read_fast(text: Text, names: Sequence[str], delimiter: str, skip_rows: int, quoted: bool) -> pl.DataFrame | None:
    """All columns as text; None where polars finds something wrong."""
    source = text.path if text.path is not None else bytes(text.content)
    try:
        return pl.read_csv(
            source,
            has_header=False,
            schema=dict.fromkeys(names, pl.String),
            separator=delimiter,
            skip_rows=skip_rows,
            quote_char='"' if quoted else None,
            glob=False,
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    except (pl.exceptions.ComputeError, pl.exceptions.SchemaError, pl.exceptions.ShapeError):
        return None


def _is_whole(frame: pl.DataFrame, text: Text, delimiter: str, skip_rows: int, quoted: bool) -> bool:
    """Whether every row had every field: its last one is there, or delimiters and rows add up."""
    if frame.is_empty() or frame[:, -1].null_count() == 0:
        return True
    expected = (frame.height + skip_rows) * (frame.width - 1)
    return frame.width > 1 and count_outside(_array(text), ord(delimiter), quoted) == expected


def _find_bad(text: Text, delimiter: str, dialect: Dialect, width: int, quoted: bool, max_bad: float) -> Sieve:
    data = _array(text)
    skip, first_row = dialect.header_lines, 2 if dialect.names is not None else 1
    found = sieve(data, ord(delimiter), width, quoted=quoted, skip=skip, first_row=first_row)
    examples = _examples(text.name, found, width)
    read_share(
        len(found.bad),
        found.rows + len(found.bad),
        max_bad,
        f"{text.name}: expected {width} fields in each row.",
        examples,
        "Mend these rows, name the delimiter (--delimiter), or allow more with --max-bad.",
    )
    return found


def _read_clean(text: Text, found: Sieve, names: Sequence[str], delimiter: str, quoted: bool) -> pl.DataFrame:
    """Read what the sieve kept; the standard library's reader bears quotation marks that polars does not."""
    frame = _read_fast(Text(text.name, found.clean), names, delimiter, 0, quoted) if found.rows else None
    if frame is not None and frame.height == found.rows:
        return frame
    content = found.clean.decode("utf-8", "replace")
    csv.field_size_limit(max(csv.field_size_limit(), len(content) + 1))
    records = list(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter))
    wrong = next((record for record in records if len(record) != len(names)), None)
    if wrong is not None or len(records) != found.rows:
        shown = delimiter.join(wrong or records[0])[:80]
        raise DataError(
            f"{text.name}: quotation marks do not pair up; expected {len(names)} fields, got {shown!r}.",
            hint='Write a quotation mark inside a quoted field twice ("").',
        )
    columns = zip(*records, strict=True) if records else [()] * len(names)
    series = [pl.Series(name, column, dtype=pl.String) for name, column in zip(names, columns, strict=True)]
    return pl.DataFrame(series).with_columns(pl.all().replace("", None))


def _set_aside(name: str, found: Sieve, width: int) -> list[Step]:
    steps = []
    if len(found.bad):
        message = f"rows do not have {width} fields; set aside."
        hint = "Mend them in the file if they matter."
        steps.append(Step("unreadable", "set_aside", len(found.bad), message, _examples(name, found, width), hint))
    blank = len(found.gaps) - len(np.unique(found.bad))
    if blank:
        steps.append(Step("blank_lines", "understood", blank, "blank lines are not rows."))
    return steps


def _examples(name: str, found: Sieve, width: int) -> tuple[str, ...]:
    shown = zip(found.bad.tolist(), found.bad_texts, strict=False)
    return tuple(f"{name}:{row} has {fields} fields: {text!r}" for row, (fields, text) in shown)


def _understood(dialect: Dialect, encoding: str, notes: Sequence[str]) -> Step:
    delimiter = ONE_LINE.get(dialect.delimiter, repr(dialect.delimiter))
    said = [f"text split at {delimiter}", *notes]
    if encoding != "utf-8":
        said.append(f"encoding {encoding}")
    return Step("format", "understood", 0, "; ".join(said) + ".")


def _array(text: Text) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.content, dtype=np.uint8)
