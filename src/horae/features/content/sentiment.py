"""How much its writer liked it: the value that an event's text speaks of, as of that event.

In: `Events` with a column of texts, such as reviews, and values, such as ratings. Out: the same events with a column
`text_sentiment`: context for a network, and a column that `horae features` follows over time. What a text is worth is
learned from the log itself, always from events before it. This module knows no networks, and no language.
Public as `horae.add_sentiment`; `horae data convert --sentiment`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.errors import DataError
from horae.features.content.event_texts import event_texts
from horae.features.content.hashed import HashedEncoder
from horae.schema import TIMESTAMP, VALUE, Events, Step

__all__ = ["FIRST", "SENTIMENT", "add_sentiment"]

SENTIMENT: Final = "text_sentiment"
FIRST: Final = 64
"""So many texts of known value come first; what they say is unknown."""
PENALTY: Final = 1.0
Floats = npt.NDArray[np.float64]


def add_sentiment(events: Events, column: str, *, width: int = 128) -> Events:
    """Say of each event which value its text speaks of, in the value's own unit.

    `s = m + (x - c) w`, where x is the text by `HashedEncoder`, m and c are the means of value and x, and
    `w = argmin |v - m - (X - c) w|^2 + |w|^2`. All of it is learned from events strictly earlier in time, anew each
    time their number has doubled since 64. Unknown are the first events, those without a text and those without a time.

    Args:
        events: With values and times.
        column: Its texts.
        width: Of x.

    Source: Hoerl & Kennard 1970 (Technometrics 12(1)), the ridge regression, on TF-IDF directions.
    Differs: penalty 1 on rows of length 1; learned in the order of time.

    Raises:
        DataError: No such column of texts, no times, or fewer than 64 earlier texts whose values differ.
    """
    frame, text = events.frame, event_texts(events, column)
    _check(events)
    said = text.is_not_null() & frame[TIMESTAMP].is_not_null()
    rows_N = said.arg_true().to_numpy()
    texts = text.gather(rows_N).to_list()
    time_N = frame[TIMESTAMP].cast(pl.Int64).gather(rows_N).to_numpy()
    value_N = frame[VALUE].cast(pl.Float64).gather(rows_N).fill_null(np.nan).to_numpy()
    known_N = np.full(frame.height, np.nan)
    edges = _edges(time_N, value_N)
    for begin, end in pairwise([*edges, np.iinfo(np.int64).max]):
        asked_N = np.flatnonzero((time_N >= begin) & (time_N < end))
        known_N[rows_N[asked_N]] = _told(texts, value_N, np.flatnonzero(time_N < begin), asked_N, width)
    known = int((~np.isnan(known_N)).sum())
    if not known:
        raise DataError(
            f"Sentiment is learned from {FIRST} texts or more whose values differ; the column {column!r} has too few.",
            hint="Name the column of values (--columns value=...), or leave sentiment out.",
        )
    message = f"what {column} says of the value is known of {known:,} events, learned {len(edges)} times on the way."
    report = replace(events.report, steps=[*events.report.steps, Step("sentiment", "understood", 0, message)])
    return Events(frame.with_columns(pl.Series(SENTIMENT, known_N).fill_nan(None)), report)


def _check(events: Events) -> None:
    if SENTIMENT in events.frame.columns:
        raise DataError(f"The log has a column {SENTIMENT} already.", hint="Drop it, or keep it as it is.")
    if events.times == "none":
        raise DataError("Sentiment is learned in the order of time; the log has no times.", hint="Leave it out.")


def _edges(time_N: npt.NDArray[np.int64], value_N: Floats) -> list[int]:
    """The moments at which it is learned: when 64, 128, 256, ... texts of known value lie before."""
    order_N = np.argsort(time_N, kind="stable")
    time_K = time_N[order_N][~np.isnan(value_N[order_N])]
    counts = [FIRST << n for n in range(64) if FIRST << n < len(time_K)]
    return sorted({int(time_K[count]) for count in counts if time_K[count] > time_K[FIRST - 1]})


def _told(
    texts: list[str], value_N: Floats, past_N: npt.NDArray[np.int64], asked_N: npt.NDArray[np.int64], width: int
) -> Floats:
    """What the texts asked for say, learned from those past; unknown where all past values are the same."""
    valued_N = past_N[~np.isnan(value_N[past_N])]
    value_K = value_N[valued_N]
    if value_K.min() == value_K.max():
        return np.full(len(asked_N), np.nan)
    encoder = HashedEncoder(width).fit([texts[row] for row in valued_N])
    x_KC = encoder.encode([texts[row] for row in valued_N]).astype(np.float64)
    center_C = x_KC.mean(axis=0)
    inner_CC = (x_KC - center_C).T @ (x_KC - center_C) + PENALTY * np.eye(width)
    weight_C = np.linalg.solve(inner_CC, (x_KC - center_C).T @ (value_K - value_K.mean()))
    said: Floats = value_K.mean() + (encoder.encode([texts[row] for row in asked_N]) - center_C) @ weight_C
    return said
