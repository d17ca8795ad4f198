"""Where each key's rows lie in an external table that `data/validity` has put in order.

In: the sorted keys. Out: ranges of rows, line by line. It does not know what the rows say, nor when they hold.
"""

from __future__ import annotations

import polars as pl

from horae.features.book import LineBlock
from horae.features.scans import IndexArray

__all__ = ["KeyRows"]


class KeyRows:
    """Where each key's rows lie in a table that is sorted by key.

    Args:
        keys: The column, as text.
    """

    def __init__(self, keys: pl.Series) -> None:
        runs = keys.rle().struct.unnest()
        length = runs["len"].cast(pl.Int64)
        end = length.cum_sum()
        self._spans = pl.DataFrame({"key": runs["value"], "begin": end - length, "end": end})

    def spans(self, lines: LineBlock) -> tuple[IndexArray, IndexArray]:
        """Begin and end of each line's rows; both 0 where there are none."""
        wanted = pl.DataFrame({"key": lines.key_K.cast(pl.String)})
        found = wanted.join(self._spans, on="key", how="left", maintain_order="left").fill_null(0)
        return found["begin"].to_numpy(), found["end"].to_numpy()
