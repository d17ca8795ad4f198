"""A split in, requests with what really came after each out.

A request stands at the place of its first target, so its history is everything of its user before that place and
nothing else; or, for what comes within some days (`next-7d`), at the boundary of the test part, and its history is
everything strictly before that time. This module knows no model, and no items but those that came.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from horae.data.boundaries import duration_of, in_words
from horae.data.split import Split
from horae.errors import DataError
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.recommend.rank import Targets
from horae.schema import ITEM, TARGET, TIMESTAMP, USER, Requests
from horae.sequences.vocabulary import Vocabulary

__all__ = [
    "Cut",
    "Lines",
    "TargetsKind",
    "asked_times",
    "first_of_request",
    "horizon_of",
    "request_times",
    "requests_of",
    "requests_within",
]

TargetsKind = str
"""`successive`, `last`, or `next-` and a length of time, such as `next-7d`."""

NEXT: Final = "next-"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TOLERATED: Final = 0.02
"""A log "of the last seven days" ends with its last event, not at midnight: so much of the time may be missing."""


@dataclass(frozen=True, eq=False)
class Cut:
    """Requests cut from the test part of a log.

    Attributes:
        kind: `successive`, `last` or `next-7d`; see `requests_of`.
        requests: By user and row of `Events.frame`.
        row_B: The row at whose place each request stands: its history is what its user did before that row.
        user_B: Each request's user, from 0, in the order of `users`.
        users: Ids of the users asked for.
        item_T: Ids of what came, one request after the other, each item once per request.
        row_T: The row of each of these events.
        offset_B1: Request b's targets are `item_T[offset_B1[b]:offset_B1[b + 1]]`.
        history_B: Events of the user before the request, on whatever item.
        at: The one time at which all ask; None: each asks at the time of its row.
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
    at: datetime | None = None

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
            requests=_requests(self.users.gather(self.user_B[request_S]), self.row_B[request_S], self.at),
            row_B=self.row_B[request_S],
            user_B=self.user_B[request_S],
            users=self.users,
            item_T=self.item_T.gather(target),
            row_T=self.row_T[target],
            offset_B1=np.concatenate([[0], end_S]).astype(np.int64),
            history_B=self.history_B[request_S],
            at=self.at,
        )


@dataclass(frozen=True, eq=False)
class Lines:
    """Whose rows are whose, in a log sorted by user, then place: what every kind of cut is made with.

    Attributes:
        users: Ids, in the order of their lines.
        start_U: The row at which each line begins.
    """

    users: pl.Series
    start_U: IndexArray

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Lines:
        """Of `Events.frame`."""
        runs = frame[USER].rle().struct.unnest()
        return cls(runs["value"], np.concatenate([[0], np.cumsum(runs["len"].to_numpy())[:-1]]).astype(np.int64))

    def asked(self, row: IndexArray, max_users: int | None, seed: int) -> tuple[IndexArray, IndexArray]:
        """The rows, ascending, of a seeded sample of at most so many users (None: of all), and each row's user."""
        user = np.searchsorted(self.start_U, row, side="right") - 1
        everybody = np.unique(user)
        if max_users is None or len(everybody) <= max_users:
            return row, user
        kept = np.isin(user, np.random.default_rng(seed).choice(everybody, size=max_users, replace=False))
        return row[kept], user[kept]

    def cut(
        self,
        kind: TargetsKind,
        row: IndexArray,
        user: IndexArray,
        first: BoolArray,
        item: pl.Series,
        row_B: IndexArray | None = None,
        at: datetime | None = None,
    ) -> Cut:
        """The requests whose targets stand at these rows; a basket that names an item twice asks for it once.

        Args:
            kind: See `Cut`.
            row: Of the targets, ascending.
            user: Of each target, from 0.
            first: Which targets begin a request.
            item: What came.
            row_B: Where the requests stand; None: at their first targets.
            at: When all of them ask.
        """
        row_B = row[first] if row_B is None else row_B
        asked, user_B = np.unique(user[first], return_inverse=True)
        users = self.users.gather(asked)
        cut = Cut(
            kind=kind,
            requests=_requests(users.gather(user_B), row_B, at),
            row_B=row_B,
            user_B=user_B.astype(np.int64),
            users=users,
            item_T=item,
            row_T=row,
            offset_B1=np.append(np.flatnonzero(first), len(row)).astype(np.int64),
            history_B=row_B - self.start_U[user[first]],
            at=at,
        )
        return _each_item_once(cut)


def requests_of(
    split: Split, targets: TargetsKind | None = None, *, max_users: int | None = None, seed: int = 0
) -> Cut:
    """Cut the requests that a split's test part asks.

    Args:
        split: Where the test part begins.
        targets: `successive`: one step at a time through each user's test events; all targets of one user at one
            timestamp are one request (a basket), and where a time is unknown each event is its own. `last`: each
            user's last target only. `next-7d` (or another length of time): each user once, at the boundary, and all
            items within that time are relevant. None: `last` for leave-one-out, else `successive`.
        max_users: Judge a seeded sample of this many users.
        seed: Of that sample.

    Raises:
        DataError: The log has no items, the test part has no targets, there is no such kind of targets, or the log
            ends before the time that `next-7d` asks for.
    """
    frame = split.events.frame
    if not split.events.has_items:
        raise DataError("Recommendations cannot be judged: this log has no items.", hint="Give a log with item_id.")
    kind: TargetsKind = targets or ("last" if split.kind == "leave-one-out" else "successive")
    horizon = horizon_of(kind)
    if horizon is not None:
        return requests_within(split, _covered(split, kind, horizon), horizon, kind, max_users=max_users, seed=seed)
    row = np.flatnonzero(((split.part == "test") & frame[TARGET]).to_numpy())
    if len(row) == 0:
        raise DataError(
            f"The test part of this {split.kind} split has no targets.",
            hint="Give a longer test part, or check [data] target_behaviors.",
        )
    lines = Lines.of(frame)
    row, user = lines.asked(row, max_users, seed)
    first = first_of_request(request_times(split, row), user, kind)
    if kind == "last":
        row, user, first = row[first], user[first], np.ones(int(first.sum()), dtype=np.bool_)
    return lines.cut(kind, row, user, first, frame[ITEM].gather(row))


