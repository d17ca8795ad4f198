"""Users in, what each likes more than others do out, in words (public as `horae.interests`).

It is the same reckoning that the strategy `interest` scores with: see `horae.recommend.strategy.interests`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from horae.recommend.recommender import Recommender
from horae.recommend.requests import HistoryLike, requests_of
from horae.recommend.strategy.interests import TERM
from horae.schema import Id, Requests

__all__ = ["UserInterests", "interests", "interests_of"]

COLUMNS: Final = ("column", "entry", "weight", "share", "usual_share")
MOST: Final = 10


@dataclass(frozen=True, eq=False)
class UserInterests:
    """What people like, the strongest first.

    Attributes:
        frame: `user_id` (absent for histories), `request` (from 0), `column` (of the catalog, or `term` for words of
            titles), `entry`, `weight` (natural logarithm of how many times more than usual, smoothed), `share` (of the
            person's decayed events), `usual_share` (of everybody's).
        requests: How many were asked.
        notes: Plain sentences about whom nothing is known of.
    """

    frame: pl.DataFrame
    requests: int
    notes: tuple[str, ...] = ()

    def words(self) -> Iterator[str]:
        """One sentence for each person."""
        who = "user_id" if "user_id" in self.frame.columns else "request"
        for _, part in self.frame.group_by("request", maintain_order=True):
            yield f"{part[who][0]}: {_sentence(part)}"

    def __len__(self) -> int:
        return self.frame.height

    def __str__(self) -> str:
        return "\n".join([*self.words(), *self.notes])


def interests(
    recommender: Recommender,
    users: Iterable[Id] | pl.Series | None = None,
    at: datetime | None = None,
    *,
    histories: Sequence[HistoryLike] | None = None,
    most: int = MOST,
) -> UserInterests:
    """Tell what users like, from their history as of a time, against what everybody turns to.

    Args:
        recommender: Trained with a catalog that has categories, brands or titles.
        users: Ids of users.
        at: Only events strictly before this count; an event's weight halves with `[recommend] half_life_days`.
        histories: Instead of users: lists of item ids or of `HistoryEvent`.
        most: How many interests of each.

    Raises:
        DataError: Neither users nor histories, or both; the catalog does not say what items are like.
    """
    return interests_of(recommender, requests_of(users, histories, most, at, (), None, None))


def interests_of(recommender: Recommender, requests: Requests) -> UserInterests:
    """The same for requests made elsewhere; `k` says how many interests of each."""
    histories = recommender.histories(requests)
    rows = list(recommender.shaper.interests.told(histories, requests.k))
    request = np.array([row[0] for row in rows], dtype=np.int64)
    kinds = (pl.String, pl.String, pl.Float64, pl.Float64, pl.Float64)
    columns = [pl.Series("request", request)]
    columns += [
        pl.Series(name, [row[place] for row in rows], dtype=kind)
        for place, (name, kind) in enumerate(zip(COLUMNS, kinds, strict=True), start=1)
    ]
    if requests.users is not None:
        columns.insert(0, requests.users[request].alias("user_id"))
    unknown = len(requests) - len(np.unique(request))
    said = f"{unknown:,} of {len(requests):,} have no interest that stands out: too few events, or like everybody's."
    return UserInterests(pl.DataFrame(columns), len(requests), (said,) if unknown else ())


def _sentence(part: pl.DataFrame) -> str:
    """`category: Lipstick (3.2 times as often as others, 40% of events); words: matte`."""
    said = []
    for (column,), own in part.group_by("column", maintain_order=True):
        name = "words" if column == TERM else str(column)
        entries = [
            f"{entry} ({np.exp(weight):.1f} times the usual, {share:.0%} of events)"
            for entry, weight, share in own.select("entry", "weight", "share").iter_rows()
        ]
        said.append(f"{name}: {', '.join(entries)}")
    return "; ".join(said)
