"""What kind of text a file is: compressed how, encoded how, delimited by what, with a header or without.

In: bytes. Out: `Dialect` and decoded bytes (always UTF-8). It reads samples, never decides what a column means beyond
asking `names.is_known` whether the first row looks like names.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from horae.data.understanding.names import is_known
from horae.errors import DataError

__all__ = ["WHITESPACE", "Dialect", "decode", "decompress", "has_header", "named_delimiter", "sniff", "split_records"]

WHITESPACE = "whitespace"
DELIMITERS = ("\t", "::", ",", ";", "|", "\x01", "\x1f", "~", "^", "#")
NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": WHITESPACE, " ": WHITESPACE}
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?")
SAMPLE_BYTES = 1 << 18
SAMPLE_LINES = 400


@dataclass(frozen=True)
class Dialect:
    """How a file's rows are written.

    Attributes:
        delimiter: One or more characters, or `whitespace`.
        width: Fields of most rows.
        names: The header's names, stripped; None where the file has no header.
        header_lines: Lines that the header takes.
        sample: The first rows after the header, as text.
    """

    delimiter: str
    width: int
    names: tuple[str, ...] | None
    header_lines: int
    sample: tuple[tuple[str, ...], ...]


def decompress(data: bytes, name: str) -> tuple[bytes, str]:
    """Undo gzip, Zstandard or a zip of one file, told by their first bytes and not by the file's name.

    Returns:
        The content, and how it was packed (empty if it was not).
    """
    try:
        if data[:2] == b"\x1f\x8b":
            return _stream(data, "gzip"), "gzip"
        if data[:4] == b"\x28\xb5\x2f\xfd":
            return _stream(data, "zstd"), "zstd"
        if data[:4] == b"PK\x03\x04":
            return _unzip(data, name), "zip"
    except (OSError, zipfile.BadZipFile, EOFError, pa.ArrowException) as error:
        raise DataError(f"{name} is compressed and damaged: {error}.", hint="Fetch or pack the file again.") from error
    return data, ""


def _stream(data: bytes, codec: str) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
        content = stream.read()
    assert isinstance(content, bytes)
    return content


def _unzip(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [m for m in archive.namelist() if not m.endswith("/") and not m.startswith("__MACOSX/")]
        if "[Content_Types].xml" in members:
            raise DataError(
                f"{name} is an Excel workbook; expected text or Parquet.", hint="Save its sheet as CSV first."
            )
        if len(members) != 1:
            listed = ", ".join(members[:6]) + (", ..." if len(members) > 6 else "")
            raise DataError(
                f"{name} holds {len(members)} files ({listed}); expected a zip of one.",
                hint="Unpack it and give the file of events.",
            )
        return archive.read(members[0])


def decode(data: bytes, name: str, encoding: str | None) -> tuple[bytes, str]:
    """Bring text to UTF-8.

    Returns:
        UTF-8 bytes without a byte order mark, and the encoding that was found.
    """
    if encoding is not None:
        return _decode_as(data, name, encoding)
    for mark, found in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            return (data[3:], "utf-8") if found == "utf-8" else _decode_as(data, name, found)
    head = data[:4000]
    if head.count(0) > len(head) // 4:
        return _decode_as(data, name, "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be")
    if 0 in head:
        line = head[: head.index(0)].count(b"\n") + 1
        raise DataError(
            f"{name} is not text: it holds zero bytes, the first in line {line}.",
            hint="Give CSV, JSON lines, Parquet or a database; if it is text, take these bytes out.",
        )
    try:
        data.decode("utf-8")
        return data, "utf-8"
    except UnicodeDecodeError:
        return _not_utf8(data, name)


def _decode_as(data: bytes, name: str, encoding: str) -> tuple[bytes, str]:
    try:
        text = data.decode(encoding)
    except LookupError as error:
        raise DataError(
            f"There is no encoding {encoding!r}.", hint="For example utf-8, latin-1, gb18030, utf-16."
        ) from error
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{name}:{row} is not valid {encoding}: {error.reason} at byte {error.start:,}.",
            hint="Leave out --encoding to have it recognised, or name another.",
        ) from error
    return text.removeprefix("\ufeff").encode("utf-8", "replace"), encoding


def _not_utf8(data: bytes, name: str) -> tuple[bytes, str]:
    """GB18030 where high bytes come in pairs, UTF-8 with a few damaged bytes, else latin-1 (its Windows form)."""
    runs = re.findall(rb"[\x80-\xff]+", data[: 1 << 20])
    text = data.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    if sum(1 for c in text[: 1 << 20] if c > "\x7f") > 10 * damaged:
        return text.encode("utf-8"), f"utf-8 with {damaged:,} damaged bytes"
    if sum(len(run) % 2 == 0 for run in runs) > 0.9 * len(runs):
        try:
            return data.decode("gb18030").encode("utf-8"), "gb18030"
        except UnicodeDecodeError:
            pass
    try:
        return data.decode("cp1252").encode("utf-8"), "latin-1"
    except UnicodeDecodeError:
        return data.decode("latin-1").encode("utf-8"), "latin-1"


def named_delimiter(delimiter: str | None) -> str | None:
    """`tab`, `comma`, `pipe`, `semicolon`, `space` in words; anything else as it stands."""
    return NAMED.get(delimiter, delimiter) if delimiter is not None else None


def sniff(data: bytes, name: str, delimiter: str | None, header: bool | None) -> Dialect:
    """Recognise delimiter, width and header from the first rows."""
    lines = data[:SAMPLE_BYTES].decode("utf-8", "replace").splitlines(keepends=True)
    if len(data) > SAMPLE_BYTES and len(lines) > 1:
        lines = lines[:-1]
    if not any(line.strip() for line in lines):
        raise DataError(f"{name} is empty.", hint="Give a file with at least one event.")
    found = named_delimiter(delimiter) or _delimiter(lines[:SAMPLE_LINES], name)
    records = [(fields, stop) for fields, stop in split_records(lines[: 5 * SAMPLE_LINES], found) if any(fields)]
    body = [tuple(fields) for fields, _ in records]
    width = _modal_width(body[1:] or body)
    if header is None:
        header = has_header(body)
    names = tuple(field.strip() for field in body[0]) if header else None
    return Dialect(found, width, names, records[0][1] if header else 0, tuple(body[1:] if header else body))


def split_records(lines: Sequence[str], delimiter: str) -> list[tuple[list[str], int]]:
    """Fields of each record, and the line after which it ended; quotation marks count for single characters only."""
    if delimiter == WHITESPACE:
        return [(line.split(), number) for number, line in enumerate(lines, start=1)]
    if len(delimiter) > 1:
        return [(line.rstrip("\r\n").split(delimiter), number) for number, line in enumerate(lines, start=1)]
    reader = csv.reader(lines, delimiter=delimiter)
    records: list[tuple[list[str], int]] = []
    try:
        for fields in reader:
            records.append((fields, reader.line_num))
    except csv.Error:  # a field beyond csv's limit: the sample before it is enough
        pass
    return records


def _delimiter(lines: Sequence[str], name: str) -> str:
    """The delimiter that gives most rows the same number of fields, the larger number first; whitespace last."""
    scores: list[tuple[float, int, str]] = []
    for candidate in (*DELIMITERS, WHITESPACE):
        widths = [len(fields) for fields, _ in split_records(lines, candidate) if any(fields)]
        if not widths:
            continue
        width, count = Counter(widths).most_common(1)[0]
        if width > 1 and count > len(widths) / 2:
            scores.append((0.9 if candidate == WHITESPACE else 1.0 + (count >= 0.9 * len(widths)), width, candidate))
    if not scores:
        raise DataError(
            f"{name}: expected rows of several fields, found no delimiter that splits them.",
            hint="Name it: --delimiter ';' (or tab, pipe, space, '::').",
        )
    return max(scores, key=lambda score: score[:2])[2]


def _modal_width(body: Sequence[Sequence[str]]) -> int:
    return Counter(len(fields) for fields in body).most_common(1)[0][0]


def has_header(body: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names columns: no value among its fields, and known names, or fields unlike those below."""
    first, rest = [field.strip() for field in body[0]], body[1:]
    if any(NUMBER.fullmatch(field) or DATE.fullmatch(field) for field in first) or not any(first):
        return False
    if any(is_known(field) for field in first):
        return True
    if not rest:
        return True
    for position, field in enumerate(first):
        below = [fields[position] for fields in rest if len(fields) > position and fields[position]]
        if field in below:
            return False
        if below and all(NUMBER.fullmatch(value.strip()) or DATE.fullmatch(value.strip()) for value in below):
            return True
    shapes = [re.sub(r"\d+", "0", field) for field in first]
    return not any(
        "0" in shape and shape == re.sub(r"\d+", "0", rest[0][i]) for i, shape in enumerate(shapes[: len(rest[0])])
    )
