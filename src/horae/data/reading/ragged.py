"""Which lines of a delimited file are rows, which are not: found without a loop over lines.

In: the bytes of a file, its delimiter and how many fields a row has. Out: the same bytes without the lines that cannot
be rows, and where those stood. It does not know what a field means. Only files that the fast reader refuses come here.

A quotation mark may open a field that holds line ends (then several lines are one row) or stand alone by accident (then
it is an ordinary character). Two lines with an odd count of marks are one row where that gives the right number of
fields and none of the lines between is a row by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Lines", "Sieve", "count_outside", "scan", "sieve"]

Ints = npt.NDArray[np.int64]
BLOCK = 1 << 24
NEWLINE, QUOTE, RETURN = 10, 34, 13
KEPT, BLANK, BAD, LITERAL = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Lines:
    """Every line of a file.

    Attributes:
        start: First byte of each line.
        stop: Its line end (or the end of the file).
        outside: Delimiters outside quotation marks, if the line begins outside.
        inside: Delimiters inside quotation marks, if the line begins outside; so those outside, if it begins inside.
        odd: The line has an odd count of quotation marks.
    """

    start: Ints
    stop: Ints
    outside: npt.NDArray[np.int32]
    inside: npt.NDArray[np.int32]
    odd: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Sieve:
    """What is left of a file, and what is not.

    Attributes:
        clean: The rows that hold, each ending in a line end.
        rows: How many those are.
        bad: Row numbers (from `first_row`) of unreadable rows.
        bad_texts: What stood there, cut to 80 characters, and how many fields it had; the first five.
        gaps: Row numbers of unreadable and blank rows.
    """

    clean: bytes
    rows: int
    bad: Ints
    bad_texts: tuple[tuple[int, str], ...]
    gaps: Ints


def scan(data: npt.NDArray[np.uint8], delimiter: int, quoted: bool) -> Lines:
    """Measure every line, block by block, so that memory is linear in lines and not in bytes."""
    blocks = [_scan_block(data, begin, end, delimiter, quoted) for begin, end in _blocks(data)]
    return Lines(*(np.concatenate([block[k] for block in blocks]) for k in range(5)))


def sieve(data: npt.NDArray[np.uint8], delimiter: int, width: int, *, quoted: bool, skip: int, first_row: int) -> Sieve:
    """Keep the rows of `width` fields.

    Args:
        data: The file.
        delimiter: One byte.
        width: Fields of a row.
        quoted: Whether quotation marks mean anything here.
        skip: Lines of the header.
        first_row: Number of the first row after it.
    """
    lines = scan(data, delimiter, quoted)
    lines = Lines(lines.start[skip:], lines.stop[skip:], lines.outside[skip:], lines.inside[skip:], lines.odd[skip:])
    status, begins = _judge(lines, width, data)
    row = first_row - 1 + np.cumsum(begins)
    bad_lines = np.flatnonzero(status == BAD)
    fields = lines.outside + lines.inside + 1
    texts = tuple((int(fields[i]), _text(data, lines, i)) for i in bad_lines[:5])
    kept = int(np.count_nonzero(begins & ((status == KEPT) | (status == LITERAL))))
    clean = b"".join(_pieces(data, lines, status, delimiter))
    return Sieve(clean, kept, row[bad_lines], texts, np.unique(row[(status == BAD) | (status == BLANK)]))


def count_outside(data: npt.NDArray[np.uint8], delimiter: int, quoted: bool) -> int:
    """Delimiters that are not inside quotation marks, taking these to come in pairs."""
    total, carry = 0, np.uint8(0)
    for begin in range(0, len(data), BLOCK):
        block = data[begin : begin + BLOCK]
        found, marks = block == delimiter, block == QUOTE
        if quoted and (carry or marks.any()):
            parity = (np.cumsum(marks, dtype=np.uint8) + carry) & 1
            found &= parity == 0
            carry = parity[-1]
        total += int(np.count_nonzero(found))
    return total


def _blocks(data: npt.NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    begin = 0
    while begin < len(data):
        end = min(begin + BLOCK, len(data))
        while end < len(data):
            ends = np.flatnonzero(data[begin:end] == NEWLINE)
            if len(ends):
                end = begin + int(ends[-1]) + 1
                break
            end = min(end + BLOCK, len(data))
        yield begin, end
        begin = end


def _scan_block(
    data: npt.NDArray[np.uint8], begin: int, end: int, delimiter: int, quoted: bool
) -> tuple[Ints, Ints, npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    block = data[begin:end]
    stop = np.flatnonzero(block == NEWLINE)
    if not len(stop) or stop[-1] != len(block) - 1:
        stop = np.append(stop, len(block))
    start = np.concatenate(([0], stop[:-1] + 1))
    at = np.flatnonzero(block == delimiter)
    marks = block == QUOTE
    if not quoted or not marks.any():
        return (
            start + begin,
            stop + begin,
            _per_line(at, stop),
            np.zeros(len(stop), np.int32),
            np.zeros(len(stop), bool),
        )
    parity = np.cumsum(marks, dtype=np.uint8) & 1
    before = np.where(start > 0, parity[np.maximum(start - 1, 0)], 0).astype(np.uint8)
    within = (parity[at] ^ np.repeat(before, _per_line(at, stop))).astype(bool)
    odd = (parity[stop - 1] ^ before).astype(bool)
    return start + begin, stop + begin, _per_line(at[~within], stop), _per_line(at[within], stop), odd


def _per_line(at: Ints, stop: Ints) -> npt.NDArray[np.int32]:
    return np.diff(np.searchsorted(at, stop), prepend=0).astype(np.int32)


def _judge(lines: Lines, width: int, data: npt.NDArray[np.uint8]) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Each line's status, and whether a row begins on it."""
    length = lines.stop - lines.start
    last = data[np.maximum(lines.stop - 1, 0)] if len(data) else np.empty(0, dtype=np.uint8)
    blank = (length == 0) | ((length == 1) & (last == RETURN))
    alone = ~lines.odd & (lines.outside == width - 1) & ~blank
    status = np.where(alone, KEPT, np.where(blank, BLANK, BAD)).astype(np.int64)
    begins = np.ones(len(status), dtype=bool)
    sum_inside = np.concatenate(([0], np.cumsum(lines.inside, dtype=np.int64)))
    sum_alone = np.concatenate(([0], np.cumsum(alone)))
    odd = np.flatnonzero(lines.odd).tolist()
    k = 0
    while k < len(odd):
        i, j = odd[k], odd[k + 1] if k + 1 < len(odd) else -1
        literal = lines.outside[i] + lines.inside[i] == width - 1
        if j > 0 and _are_one_row(lines, i, j, width, sum_inside, sum_alone):
            status[i : j + 1] = KEPT
            begins[i + 1 : j + 1] = False
            k += 2
            continue
        status[i] = LITERAL if literal else BAD
        k += 1
    return status, begins


