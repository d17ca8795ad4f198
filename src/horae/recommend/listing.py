"""Answers in, the list that people get out: their own ids, row by row, and what is worth a note.

What is best was decided before: see `horae.recommend.recommender`. This module knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.recommend.rank import Answer, Scores
from horae.recommend.requests import names_of
from horae.schema import ITEM, USER, IndexArray, Requests
from horae.sequences.history import Histories, Sequences
from horae.sequences.vocabulary import Vocabulary

__all__ = ["FALLBACKS", "frame_of", "notes_of"]

BoolArray = npt.NDArray[np.bool_]


FALLBACKS: Final = ("fallback", "profile")
"""Sources of lists that no history is behind."""


def frame_of(
    requests: Requests,
    answers: list[Answer],
    items: Vocabulary,
    name: str,
    *,
    profiled_B: BoolArray | None = None,
    says_why: bool = False,
) -> pl.DataFrame:
    """The columns of `Recommendations`, best first within each request.

    Args:
        requests: What was asked.
        answers: Of all requests, in any order.
        items: The ids behind item indices.
        name: The recipe's, the source of what was made from a history that people left.
        profiled_B: Of whom is anything known by their profile? None: of nobody.
        says_why: Name the rules that moved each item.
    """
    items_BK, scores_BK, fallback_B = _together(answers)
    request_P, place_P = np.nonzero(items_BK)
    source_B = _sources(fallback_B, profiled_B, requests.known_by or name)
    columns = [
        items.ids(items_BK[request_P, place_P]).alias(ITEM),
        pl.Series("score", scores_BK[request_P, place_P]),
        pl.Series("rank", place_P + 1),
        _repeated(names_of(requests), request_P).alias("request_id"),
        _by_content(answers, _repeated(source_B, request_P), request_P, place_P).alias("source"),
    ]
    if says_why:
        columns.append(pl.Series("rules", _reasons(answers), dtype=pl.List(pl.String)))
    if requests.users is not None:
        columns.insert(0, requests.users[request_P].alias(USER))
    return pl.DataFrame(columns)  # of whole columns, in half the time that a dictionary takes


def notes_of(
    requests: Requests,
    histories: Histories,
    sequences: Sequences,
    fallback: str = "",
    profiled_B: BoolArray | None = None,
) -> Iterator[str]:
    """Who was answered by the fallback, and what was left out.

    Args:
        requests: What was asked.
        histories: What the answers were made from.
        sequences: Everybody's events.
        fallback: What the fallback is called.
        profiled_B: Of whom is anything known by their profile? None: of nobody.
    """
    by = f"the fallback ({fallback.replace('_', ' ')})" if fallback else "the fallback"
    if profiled_B is not None and (told := int((profiled_B & (histories.lengths == 0)).sum())):
        who = "1 request was" if told == 1 else f"{told:,} requests were"
        yield f"{who} answered by profile: what people like that turn to more than others, times {by}."
    if requests.users is not None and requests.rows is None:
        strange_B = sequences.users.indices(requests.users) == 0
        unknown, early = requests.users.filter(strange_B), requests.users.filter(~strange_B & (histories.lengths == 0))
        if len(early):
            who = "1 user has" if len(early) == 1 else f"{len(early):,} users have"
            yield f"{who} no known event before that (e.g. {early[0]!r}): answered by {by}."
        if len(unknown):
            who = "1 user was" if len(unknown) == 1 else f"{len(unknown):,} users were"
            yield f"{who} never seen (e.g. {unknown[0]!r}): answered by {by}."
    if requests.histories is not None:
        said = [event.behavior for history in requests.histories for event in history if event.behavior]
        if strange := [behavior for behavior in said if behavior not in sequences.behaviors]:
            what = "1 event" if len(strange) == 1 else f"{len(strange):,} events"
            known = ", ".join(sequences.behaviors)
            yield f"{what} of a behavior that the run does not know (e.g. {strange[0]!r}; it knows {known}): unknown."
    if requests.histories is not None and int(histories.lengths.sum()) < sum(map(len, requests.histories)):
        brought = [event.item_id for history in requests.histories for event in history]
        lost = [item for item, index in zip(brought, sequences.items.indices(brought), strict=True) if not index]
        if lost:
            what = "1 item of the histories is" if len(lost) == 1 else f"{len(lost):,} items of the histories are"
            yield f"{what} unknown (e.g. {lost[0]!r}): left out."
    if requests.at is not None and sequences.has_unknown_times:
        yield "Some events have no known time: where `at` cannot be told from times, the log's order decided."


def _sources(fallback_B: BoolArray, profiled_B: BoolArray | None, name: str) -> list[str]:
    """Where each list comes from: a history, by the recipe's name or by what made the history; or one of `FALLBACKS`.

    This is the one place that says it.
    """
    cold_B = "fallback" if profiled_B is None else np.where(profiled_B, "profile", "fallback")
    sources: list[str] = np.where(fallback_B, cold_B, name).tolist()
    return sources


def _reasons(answers: list[Answer]) -> list[list[str]]:
    """What moved each item, request after request."""
    of_request = {}
    for answer in answers:
        sizes = (answer.items_BK > 0).sum(axis=1).tolist()
        for place, (row, size) in enumerate(zip(answer.rows.tolist(), sizes, strict=True)):
            of_request[row] = [[] for _ in range(size)] if answer.why is None else answer.why[place][:size]
    return [names for row in sorted(of_request) for names in of_request[row]]


def _together(answers: list[Answer]) -> tuple[IndexArray, Scores, BoolArray]:
    """Items, scores and whether the fallback answered, of all requests in their order."""
    if not answers:
        return np.empty((0, 1), dtype=np.int64), np.empty((0, 1), dtype=np.float32), np.empty(0, dtype=np.bool_)
    order = np.argsort(np.concatenate([answer.rows for answer in answers]), kind="stable")
    return (
        np.concatenate([answer.items_BK for answer in answers])[order],
        np.concatenate([answer.scores_BK for answer in answers])[order],
        np.concatenate([answer.fallback_B for answer in answers])[order],
    )


def _by_content(answers: list[Answer], source: pl.Series, request_P: IndexArray, place_P: IndexArray) -> pl.Series:
    """The sources, with `content` where a new item has a place that is kept for those."""
    kept = [(answer.rows, answer.content_BK) for answer in answers if answer.content_BK is not None]
    places = [np.stack([rows[row_P], place_K], axis=1) for rows, one in kept for row_P, place_K in [np.nonzero(one)]]
    if not sum(map(len, places)):
        return source
    width = int(place_P.max()) + 1
    by_content_P = np.isin(request_P * width + place_P, np.concatenate(places) @ np.array([width, 1]))
    return source.set(pl.Series(by_content_P), "content")


def _repeated(texts: list[str], request_P: IndexArray) -> pl.Series:
    """Each request's text, once per recommendation."""
    if len(texts) == 1:
        return pl.Series(texts * len(request_P), dtype=pl.String)
    return pl.Series(texts, dtype=pl.String)[request_P]
