"""Requests in, the same in words out: what a person did, what was recommended, what really came.

The people are drawn by a seed, not picked for how well they look. Titles come from the catalog where there is one. This
module judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl

from horae.data.split import Split
from horae.evaluation.cut import Cut, requests_of
from horae.recommend.interests import interests_of
from horae.recommend.recommender import Recommender
from horae.schema import BEHAVIOR, ITEM, TIMESTAMP

__all__ = ["Example", "examples_of"]

TITLES = ("title", "name", "item_name", "item_title")
LONGEST_TITLE = 70
MOST_LIKES = 6
DAY = 86_400


@dataclass(frozen=True)
class Example:
    """One request in words.

    Attributes:
        user: The user's id.
        asked: When, where the time is known.
        events: Events before the request.
        history: The newest of them, the newest first.
        listed: What was recommended, best first.
        came: What the user did next.
        hits: Places, from 0, of `listed` that came.
        found: Places, from 0, of `came` that were listed.
        likes: What the user likes more than others do, as of the request; where the catalog says what items are like.
    """

    user: str
    asked: str
    events: int
    history: tuple[str, ...]
    listed: tuple[str, ...]
    came: tuple[str, ...]
    hits: frozenset[int]
    found: frozenset[int]
    likes: tuple[str, ...] = ()


def examples_of(
    recommender: Recommender, split: Split, *, count: int = 4, k: int = 10, length: int = 8, seed: int = 0
) -> list[Example]:
    """Draw requests of different users who have a history, and answer them.

    Args:
        recommender: Any.
        split: The log whose test part asks.
        count: How many people, at most.
        k: How many recommendations.
        length: How many events of the history to tell.
        seed: Of the draw.
    """
    bound = recommender if recommender.events is split.events else recommender.with_events(split.events)
    cut = requests_of(split, seed=seed)
    warm = np.random.default_rng(seed).permutation(np.flatnonzero(~cut.cold_B))
    _, first = np.unique(cut.user_B[warm], return_index=True)
    cut = cut.subset(warm[np.sort(first)[:count]])
    lists: dict[int, list[str]] = {}
    for answer in bound.answer(cut.requests, depth=k):
        for row, items in zip(answer.rows, answer.items_BK, strict=True):
            lists[int(row)] = [str(one) for one in bound.items.ids(items[items > 0]).to_list()]
    likes = _likes(bound, cut)
    return [
        replace(
            _example(split, cut, request, lists[request], recommender.catalog, length), likes=likes.get(request, ())
        )
        for request in range(len(cut))
    ]


def _likes(recommender: Recommender, cut: Cut) -> dict[int, tuple[str, ...]]:
    """Each request's interests, in words."""
    if "interest" not in recommender.shaper.possible_parts():
        return {}
    frame = interests_of(recommender, replace(cut.requests, k=MOST_LIKES)).frame
    likes: dict[int, tuple[str, ...]] = {}
    for request, column, entry, weight in frame.select("request", "column", "entry", "weight").iter_rows():
        said = f"{entry} ({column}, {np.exp(weight):.1f} times the usual)"
        likes[request] = (*likes.get(request, ()), said)
    return likes


def _example(
    split: Split, cut: Cut, request: int, listed: list[str], catalog: pl.DataFrame | None, length: int
) -> Example:
    row, before = int(cut.row_B[request]), int(cut.history_B[request])
    shown = min(length, before)
    past = split.events.frame.slice(row - shown, shown).reverse()
    came = [str(one) for one in cut.item_T[int(cut.offset_B1[request]) : int(cut.offset_B1[request + 1])].to_list()]
    asked = split.events.frame[TIMESTAMP][row]
    ids = past[ITEM].cast(pl.String).to_list()
    titles = _titles(catalog, [*listed, *came, *ids])
    several = len(split.events.behaviors) > 1
    history = [
        _line(titles[item], behavior if several else "", asked, time)
        for item, behavior, time in zip(ids, past[BEHAVIOR].to_list(), past[TIMESTAMP].to_list(), strict=True)
    ]
    return Example(
        user=str(cut.users[int(cut.user_B[request])]),
        asked="" if asked is None else f"{asked:%Y-%m-%d %H:%M} UTC",
        events=before,
        history=tuple(history),
        listed=tuple(titles[item] for item in listed),
        came=tuple(titles[item] for item in came),
        hits=frozenset(place for place, item in enumerate(listed) if item in came),
        found=frozenset(place for place, item in enumerate(came) if item in listed),
    )


def _titles(catalog: pl.DataFrame | None, ids: list[str]) -> dict[str, str]:
    """A title for each id, cut to 70 characters; the id itself where the catalog has none."""
    titles = {item: item for item in ids}
    column = next((name for name in TITLES if catalog is not None and name in catalog.columns), None)
    if catalog is None or column is None:
        return titles
    known = catalog.select(pl.col(ITEM).cast(pl.String), pl.col(column).cast(pl.String))
    for item, title in known.filter(pl.col(ITEM).is_in(list(titles)) & pl.col(column).is_not_null()).rows():
        titles[item] = title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return titles


def _line(title: str, behavior: str, asked: datetime | None, time: datetime | None) -> str:
    parts = [title, behavior]
    if asked is not None and time is not None:
        parts.append(_ago((asked - time).total_seconds()))
    return " \N{MIDDLE DOT} ".join(part for part in parts if part)


def _ago(seconds: float) -> str:
    for size, unit in ((DAY, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            number = round(seconds / size)
            return f"{number:,} {unit}{'s' if number != 1 else ''} before"
    return "just before"