def _are_one_row(lines: Lines, i: int, j: int, width: int, sum_inside: Ints, sum_alone: Ints) -> bool:
    if sum_alone[j] - sum_alone[i + 1]:
        return False
    both_literal = (
        lines.outside[i] + lines.inside[i] == width - 1
        and lines.outside[j] + lines.inside[j] == width - 1
        and j == i + 1
    )
    return not both_literal and bool(lines.outside[i] + sum_inside[j + 1] - sum_inside[i + 1] == width - 1)


def _pieces(data: npt.NDArray[np.uint8], lines: Lines, status: Ints, delimiter: int) -> Iterator[bytes]:
    """Runs of kept lines as they stand; literal quotation marks doubled inside quoted fields."""
    edges = np.flatnonzero(np.diff(status)) + 1
    for first, stop in zip([0, *edges], [*edges, len(status)], strict=True):
        if first < stop and status[first] == KEPT:
            piece = data[lines.start[first] : lines.stop[stop - 1] + 1].tobytes()
            yield piece if piece.endswith(b"\n") else piece + b"\n"
        elif first < stop and status[first] == LITERAL:
            yield from (_requote(data, lines, i, delimiter) for i in range(first, stop))


def _requote(data: npt.NDArray[np.uint8], lines: Lines, i: int, delimiter: int) -> bytes:
    separator = bytes([delimiter])
    fields = data[lines.start[i] : lines.stop[i]].tobytes().rstrip(b"\r").split(separator)
    return separator.join(b'"' + f.replace(b'"', b'""') + b'"' if b'"' in f else f for f in fields) + b"\n"


def _text(data: npt.NDArray[np.uint8], lines: Lines, i: int) -> str:
    return (
        data[lines.start[i] : min(lines.stop[i], lines.start[i] + 320)]
        .tobytes()
        .decode("utf-8", "replace")
        .strip()[:80]
    )
