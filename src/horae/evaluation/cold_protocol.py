"""How a recommender does where little is known: people with 0, 1, 3, 5 events, and items that came after training.

    people whose first event lies in the test part -> their first n events -> the one path -> what came next
    requests whose target is a new item -> the one path -> recall, beside the most popular of the newest items

In: a recommender and a split by time. Out: `ColdStart`, two tables with paired 95% intervals over users. Only people
whom training never saw are asked about, so that no target is an event that was learned from. This module trains
nothing but the simple methods beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from horae.data.split import Split
from horae.errors import DataError
from horae.evaluation.cut import Cut, Lines, request_times, requests_of
from horae.evaluation.intervals import Interval, Resamples, user_means
from horae.evaluation.judge import answers
from horae.evaluation.metrics import AT_K
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.evaluation.opponents import opponents_of
from horae.evaluation.table import cold_text
from horae.models.opponents import make_opponent
from horae.recipe import Recipe
from horae.recommend.recommender import Recommender
from horae.schema import ITEM, TARGET, TIME_TYPE, Events
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

__all__ = ["LAUNCH", "ColdStart", "Level", "NewItems", "check_cold", "evaluate_cold"]

LAUNCH: Final = "launch_time"
"""The catalog's column that says when an item was there to be had."""
BESIDE: Final = ("popularity", "recent_popularity")
NEWEST: Final = "new_popularity"
NAMES: Final = ("ndcg", "recall")
ENOUGH_USERS: Final = 300
Intervals = dict[str, Interval]


@dataclass(frozen=True)
class Level:
    """New people of whom so many events are known.

    Attributes:
        events: n: the history is their first n events.
        users: People who came that far and then had a target.
        metrics: NDCG and recall on what came next.
        opponents: The same for each simple method, on the same requests.
        against: This recommender minus each of them, paired by user.
        gained: This recommender with n events minus itself with none, on the same people, each at its own request.
    """

    events: int
    users: int
    metrics: Intervals
    opponents: dict[str, Intervals]
    against: dict[str, Intervals]
    gained: Intervals

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "events": self.events,
            "users": self.users,
            "metrics": _plain(self.metrics),
            "opponents": {name: _plain(one) for name, one in self.opponents.items()},
            "against": {name: _plain(one, "difference") for name, one in self.against.items()},
            "gained": _plain(self.gained, "difference"),
        }


@dataclass(frozen=True)
class NewItems:
    """Requests that were answered by an item which nobody could learn from.

    Attributes:
        by: What says that an item is new: `first event`, or `launch_time` of the catalog.
        items: New items that came as targets.
        in_table: How many of them the recommender can list at all; none where a model knows ids only.
        users: People who asked.
        requests: Their requests.
        window_days: Of `new_popularity`.
        metrics: Recall of the new items; empty where there were none.
        opponents: The same of `new_popularity`, which follows the log.
        against: This recommender minus it, paired by user.
    """

    by: str
    items: int
    in_table: int
    users: int
    requests: int
    window_days: float
    metrics: Intervals
    opponents: dict[str, Intervals]
    against: dict[str, Intervals]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "by": self.by,
            "items": self.items,
            "in_table": self.in_table,
            "users": self.users,
            "requests": self.requests,
            "window_days": self.window_days,
            "metrics": _plain(self.metrics),
            "opponents": {name: _plain(one) for name, one in self.opponents.items()},
            "against": {name: _plain(one, "difference") for name, one in self.against.items()},
        }


@dataclass(frozen=True)
class ColdStart:
    """What a recommender is worth to new people and for new items.

    Attributes:
        run: The recipe's name.
        boundary: Where the test part begins.
        k: Length of the lists.
        levels: By the number of events that are known.
        items: New items.
        notes: What the reader must know to read the numbers.
        seed: Of the resamples, and of the sample of people.
        samples: Resamples behind the intervals.
    """

    run: str
    boundary: str
    k: int
    levels: tuple[Level, ...]
    items: NewItems
    notes: tuple[str, ...]
    seed: int
    samples: int

    def as_dict(self) -> dict[str, Any]:
        """The key `cold_protocol` of `horae evaluate --cold --json`: plain JSON types, stable keys."""
        return {
            "run": self.run,
            "boundary": self.boundary,
            "k": self.k,
            "levels": [level.as_dict() for level in self.levels],
            "items": self.items.as_dict(),
            "notes": list(self.notes),
            "seed": self.seed,
            "bootstrap": self.samples,
        }

    def __str__(self) -> str:
        return cold_text(self.as_dict())


