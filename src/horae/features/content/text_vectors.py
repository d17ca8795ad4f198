"""What people write with an event, as a few numbers per event that a network reads in the history.

In: `Events` with a column of texts, such as reviews. Out: the same events with columns `text_0`, `text_1`, ...: an
encoder's vector, cut to its first principal components. All that is fitted is fitted on texts before one moment; an
event's numbers come from its own text and what was fitted. This module knows no networks, and no questions.
Public as `horae.add_text_vectors`; `horae data convert --text-vectors`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from horae.data.boundaries import Boundary, as_text, boundary_before, known_times
from horae.data.cleaning.order import micros
from horae.errors import DataError
from horae.features.content.choosing import text_encoder
from horae.features.content.encode import CacheWish, encode_texts
from horae.features.content.encoder import FloatArray, TextEncoder
from horae.features.content.event_texts import event_texts
from horae.features.content.of_items import Reduction
from horae.features.content.texts import plain_text
from horae.schema import TIMESTAMP, Events, Step

__all__ = ["PREFIX", "STEP", "add_text_vectors"]

PREFIX: Final = "text_"
STEP: Final = "text_vectors"
ALIKE: Final = 1e-5
"""Vectors of length 1 that differ by less in every number say the same."""


def add_text_vectors(
    events: Events,
    column: str,
    *,
    encoder: str | TextEncoder = "hashed",
    width: int = 16,
    fit_until: Boundary | None = None,
    cache: CacheWish = True,
    progress: bool | None = None,
) -> Events:
    """Put beside each event what its text says, as numbers to name in `[model] context`.

    `z = (x - mean) V / s`, cut off at four: x is the encoder's vector of the text; mean, the principal directions V and
    their standard deviations s are those of the texts before `fit_until`. So is what `hashed` learns and what `auto`
    chooses. A later text moves no number but its own event's, and a longer log with the same `fit_until` gives the
    same numbers. Unknown is an event without a text, or with none of whose words the encoder can make anything.

    Args:
        events: With times, at least some.
        column: Its texts; markup and control characters are taken out, and long ones cut, as in `encode_texts`.
        encoder: As in `encode_texts`; `hashed` is fitted here.
        width: How many numbers, at most: there are fewer where the texts differ in fewer ways.
        fit_until: A time or ISO date, a duration (`"30d"`) or a share of the events back from the end. None: where
            `split_by_time` ends the training part. For another split, name a time before its questions.
        cache: As in `encode_texts`.
        progress: A bar; None: where a person watches.

    Source: Pearson 1901, the components; their scaling as in "Let It Go?" (arXiv:2507.19473), section 3.
    Differs: for texts of events, fitted up to a moment.

    Raises:
        DataError: No such column of texts, no times, a width below 1, a column of that name already, texts before
            `fit_until` that do not differ, no such encoder.
        MissingExtraError: The encoder needs the extra `text`.
        StoreError: A cache that was named cannot be used.
    """
    texts = event_texts(events, column)
    _check(events, width)
    until = _until(events, fit_until)
    early_N = (micros(events.frame[TIMESTAMP]) < until) & events.frame[TIMESTAMP].is_not_null().to_numpy()
    chosen = _encoder(encoder, texts.filter(pl.Series(early_N)), column, until)
    vector_NC = encode_texts(texts.fill_null("").to_list(), chosen, cache=cache, progress=progress)
    known_N = vector_NC.any(axis=1)
    components = _components(vector_NC[known_N & early_N], width, column, until)
    number_NP = np.full((len(texts), components.direction_CP.shape[1]), np.nan, dtype=np.float32)
    number_NP[known_N] = components.of(vector_NC[known_N]) * np.sqrt(np.float32(number_NP.shape[1]))
    columns = [pl.Series(f"{PREFIX}{place}", number_NP[:, place]).fill_nan(None) for place in range(number_NP.shape[1])]
    message = (
        f"what {column} says is known of {int(known_N.sum()):,} events, in {len(columns)} "
        f"number{'s' * (len(columns) > 1)} by {chosen.name}, fitted on texts before {as_text(until)}."
    )
    report = replace(events.report, steps=[*events.report.steps, Step(STEP, "understood", 0, message)])
    return Events(events.frame.with_columns(columns), report)


def _check(events: Events, width: int) -> None:
    if width < 1:
        raise DataError(f"width = {width}: expected at least 1.", hint="16 is usual.")
    if there := [name for place in range(width) if (name := f"{PREFIX}{place}") in events.frame.columns]:
        raise DataError(f"The log has a column {there[0]} already.", hint="Drop it, or keep it as it is.")
    if events.times == "none":
        raise DataError(
            "What texts say is learned up to a moment in time; the log has no times.", hint="Leave text vectors out."
        )


def _until(events: Events, wish: Boundary | None) -> int:
    """The moment, in microseconds, from which on no text is looked at while fitting."""
    times = known_times(events)
    if wish is not None:
        return boundary_before(times, wish, "fit_until")
    return boundary_before(times, 0.1, "validation", before=boundary_before(times, 0.1, "test"))


def _encoder(wish: str | TextEncoder, early: pl.Series, column: str, until: int) -> TextEncoder:
    """The encoder asked for, which has seen early texts and no others."""
    texts = [plain_text(text) for text in early.drop_nulls().unique(maintain_order=True)]
    if len(set(texts) - {""}) < 2:
        raise _too_alike(column, until)
    return text_encoder(wish, texts) if isinstance(wish, str) else wish


def _components(vector_NC: FloatArray, width: int, column: str, until: int) -> Reduction:
    """The first principal components, each with its largest entry positive, so that they are the same elsewhere."""
    if not len(vector_NC) or float(np.ptp(vector_NC, axis=0).max()) < ALIKE:
        raise _too_alike(column, until)
    fitted = Reduction.fitted(vector_NC, width)
    largest_P = np.take_along_axis(fitted.direction_CP, np.abs(fitted.direction_CP).argmax(axis=0)[None], axis=0)
    return replace(fitted, direction_CP=fitted.direction_CP * np.sign(largest_P))


def _too_alike(column: str, until: int) -> DataError:
    return DataError(
        f"The column {column!r} has no two texts before {as_text(until)} that say different things.",
        hint="Name a later fit_until, or another column.",
    )
