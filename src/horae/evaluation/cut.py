"""A split in, requests with what really came after each out.

A request stands at the place of its first target, so its history is everything of its user before that place and
nothing else. This module knows no model, and no items but those that came.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from horae.data.split import Split
from horae.errors import DataError
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.recommend.rank import Targets
from horae.schema import ITEM, TARGET, TIMESTAMP, USER, Requests
from horae.sequences.vocabulary import Vocabulary

__all__ = ["Cut", "TargetsKind", "request_times", "requests_of"]

TargetsKind = Literal["successive", "last"]


@dataclass(frozen=True, eq=False)
class Cut:
    """Requests cut from the test part of a log.

    Attributes:
        kind: `successive` or `last`; see `requests_of`.
        requests: By user and row of `Events.frame`.
        row_B: The row at whose place each request stands.
        user_B: Each request's user, from 0, in the order of `users`.
        users: Ids of the users asked for.
        item_T: Ids of what came, one request after the other, each item once per request.
        row_T: The row of each of these events.
        offset_B1: Request b's targets are `item_T[offset_B1[b]:offset_B1[b + 1]]`.
        history_B: Events of the user before the request, on whatever item.
    """

    kind: TargetsKind
    requests: Requests
    row_B: IndexArray
    user_B: IndexArray
    users: pl.Series
    item_T: pl.Series
    row_T: IndexArray
    offset_B1: IndexArray
    history_B: IndexArray

    def __len__(self) -> int:
        return len(self.row_B)

    @property
    def cold_B(self) -> BoolArray:
        """Requests of cold users: they have no event before."""
        cold: BoolArray = self.history_B == 0
        return cold

    def targets(self, items: Vocabulary) -> Targets:
        """What came, as indices of a recommender's item table."""
        return Targets(items.indices(self.item_T), self.offset_B1)

    def subset(self, request_S: IndexArray) -> Cut:
        """Some of the requests, in the order given; users keep their numbers."""
        size_S = np.diff(self.offset_B1)[request_S]
        end_S = np.cumsum(size_S)
        target = np.repeat(self.offset_B1[request_S] - (end_S - size_S), size_S) + np.arange(int(size_S.sum()))
        return Cut(
            kind=self.kind,
            requests=_requests(self.users.gather(self.user_B[request_S]), self.row_B[request_S]),
            row_B=self.row_B[request_S],
            user_B=self.user_B[request_S],
            users=self.users,
            item_T=self.item_T.gather(target),
            row_T=self.row_T[target],
            offset_B1=np.concatenate([[0], end_S]).astype(np.int64),
            history_B=self.history_B[request_S],
        )


def requests_of(
    split: Split, targets: TargetsKind | None = None, *, max_users: int | None = None, seed: int = 0
) -> Cut:
    """Cut the requests that a split's test part asks.

    Args:
        split: Where the test part begins.
        targets: `successive`: one step at a time through each user's test events; all targets of one user at one
            timestamp are one request (a basket), and where a time is unknown each event is its own. `last`: each
            user's last target only. None: `last` for leave-one-out, else `successive`.
        max_users: Judge a seeded sample of this many users.
        seed: Of that sample.

    Raises:
        DataError: The log has no items, or the test part has no targets.
    """
    frame = split.events.frame
    if not split.events.has_items:
        raise DataError("Recommendations cannot be judged: this log has no items.", hint="Give a log with item_id.")
    kind: TargetsKind = targets or ("last" if split.kind == "leave-one-out" else "successive")
    row = np.flatnonzero(((split.part == "test") & frame[TARGET]).to_numpy())
    if len(row) == 0:
        raise DataError(
            f"The test part of this {split.kind} split has no targets.",
            hint="Give a longer test part, or check [data] target_behaviors.",
        )
    runs = frame[USER].rle().struct.unnest()
    start_U = np.concatenate([[0], np.cumsum(runs["len"].to_numpy())]).astype(np.int64)
    user = np.searchsorted(start_U, row, side="right") - 1
    if max_users is not None:
        row, user = _sampled(row, user, max_users, seed)
    first = _first_of_request(frame[TIMESTAMP], row, user, kind)
    if kind == "last":
        row, user, first = row[first], user[first], np.ones(int(first.sum()), dtype=np.bool_)
    asked, user_B = np.unique(user[first], return_inverse=True)
    users = runs["value"].gather(asked)
    cut = Cut(
        kind=kind,
        requests=_requests(users.gather(user_B), row[first]),
        row_B=row[first],
        user_B=user_B.astype(np.int64),
        users=users,
        item_T=frame[ITEM].gather(row),
        row_T=row,
        offset_B1=np.append(np.flatnonzero(first), len(row)).astype(np.int64),
        history_B=row[first] - start_U[user[first]],
    )
    return _each_item_once(cut)


def request_times(split: Split, row: IndexArray) -> FloatArray:
    """Unix seconds at the given rows; NaN where unknown."""
    time = split.events.frame[TIMESTAMP].gather(row).to_physical().cast(pl.Float64) / 1e6
    return time.fill_null(float("nan")).to_numpy()


def _requests(users: pl.Series, row: IndexArray) -> Requests:
    return Requests(users=users, rows=row)


def _sampled(row: IndexArray, user: IndexArray, max_users: int, seed: int) -> tuple[IndexArray, IndexArray]:
    everybody = np.unique(user)
    if len(everybody) <= max_users:
        return row, user
    chosen = np.random.default_rng(seed).choice(everybody, size=max_users, replace=False)
    kept = np.isin(user, chosen)
    return row[kept], user[kept]


def _first_of_request(timestamp: pl.Series, row: IndexArray, user: IndexArray, kind: TargetsKind) -> BoolArray:
    """Which test targets begin a request (for `last`: which are their user's last)."""
    if kind == "last":
        return np.append(user[1:] != user[:-1], True)
    time = timestamp.gather(row).to_physical()
    known = time.is_not_null().to_numpy()
    moment = time.fill_null(0).to_numpy()
    same = (user[1:] == user[:-1]) & (moment[1:] == moment[:-1]) & known[1:] & known[:-1]
    return np.append(True, ~same)


def _each_item_once(cut: Cut) -> Cut:
    """A basket that names an item twice asks for it once."""
    request_T = np.repeat(np.arange(len(cut)), np.diff(cut.offset_B1))
    pairs = pl.DataFrame({"request": request_T, "item": cut.item_T, "target": np.arange(len(request_T))})
    kept = pairs.unique(["request", "item"], keep="first", maintain_order=True)
    if kept.height == pairs.height:
        return cut
    size_B = np.bincount(kept["request"].to_numpy(), minlength=len(cut))
    offsets = np.concatenate([[0], np.cumsum(size_B)]).astype(np.int64)
    return replace(cut, item_T=kept["item"], row_T=cut.row_T[kept["target"].to_numpy()], offset_B1=offsets)
