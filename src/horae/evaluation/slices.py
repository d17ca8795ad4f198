"""Values per request in, the same metric slice by slice out: where is the recommender good, and where is it not?

Slices of requests (history length, activity, new users, the day, profiles) divide the requests; slices of targets
(item age, behavior) judge the same lists by some of their targets only. Every slice has its number of users and its
interval; the largest gap is named among slices of at least 30 users. With many slices some gap is always large by
chance: an interval that clears zero here asks for a closer look, it does not prove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from horae.data.split import Split
from horae.evaluation.cut import Cut, asked_times, request_times
from horae.evaluation.intervals import Interval, Resamples, interval_of, user_means
from horae.evaluation.judge import Judged
from horae.evaluation.metrics import AT_K, Ranks
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.schema import BEHAVIOR, ITEM, TIMESTAMP, USER

__all__ = ["Slice", "Slicing", "largest_gap", "slicings_of"]

FEWEST_USERS = 30
MOST_VALUES = 12
DAY = 86_400.0
LENGTHS = (
    (1, "1"),
    (2, "2 to 4"),
    (5, "5 to 9"),
    (10, "10 to 19"),
    (20, "20 to 49"),
    (50, "50 to 199"),
    (200, "200 or more"),
)
ACTIVITY = ((0, "none"), (1, "1 to 4"), (5, "5 to 19"), (20, "20 to 49"), (50, "50 or more"))
AGES = ((0, "under 1 day"), (1, "1 to 7 days"), (7, "7 to 30 days"), (30, "30 to 90 days"), (90, "90 days or more"))
DAYS = (
    (0, "day 1"),
    (1, "days 2 to 3"),
    (3, "days 4 to 7"),
    (7, "days 8 to 14"),
    (14, "days 15 to 28"),
    (28, "day 29 on"),
)
FIRST_SEEN = "first seen now"

Steps = tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Slice:
    """One slice: its name, its requests and users, and the metric with its interval."""

    name: str
    requests: int
    users: int
    value: Interval

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"name": self.name, "n": self.requests, "users": self.users} | self.value.as_dict()


@dataclass(frozen=True)
class Slicing:
    """One way of cutting up the requests.

    Attributes:
        by: What the slices differ in.
        about: How a slice is told, in a sentence.
        metric: The metric's name, such as `ndcg@10`.
        slices: In their natural order.
        gap: The best and the worst slice of at least 30 users and the difference; None where fewer than two have them.
    """

    by: str
    about: str
    metric: str
    slices: tuple[Slice, ...]
    gap: tuple[str, str, Interval] | None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        gap = None
        if self.gap is not None:
            best, worst, interval = self.gap
            gap = {"best": best, "worst": worst} | interval.as_dict("difference")
        slices = [one.as_dict() for one in self.slices]
        return {"about": self.about, "metric": self.metric, "slices": slices, "gap": gap}


@dataclass(frozen=True, eq=False)
class _Labels:
    """A name for each request (or, if `of_targets`, each target); the empty name leaves it out."""

    by: str
    about: str
    names: pl.Series
    order: list[str]
    of_targets: bool = False


def slicings_of(
    split: Split, cut: Cut, judged: Judged, metric: str, resamples: Resamples, profiles: pl.DataFrame | None = None
) -> list[Slicing]:
    """Cut up the warm requests in every way that the log allows.

    Args:
        split: The log and its boundary.
        cut: All requests; those of cold users are left out here.
        judged: Their metrics.
        metric: A ranking metric at k, such as `ndcg@10`.
        resamples: Of `cut.users`, so that the slices' intervals agree with the main ones.
        profiles: One row per `user_id`; every further column is a way to slice.
    """
    slicings = []
    for labels in _all_labels(split, cut, profiles):
        table = _table(cut, judged, metric, labels)
        if len(table) > 1:
            slicings.append(_slicing(labels, metric, table, len(cut.users), cut.user_B, resamples))
    return slicings


def largest_gap(slicings: list[Slicing]) -> Slicing | None:
    """The slicing with the largest gap of all."""
    with_gap = [slicing for slicing in slicings if slicing.gap is not None]
    return max(with_gap, key=_gap_size, default=None)


def _gap_size(slicing: Slicing) -> float:
    assert slicing.gap is not None
    return slicing.gap[2].mean or 0.0


def _all_labels(split: Split, cut: Cut, profiles: pl.DataFrame | None) -> Iterator[_Labels]:
    yield _Labels("history length", "Events of the user before the request.", *_steps(cut.history_B, LENGTHS))
    yield _new_users(split, cut)
    if split.events.times == "all":
        yield _activity(split, cut)
        yield _item_age(split, cut)
        if split.kind != "leave-one-out":
            yield _day(split, cut)
    behavior = split.events.frame[BEHAVIOR].gather(cut.row_T).cast(pl.String)
    yield _Labels("behavior", "The behavior of what came.", behavior, split.events.behaviors, of_targets=True)
    if profiles is not None:
        yield from _profiles(cut, profiles)


def _steps(value: FloatArray | IndexArray, steps: Steps) -> tuple[pl.Series, list[str]]:
    """Name each value by the last step that it reaches; the empty name below the first."""
    bounds = np.array([bound for bound, _ in steps])
    names = ["", *(name for _, name in steps)]
    place = np.searchsorted(bounds, value, side="right")
    return pl.Series(names, dtype=pl.String).gather(place), names[1:]


def _new_users(split: Split, cut: Cut) -> _Labels:
    known = cut.users.is_in(split.train.frame[USER].unique().implode()).to_numpy()
    order = ["known in training", "new since training"]
    names = pl.Series(np.where(known[cut.user_B], *order))
    return _Labels("new users", "Had the user any event before the test part began?", names, order)


def _activity(split: Split, cut: Cut) -> _Labels:
    frame = split.events.frame
    user = frame[USER].rle_id().to_numpy().astype(np.float64)
    time = frame[TIMESTAMP].to_physical().to_numpy() / 1e6
    span = float(time.max() - time.min()) + 31 * DAY
    line = user * span + (time - time.min())  # ascending: users stand one after the other
    asked = user[cut.row_B] * span + (asked_times(split, cut) - time.min())
    since = np.searchsorted(line, asked - 30 * DAY)
    recent = np.minimum(cut.row_B - since, cut.history_B)
    return _Labels("activity", "Events of the user in the 30 days before the request.", *_steps(recent, ACTIVITY))


def _item_age(split: Split, cut: Cut) -> _Labels:
    frame = split.events.frame.select(ITEM, TIMESTAMP).with_row_index("row")
    first = frame.group_by(ITEM).agg(pl.col(TIMESTAMP).min().alias("first"))
    came = pl.DataFrame({ITEM: cut.item_T, "row": cut.row_T}).join(first, on=ITEM, how="left", maintain_order="left")
    age = request_times(split, cut.row_T) - came["first"].to_physical().to_numpy() / 1e6
    names, order = _steps(age / DAY, AGES)
    names = pl.Series(np.where(age <= 0, FIRST_SEEN, names.to_numpy()))
    about = "Days from the item's first event in the log to the moment when it was chosen."
    return _Labels("item age", about, names, [FIRST_SEEN, *order], of_targets=True)


def _day(split: Split, cut: Cut) -> _Labels:
    time = asked_times(split, cut)
    first = request_times(split, np.flatnonzero((split.part == "test").to_numpy())).min()
    about = "Time since the boundary: how fast does a model that is not trained again grow stale?"
    return _Labels("day after the boundary", about, *_steps((time - first) / DAY, DAYS))


def _profiles(cut: Cut, profiles: pl.DataFrame) -> Iterator[_Labels]:
    users = pl.DataFrame({USER: cut.users.cast(pl.String)})
    mine = users.join(
        profiles.with_columns(pl.col(USER).cast(pl.String)).unique(USER, keep="first", maintain_order=True),
        on=USER,
        how="left",
        maintain_order="left",
    )
    for column in profiles.columns:
        if column != USER:
            names, order = _profile_names(mine[column])
            about = f"The user's {column}, from the profiles given."
            yield _Labels(column, about, names.gather(cut.user_B), order)


def _profile_names(column: pl.Series) -> tuple[pl.Series, list[str]]:
    """Values as they are, the 12 most frequent by name; numbers of more than 12 values in four quarters."""
    if column.dtype.is_numeric() and column.n_unique() > MOST_VALUES:
        bounds = sorted({float(column.quantile(q) or 0.0) for q in (0.0, 0.25, 0.5, 0.75)})
        quarters = [f"{low:g} or more" for low in bounds]
        place = np.searchsorted(bounds, column.cast(pl.Float64).fill_null(float("-inf")).to_numpy(), side="right")
        return pl.Series(["", *quarters], dtype=pl.String).gather(place), quarters
    text = column.cast(pl.String).fill_null("")
    common = text.filter(text != "").value_counts(sort=True).head(MOST_VALUES)[text.name].to_list()
    others = pl.Series(text.is_in(common) | (text == ""))
    names = pl.select(pl.when(others).then(text).otherwise(pl.lit("others"))).to_series()
    return names, [*common, "others"]


def _table(cut: Cut, judged: Judged, metric: str, labels: _Labels) -> dict[str, tuple[FloatArray, IndexArray]]:
    """For each name, in order: the metric's values and the requests that they belong to."""
    warm_B = ~cut.cold_B
    name = labels.names.to_numpy()
    table = {}
    for one in labels.order:
        if labels.of_targets:
            value, request = _by_targets(judged.ranks, metric, name == one)
        else:
            request = np.flatnonzero(name == one)
            value = judged.values[metric][request]
        kept = warm_B[request]
        if kept.any():
            table[one] = (value[kept], request[kept])
    return table