def evaluate_cold(
    recommender: Recommender,
    split: Split,
    *,
    known: Sequence[int] = (0, 1, 3, 5),
    k: int = 10,
    window_days: float = 7.0,
    max_users: int | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
) -> ColdStart:
    """Judge a recommender on new people, event by event, and on items that came after training.

    Args:
        recommender: Trained on nothing of the test part.
        split: By time: elsewhere nobody is new.
        known: Of how many first events the histories are made.
        k: Length of the lists.
        window_days: How long an item is new to `new_popularity`.
        max_users: Ask a sample of this many people, in each of the two tables.
        bootstrap: Resamples for the intervals; 0 for none.
        seed: Of the sample and the resamples.

    Raises:
        DataError: The split is not by time, the log has no items, k or a number of events is impossible, or the
            catalog's `launch_time` cannot be read.
    """
    check_cold(split, known, k)
    own = recommender if recommender.events is split.events else recommender.with_events(split.events)
    found = opponents_of(own, split, BESIDE)
    beside = {name: _to_strangers(one) for name, one in found.items() if not isinstance(one, str)}
    levels, num_users = _levels(own, beside, split, known, k, max_users, bootstrap, seed)
    items = _new_items(own, split, k, window_days, max_users, bootstrap, seed)
    return ColdStart(
        run=recommender.recipe.name,
        boundary=split.boundary,
        k=k,
        levels=levels,
        items=items,
        notes=tuple(_notes(own, levels, items, num_users, {n: w for n, w in found.items() if isinstance(w, str)})),
        seed=seed,
        samples=bootstrap,
    )


def check_cold(split: Split, known: Sequence[int] = (0,), k: int = 10) -> None:
    """Refuse before anything is computed.

    Raises:
        DataError: As in `evaluate_cold`.
    """
    if split.kind not in ("time", "rolling"):
        raise DataError(
            f"Nobody is new in a {split.kind} split: everybody has a part of their line in training.",
            hint="Split by time: --split time.",
        )
    if not split.events.has_items:
        raise DataError("This log has no items, so nothing is recommended.", hint="Give a log with item_id.")
    if k < 1 or not known or min(known) < 0 or list(known) != sorted(set(known)):
        raise DataError(
            f"k = {k}, known = {list(known)}: expected a length of at least 1 and rising numbers of events from 0.",
            hint="For example k=10, known=(0, 1, 3, 5).",
        )


def _levels(
    own: Recommender,
    beside: Mapping[str, Recommender],
    split: Split,
    known: Sequence[int],
    k: int,
    max_users: int | None,
    bootstrap: int,
    seed: int,
) -> tuple[tuple[Level, ...], int]:
    """The warm-up curve, and how many people are new."""
    people = _NewPeople(split, max_users, seed)
    resamples = Resamples(len(people), bootstrap, seed)
    value_of: dict[int, FloatArray] = {}
    levels = []
    for events in known:
        cut, person_B = people.asked(events)
        if len(cut) == 0:
            break
        mine_US = value_of[events] = people.spread(_values(own, cut, k), person_B)
        theirs = {name: people.spread(_values(one, cut, k), person_B) for name, one in beside.items()}
        none_US = value_of.get(0) if events else None
        levels.append(
            Level(
                events=events,
                users=len(cut),
                metrics=_intervals(resamples, mine_US, k),
                opponents={name: _intervals(resamples, one_US, k) for name, one_US in theirs.items()},
                against={name: _intervals(resamples, mine_US - one_US, k) for name, one_US in theirs.items()},
                gained={} if none_US is None else _intervals(resamples, mine_US - none_US, k),
            )
        )
    return tuple(levels), len(people)


