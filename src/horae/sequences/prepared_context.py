"""Context of a log that comes in parts: values get codes as they are met, and at the end those of the most frequent.

In: which columns, and frames one after the other. Out: codes that are given as values come; at the end what the columns
are, and what becomes of those codes. What a column is must be known before: of the whole
log nobody has looked at more than a sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.errors import RecipeError
from horae.sequences.context import ContextColumns, Floats, most_frequent, refuse_nothing_to_learn
from horae.sequences.vocabulary import Vocabulary

__all__ = ["ContextOfParts"]

MOST_MET: Final = 1_000_000
"""Values of a column that are counted; float32 holds every code up to 16 million."""


class ContextOfParts:
    """Give it every part once, then ask for what was `settled`.

    Args:
        numbers: Of each column's name: does it hold numbers?
    """

    def __init__(self, numbers: Mapping[str, bool]) -> None:
        no_text = pl.Series([], dtype=pl.String)
        self.met = ContextColumns({name: None if is_ else Vocabulary(no_text) for name, is_ in numbers.items()})
        self._count = {name: np.zeros(1, np.int64) for name in numbers}
        self._range = {name: (np.inf, -np.inf) for name in numbers}
        self._events, self._known = 0, np.zeros(len(numbers), np.int64)

    def meet(self, frame: pl.DataFrame) -> ContextColumns:
        """Give codes to the values of one part; what makes `feature_NF` of it.

        Raises:
            RecipeError: Too many values to count.
        """
        for name, values in self.met.values.items():
            if values is not None:
                values.append(frame[name].drop_nulls().cast(pl.String).unique().sort())
                if len(values) > MOST_MET:
                    raise RecipeError(f"[model] context: {name} has over {MOST_MET:,} values.", hint="Leave it out.")
        return self.met

    def count(self, feature_NF: Floats) -> None:
        """Count the values of a part's events."""
        self._events += len(feature_NF)
        self._known += (~np.isnan(feature_NF)).sum(0)
        for place, (name, values) in enumerate(self.met.values.items()):
            known = feature_NF[~np.isnan(feature_NF[:, place]), place]
            if len(known):
                low, high = self._range[name]
                self._range[name] = min(low, float(known.min())), max(high, float(known.max()))
            if values is not None:
                counts = np.bincount(known.astype(np.int64), minlength=len(values) + 1)
                counts[: len(self._count[name])] += self._count[name]
                self._count[name] = counts

    def settled(self) -> tuple[ContextColumns, dict[int, npt.NDArray[np.float32]]]:
        """What the columns are; and by column of text, the code of each code, NaN for values that have none.

        Raises:
            RecipeError: A column that says nothing.
        """
        columns: dict[str, Vocabulary | None] = {}
        new: dict[int, npt.NDArray[np.float32]] = {}
        for place, (name, values) in enumerate(self.met.values.items()):
            low, high = self._range[name]
            refuse_nothing_to_learn(name, 1 + (high > low), int(self._known[place]), self._events)
            columns[name] = None
            if values is not None:
                counts = pl.DataFrame({"value": values.all, "n": self._count[name][1:]}).filter(pl.col("n") > 0)
                kept = columns[name] = most_frequent(name, counts)
                code = np.concatenate([[0], kept.indices(values.all)])
                new[place] = np.where(code > 0, code, np.nan).astype(np.float32)
        return ContextColumns(columns), new
