"""Lines: values one after the other, some missing, with what may be looked at from where.

In: arrays. Out: `Lines`, and for each row the nearest known rows that it may look at. This is where the as-of rule of
imputing lives: a row of the training part may look at the whole training part, any other row only at what stands
strictly before it. It does not know tables, nor methods.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from horae.data.cleaning.order import Array, Mask

__all__ = ["Filler", "Floats", "Lines", "Neighbours", "line_numbers", "neighbours"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lines:
    """Values in flat arrays of N rows, line after line, oldest first.

    Attributes:
        value_N: NaN where missing.
        line_N: Each row's line, from 0, not decreasing.
        second_N: When, in seconds since 1970; NaN where unknown.
        step_N: Where on the grid that all lines share; without one, the row's number in its line.
        train_N: May this row look at later rows, and be looked at by earlier ones? All of the training part.
        tie_N: The first row at this row's moment, in its line: what is strictly before it is before that row.
        wide_N: A wider group, such as the behavior of a line of one user's purchases; None: there is none.
        shared: Do lines share moments, so that one can tell of another?
        names: One key per line: what a line is found by when it comes again.
        wide_names: One key per wider group.
    """

    value_N: Floats
    line_N: Array
    second_N: Floats
    step_N: Array
    train_N: Mask
    tie_N: Array
    shared: bool
    names: Sequence[Hashable]
    wide_N: Array | None = None
    wide_names: Sequence[Hashable] = ()

    @property
    def num_lines(self) -> int:
        """Lines, the empty ones included."""
        return len(self.names)

    @property
    def known_N(self) -> Mask:
        """Rows that have a value."""
        return ~np.isnan(self.value_N)

    @property
    def start_N(self) -> Array:
        """The first row of each row's line."""
        first = np.ones(len(self.line_N), dtype=np.bool_)
        first[1:] = self.line_N[1:] != self.line_N[:-1]
        return np.maximum.accumulate(np.where(first, np.arange(len(first)), 0)) if len(first) else self.line_N

    def with_values(self, value_N: Floats) -> Lines:
        """The same places with other values."""
        return replace(self, value_N=value_N)

    def training(self) -> Lines:
        """The rows of the training part alone; lines keep their numbers."""
        rows = np.flatnonzero(self.train_N)
        place_N: Array = np.cumsum(self.train_N) - self.train_N  # how many training rows stand before each row
        return replace(
            self,
            value_N=self.value_N[rows],
            line_N=self.line_N[rows],
            second_N=self.second_N[rows],
            step_N=self.step_N[rows],
            train_N=self.train_N[rows],
            tie_N=place_N[self.tie_N[rows]],
            wide_N=None if self.wide_N is None else self.wide_N[rows],
        )


class Filler(Protocol):
    """A method that has seen the training part."""

    def guess(self, lines: Lines) -> Floats:
        """One number per row, a guess where the value is missing and can be guessed, else NaN."""
        ...


@dataclass(frozen=True, eq=False)
class Neighbours:
    """For each of some rows the nearest known row before it and after it that it may look at; -1: none."""

    row_M: Array
    before_M: Array
    after_M: Array


def neighbours(lines: Lines) -> Neighbours:
    """For each missing row; one that is not of the training part has nothing after it."""
    known, train = lines.known_N, lines.train_N
    row_M = np.flatnonzero(~known)
    before = np.where(train, _before(lines, known & train), _before(lines, known))
    after = np.where(train, _after(lines, known & train), -1)
    return Neighbours(row_M, before[row_M], after[row_M])


def line_numbers(lines: Lines, names: Sequence[Hashable]) -> Array:
    """Each line's number among other names, -1 where it is not among them."""
    if lines.names is names:
        return np.arange(len(names))
    place = {name: number for number, name in enumerate(names)}
    return np.array([place.get(name, -1) for name in lines.names], dtype=np.int64)


def _before(lines: Lines, known: Mask) -> Array:
    """The last such row strictly before each row's moment, in its line."""
    rows = np.arange(len(known))
    last = np.concatenate([[-1], np.maximum.accumulate(np.where(known, rows, -1))])[lines.tie_N]
    return np.where(last >= lines.start_N, last, -1)


def _after(lines: Lines, known: Mask) -> Array:
    """The first such row after each row, in its line."""
    size = len(known)
    if not size:
        return np.zeros(0, np.int64)
    following = np.minimum.accumulate(np.where(known, np.arange(size), size)[::-1])[::-1]
    same = (following < size) & (lines.line_N[np.minimum(following, size - 1)] == lines.line_N)
    return np.where(same, following, -1)