def requests_within(
    split: Split,
    boundary: datetime,
    horizon: timedelta,
    kind: TargetsKind = "",
    *,
    max_users: int | None = None,
    seed: int = 0,
) -> Cut:
    """One request for each user, at the boundary: what comes from then on, within the horizon, all of it relevant.

    Whoever has no target in that time is not asked. An item that comes twice counts where it comes first. Events of
    unknown time are no targets here.

    Args:
        split: Whose log it is; its parts play no role.
        boundary: When everybody asks; known is what is strictly before.
        horizon: Targets lie in `[boundary, boundary + horizon)`.
        kind: The name of the cut.
        max_users: As in `requests_of`.
        seed: As in `requests_of`.

    Raises:
        DataError: Nobody has a target in that time.
    """
    frame = split.events.frame
    time = pl.col(TIMESTAMP)
    within = (time >= boundary) & (time < boundary + horizon) & pl.col(TARGET)
    row = np.flatnonzero(frame.select(within.fill_null(False)).to_series().to_numpy())
    if len(row) == 0:
        raise DataError(
            f"Nobody has a target within {in_words(horizon)} of {boundary:%Y-%m-%d %H:%M} UTC.",
            hint="Ask for a longer time, or check [data] target_behaviors.",
        )
    lines = Lines.of(frame)
    row, user = lines.asked(row, max_users, seed)
    first = np.append(True, user[1:] != user[:-1])
    row_B = _first_later(frame, lines.start_U, boundary)[user[first]]
    return lines.cut(kind, row, user, first, frame[ITEM].gather(row), row_B, boundary)


def horizon_of(kind: TargetsKind) -> timedelta | None:
    """How far `next-7d` looks; None for the kinds that ask step by step.

    Raises:
        DataError: There is no such kind of targets.
    """
    if kind in ("successive", "last"):
        return None
    if not kind.startswith(NEXT):
        raise DataError(
            f"targets = {kind!r}: there is no such kind of targets.",
            hint="Give successive, last, or next- and a length of time, such as next-7d.",
        )
    return duration_of(kind.removeprefix(NEXT), f"targets = {kind!r}")


def asked_times(split: Split, cut: Cut) -> FloatArray:
    """Unix seconds at which each request of a cut is asked; NaN where unknown."""
    if cut.at is None:
        return request_times(split, cut.row_B)
    return np.full(len(cut), (cut.at - EPOCH) / timedelta(seconds=1))


def request_times(split: Split, row: IndexArray) -> FloatArray:
    """Unix seconds at the given rows; NaN where unknown."""
    time = split.events.frame[TIMESTAMP].gather(row).to_physical().cast(pl.Float64) / 1e6
    return time.fill_null(float("nan")).to_numpy()


def _requests(users: pl.Series, row: IndexArray, at: datetime | None = None) -> Requests:
    if at is not None:
        return Requests(users=users, at=[at] * len(users))
    return Requests(users=users, rows=row)


def _first_later(frame: pl.DataFrame, start_U: IndexArray, boundary: datetime) -> IndexArray:
    """The row of each user's first event known to be at or after a time; for who has none, the end of the log."""
    later = np.flatnonzero(frame.select((pl.col(TIMESTAMP) >= boundary).fill_null(False)).to_series().to_numpy())
    user = np.searchsorted(start_U, later, side="right") - 1
    row_U = np.full(len(start_U), frame.height, dtype=np.int64)
    row_U[user[::-1]] = later[::-1]  # the first of each user is written last
    return row_U


def _covered(split: Split, kind: str, horizon: timedelta) -> datetime:
    """The boundary of a split by time, after which the log must go on for the horizon."""
    if split.kind not in ("time", "rolling"):
        raise DataError(
            f"targets = {kind!r} asks everybody at one time; a {split.kind} split has no such time.",
            hint="Split by time: --split time.",
        )
    boundary = datetime.fromisoformat(split.boundary)
    last = split.events.frame[TIMESTAMP].max()
    assert isinstance(last, datetime)
    if last < boundary + horizon - TOLERATED * horizon:
        raise DataError(
            f"targets = {kind!r} looks {in_words(horizon)} beyond the boundary ({split.boundary}), but the log ends "
            f"{in_words(last - boundary)} after it.",
            hint=f"Ask for a shorter time, or begin the test part earlier: --test {kind.removeprefix(NEXT)}",
        )
    return boundary


def first_of_request(second: FloatArray, user: IndexArray, kind: TargetsKind) -> BoolArray:
    """Which targets begin a request (for `last`: which are their user's last).

    Args:
        second: Unix seconds of each target, NaN where unknown: an unknown time equals no other.
        user: Of each target.
        kind: `successive` or `last`.
    """
    if kind == "last":
        return np.append(user[1:] != user[:-1], True)
    return np.append(True, (user[1:] != user[:-1]) | (second[1:] != second[:-1]))


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