class _NewPeople:
    """Users whose whole line lies in the test part, and requests after so many of their events."""

    def __init__(self, split: Split, max_users: int | None, seed: int) -> None:
        frame = split.events.frame
        self._split, self._lines = split, Lines.of(frame)
        tested = (split.part == "test").to_numpy()
        first = self._lines.start_U[tested[self._lines.start_U]]
        self._start_P, self._line_P = self._lines.asked(first, max_users, seed)
        self._end_U = np.append(self._lines.start_U[1:], frame.height)
        self._target_T = np.flatnonzero(tested & frame[TARGET].to_numpy())

    def __len__(self) -> int:
        return len(self._start_P)

    def asked(self, events: int) -> tuple[Cut, IndexArray]:
        """A request after each one's first events, for the next target and what came at its very time; and whose."""
        place_P = self._start_P + events
        next_P = np.searchsorted(self._target_T, place_P)
        there_P = next_P < len(self._target_T)
        there_P[there_P] = self._target_T[next_P[there_P]] < self._end_U[self._line_P[there_P]]
        person_B = np.flatnonzero(there_P)
        row, request = self._basket(next_P[person_B], self._end_U[self._line_P[person_B]])
        first = np.append(True, request[1:] != request[:-1])[: len(row)]
        user, item = self._line_P[person_B][request], self._split.events.frame[ITEM].gather(row)
        return self._lines.cut("successive", row, user, first, item, place_P[person_B]), person_B

    def _basket(self, next_B: IndexArray, end_B: IndexArray) -> tuple[IndexArray, IndexArray]:
        """The rows of each request's targets, one request after the other, and the request of each."""
        last_B = np.searchsorted(self._target_T, end_B)
        size_B = last_B - next_B
        request = np.repeat(np.arange(len(next_B)), size_B)
        place = np.arange(len(request)) - np.repeat(np.cumsum(size_B) - size_B, size_B)
        row = self._target_T[next_B[request] + place]
        second, own = request_times(self._split, row), request_times(self._split, self._target_T[next_B])
        together = (place == 0) | (second == own[request])
        return row[together], request[together]

    def spread(self, value_BS: FloatArray, person_B: IndexArray) -> FloatArray:
        """One row for each of the people; NaN for whoever did not come that far."""
        value_PS = np.full((len(self), value_BS.shape[1]), np.nan)
        value_PS[person_B] = value_BS
        return value_PS


def _new_items(
    own: Recommender, split: Split, k: int, window_days: float, max_users: int | None, bootstrap: int, seed: int
) -> NewItems:
    by, is_new = _newness(own.catalog, split)
    cut = requests_of(split, "successive", max_users=max_users, seed=seed)
    new_T = cut.item_T.is_in(is_new.implode()).to_numpy()
    asked = np.unique(np.repeat(np.arange(len(cut)), np.diff(cut.offset_B1))[new_T])
    wanted = cut.subset(asked)
    new_T = wanted.item_T.is_in(is_new.implode()).to_numpy()
    came = wanted.item_T.filter(pl.Series(new_T, dtype=pl.Boolean)).unique()
    metrics: Intervals = {}
    opponents: dict[str, Intervals] = {}
    against: dict[str, Intervals] = {}
    if len(wanted):
        newest = _following(own, split, window_days)
        resamples = Resamples(len(wanted.users), bootstrap, seed)
        mine_US, theirs_US = (_recall(one, wanted, new_T, k) for one in (own, newest))
        name = f"recall@{k}"
        metrics = {name: resamples.intervals(mine_US)[0]}
        opponents = {NEWEST: {name: resamples.intervals(theirs_US)[0]}}
        against = {NEWEST: {name: resamples.intervals(mine_US - theirs_US)[0]}}
    return NewItems(
        by=by,
        items=len(came),
        in_table=int((own.items.indices(came) > 0).sum()),
        users=len(np.unique(wanted.user_B)),
        requests=len(wanted),
        window_days=window_days,
        metrics=metrics,
        opponents=opponents,
        against=against,
    )


def _newness(catalog: pl.DataFrame | None, split: Split) -> tuple[str, pl.Series]:
    """What says that an item is new, and the new ones: launched, or else first turned to, after the boundary."""
    item, old = split.events.frame[ITEM].unique(), split.train.frame[ITEM].unique()
    fresh = item.filter(~item.is_in(old.implode()))
    if catalog is None or LAUNCH not in catalog.columns:
        return "first event", fresh
    launched = catalog.select(pl.col(ITEM).cast(pl.String), _launch_times(catalog).alias(LAUNCH)).drop_nulls()
    table = launched.unique(ITEM, keep="first")
    known = pl.DataFrame({ITEM: item.cast(pl.String), "fresh": item.is_in(fresh.implode()), "id": item})
    joined = known.join(table, on=ITEM, how="left")
    late = pl.col(LAUNCH) >= datetime.fromisoformat(split.boundary)
    return LAUNCH, joined.filter(pl.coalesce(late, "fresh"))["id"]


