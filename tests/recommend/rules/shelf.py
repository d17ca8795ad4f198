"""A small catalog over a small item table."""

from datetime import datetime

import polars as pl

from horae.recommend.rules.columns import Columns
from horae.sequences.vocabulary import Vocabulary

ITEMS = Vocabulary(pl.Series(["a", "b", "c", "d"]))
CATALOG = pl.DataFrame(
    {
        "item_id": ["d", "c", "a", "elsewhere"],
        "price": [5.0, None, 20.0, 1.0],
        "brand": ["x", "y", None, "x"],
        "categories": [["L", "M"], ["M"], [], ["L"]],
        "genres": ["A|B", "B", "A", "B"],
        "launch": [datetime(2024, 1, 1), datetime(2024, 5, 1), None, None],
        "on": [True, None, False, True],
        "my price": [1, 2, 3, 4],
    }
)
COLUMNS = Columns(ITEMS, CATALOG)
