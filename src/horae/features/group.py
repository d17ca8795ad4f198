"""What a group of features is: columns that are made together, each with its unit and the rule for its nulls.

A new group is a class of this shape and one line in `groups.py`; the docs' tables and the tests over every feature
take it from there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.features.book import LineBlock, LineBook
from horae.features.calendar import CalendarSettings
from horae.features.feature import Feature
from horae.features.moments import Moments
from horae.features.promotions import Promotions
from horae.features.scans import BoolArray
from horae.features.spans import Window

if TYPE_CHECKING:
    from horae.features.tables import Table

__all__ = ["Column", "Feature", "Float32Array", "Group", "Wishes", "blank", "is_column_of"]

Float32Array = npt.NDArray[np.float32]
Column = Float32Array | pl.Series
"""Numbers with NaN where null; or a Series, for text."""

PLACEHOLDERS: Final = {
    "window": r"(?:\d+(?:\.\d+)?(?:s|min|h|d|w)|n\d+|all)",
    "half_life": r"\d+(?:\.\d+)?(?:s|min|h|d|w)",
}


@dataclass(frozen=True, eq=False)
class Wishes:
    """What was asked of all groups.

    Attributes:
        book: The lines, and the log behind them.
        windows: Trailing windows.
        half_lives: Names and microseconds.
        relations: `user_id, other_id, valid_from`, maybe `valid_to`; None where not given.
        tables: External tables, checked.
        timezone: Where hours and weekdays are read off the clock.
        calendar: Whose holidays, which pay days and weekend.
        promotions: Campaigns; None where not given.
    """

    book: LineBook
    windows: tuple[Window, ...]
    half_lives: Mapping[str, int] = field(default_factory=dict)
    relations: pl.DataFrame | None = None
    tables: tuple[Table, ...] = ()
    timezone: str = "UTC"
    calendar: CalendarSettings = field(default_factory=CalendarSettings)
    promotions: Promotions | None = None


class Group(Protocol):
    """Columns that are made together.

    Attributes:
        features: Each kind of column; every column that `compute` returns is one of them.
        needs: What the log must have, as it stands after "it needs"; for the error where `of` returns None.
    """

    features: ClassVar[tuple[Feature, ...]]
    needs: ClassVar[str]

    @classmethod
    def of(cls, wishes: Wishes) -> Group | None:
        """The group as wished; None where the log lacks what it needs."""
        ...

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """Columns as of the moments, by name. Only events in each moment's past may be looked at.

        The same names in the same order for every block; float32 with NaN where null, or a Series for text.
        """
        ...


def is_column_of(name: str, column: str) -> bool:
    """Is this a column of the feature of that name, which may hold placeholders?"""
    parts = re.split(r"\{(\w+)\}", name)
    texts = [re.escape(part) if n % 2 == 0 else PLACEHOLDERS.get(part, ".+") for n, part in enumerate(parts)]
    return re.fullmatch("".join(texts), column) is not None


def blank(array: npt.NDArray[np.floating], where: BoolArray | None) -> Float32Array:
    """As float32, NaN where nothing can be said."""
    out = array.astype(np.float32)
    if where is not None:
        out[where] = np.nan
    return out