def _launch_times(catalog: pl.DataFrame) -> pl.Series:
    """The column as UTC times.

    Raises:
        DataError: A cell is no time.
    """
    cells = catalog[LAUNCH]
    if isinstance(cells.dtype, pl.Datetime):
        zoned = cells if cells.dtype.time_zone else cells.dt.replace_time_zone("UTC")
        return zoned.cast(TIME_TYPE)
    if cells.dtype == pl.Date:
        return cells.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if cells.dtype == pl.String:
        days = cells.str.to_date(strict=False).cast(pl.Datetime("us"))
        moments = cells.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
        times = moments.fill_null(days.dt.replace_time_zone("UTC"))
        wrong = cells.filter(times.is_null() & cells.is_not_null())
        if wrong.is_empty():
            return times
        raise DataError(
            f"The catalog's {LAUNCH} holds {wrong[0]!r}, which is no time.", hint="Write 2024-05-31 or a full ISO time."
        )
    raise DataError(
        f"The catalog's {LAUNCH} is of type {cells.dtype}: expected times.", hint="Write 2024-05-31 or a full ISO time."
    )


def _following(own: Recommender, split: Split, window_days: float) -> Recommender:
    """`new_popularity` over an item table that holds every item of the log; it counts what was before each request."""
    items = Vocabulary(own.items.all)
    items.append(split.events.frame[ITEM].unique().sort())
    whole = Sequences.from_events(split.events, items, own.sequences.behaviors)
    known: Events = split.train
    recipe = Recipe(NEWEST, model={"opponent": NEWEST, "window_days": window_days})
    model = make_opponent(NEWEST, recipe.model).fit(whole.alike(known))
    bare = replace(own, model=model, sequences=whole, recipe=recipe, calibration=None, catalog=None, card={}, log=[])
    return _to_strangers(replace(bare, learned=None, events=split.events, split=None))


def _to_strangers(opponent: Recommender) -> Recommender:
    """The same method for people without a history: what counts alone needs no fallback."""
    return replace(opponent, fallback=opponent.model, by_profile=None, profiles=None)


def _values(recommender: Recommender, cut: Cut, k: int) -> FloatArray:
    """One row of metrics per request."""
    ranks, _, _ = answers(recommender, cut, cut.targets(recommender.items), k)
    return np.stack([AT_K[name](ranks, k) for name in NAMES], axis=1)


def _recall(recommender: Recommender, cut: Cut, mask_T: BoolArray, k: int) -> FloatArray:
    """Recall of some of the targets, user by user."""
    ranks, _, _ = answers(recommender, cut, cut.targets(recommender.items), k)
    some, request = ranks.only(mask_T)
    return user_means(AT_K["recall"](some, k)[:, None], cut.user_B[request], len(cut.users))


def _intervals(resamples: Resamples, value_US: FloatArray, k: int) -> Intervals:
    return dict(zip([f"{name}@{k}" for name in NAMES], resamples.intervals(value_US), strict=True))


def _notes(
    own: Recommender, levels: Sequence[Level], items: NewItems, people: int, missing: Mapping[str, str]
) -> Iterator[str]:
    if people < ENOUGH_USERS:
        yield f"Only {people:,} people are new in the test part: read the intervals, not the means."
    if levels and levels[0].events == 0:
        name = str(own.card.get("fallback", {}).get("name", "the fallback")).replace("_", " ")
        told = ", and by profile where it knows one" if own.by_profile is not None and own.profiles is not None else ""
        yield f"With 0 events nobody's history is known: the run answers by {name}, its fallback{told}."
    if len({level.users for level in levels}) > 1:
        yield "Fewer people come to the later rows: read `gained`, which compares each with themselves."
    if items.items and not items.in_table:
        yield f"The model knows ids only: it can list none of the {items.items:,} new items, so its recall is 0."
    if not items.items:
        yield "No item of the test part is new."
    for name, reason in missing.items():
        yield f"{name} is not here: {reason}"


def _plain(intervals: Mapping[str, Interval], name: str = "mean") -> dict[str, Any]:
    return {metric: interval.as_dict(name) for metric, interval in intervals.items()}