def _by_targets(ranks: Ranks, metric: str, mask_T: BoolArray) -> tuple[FloatArray, IndexArray]:
    name, k = metric.split("@")
    judge: Callable[[Ranks, int], FloatArray] = AT_K[name]
    some, request = ranks.only(mask_T)
    return (judge(some, int(k)), request) if len(request) else (np.empty(0), request)


def _slicing(
    labels: _Labels,
    metric: str,
    table: dict[str, tuple[FloatArray, IndexArray]],
    num_users: int,
    user_B: IndexArray,
    resamples: Resamples,
) -> Slicing:
    columns = [user_means(value[:, None], user_B[request], num_users) for value, request in table.values()]
    value_US = np.hstack(columns)
    drawn_RS = resamples.means(value_US)
    mean_S = np.nanmean(value_US, axis=0)
    users_S = (~np.isnan(value_US)).sum(axis=0)
    slices = tuple(
        Slice(name, len(request), int(users_S[s]), interval_of(mean_S[s], drawn_RS[:, s]))
        for s, (name, (_, request)) in enumerate(table.items())
    )
    return Slicing(labels.by, labels.about, metric, slices, _gap(slices, mean_S, drawn_RS))


def _gap(slices: tuple[Slice, ...], mean_S: FloatArray, drawn_RS: FloatArray) -> tuple[str, str, Interval] | None:
    enough = [s for s, one in enumerate(slices) if one.users >= FEWEST_USERS]
    if len(enough) < 2:
        return None
    best = max(enough, key=lambda s: mean_S[s])
    worst = min(enough, key=lambda s: mean_S[s])
    interval = interval_of(mean_S[best] - mean_S[worst], drawn_RS[:, best] - drawn_RS[:, worst])
    return slices[best].name, slices[worst].name, interval
