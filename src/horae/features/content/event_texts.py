"""A log's column of texts, such as reviews, as the cells that say something.

In: `Events` and a column's name. Out: one text per event, null where there is none. It does not know encoders, and it
leaves markup to `texts.plain_text`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from horae.errors import DataError
from horae.schema import Events

__all__ = ["event_texts"]

NO_TEXT: Final = ("", "nan", "null", "none")


def event_texts(events: Events, column: str) -> pl.Series:
    """Each event's text without the space around it.

    Raises:
        DataError: The log's context has no such column of texts.
    """
    texts = (pl.String, pl.Categorical, pl.Enum)
    if column not in events.context or not isinstance(events.frame.schema[column], texts):
        raise DataError(
            f"The log has no column {column!r} of texts.", hint=f"Its context: {', '.join(events.context) or 'none'}."
        )
    text = events.frame[column].cast(pl.String).str.strip_chars()
    return text.set(text.str.to_lowercase().is_in(list(NO_TEXT)), None)
