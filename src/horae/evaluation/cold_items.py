"""New items: how often a recommender finds what nobody could have learned from, beside the newest popular items.

    requests whose target is a new item -> the one path -> recall

In: a recommender and a split by time. Out: `NewItems`, with paired 95% intervals over users. An item is new by the
catalog's `launch_time`, else by its first event. This module does not know new people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from horae.data.split import Split
from horae.errors import DataError
from horae.evaluation.cut import Cut, requests_of
from horae.evaluation.intervals import Intervals, Resamples, plain, user_means
from horae.evaluation.judge import answers
from horae.evaluation.metrics import AT_K
from horae.evaluation.metrics.ranks import BoolArray, FloatArray
from horae.evaluation.opponents import to_strangers
from horae.features.content.vectors import LAUNCH_TIME
from horae.models.opponents import make_opponent
from horae.recipe import Recipe
from horae.recommend.recommender import Recommender
from horae.schema import ITEM, TIME_TYPE, Events
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

__all__ = ["NewItems", "new_items_of"]

NEWEST: Final = "new_popularity"


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
            "metrics": plain(self.metrics),
            "opponents": {name: plain(one) for name, one in self.opponents.items()},
            "against": {name: plain(one, "difference") for name, one in self.against.items()},
        }


def new_items_of(
    own: Recommender, split: Split, k: int, window_days: float, max_users: int | None, bootstrap: int, seed: int
) -> NewItems:
    """What it is worth for new items; see `horae.evaluate_cold` for the arguments."""
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
    if catalog is None or LAUNCH_TIME not in catalog.columns:
        return "first event", fresh
    launched = catalog.select(pl.col(ITEM).cast(pl.String), _launch_times(catalog).alias(LAUNCH_TIME)).drop_nulls()
    table = launched.unique(ITEM, keep="first")
    known = pl.DataFrame({ITEM: item.cast(pl.String), "fresh": item.is_in(fresh.implode()), "id": item})
    joined = known.join(table, on=ITEM, how="left")
    late = pl.col(LAUNCH_TIME) >= datetime.fromisoformat(split.boundary)
    return LAUNCH_TIME, joined.filter(pl.coalesce(late, "fresh"))["id"]


def _launch_times(catalog: pl.DataFrame) -> pl.Series:
    """The column as UTC times.

    Raises:
        DataError: A cell is no time.
    """
    cells = catalog[LAUNCH_TIME]
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
            f"The catalog's {LAUNCH_TIME} holds {wrong[0]!r}, which is no time.",
            hint="Write 2024-05-31 or a full ISO time.",
        )
    raise DataError(
        f"The catalog's {LAUNCH_TIME} is of type {cells.dtype}: expected times.",
        hint="Write 2024-05-31 or a full ISO time.",
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
    return to_strangers(replace(bare, learned=None, events=split.events, split=None))


def _recall(recommender: Recommender, cut: Cut, mask_T: BoolArray, k: int) -> FloatArray:
    """Recall of some of the targets, user by user."""
    ranks, _, _ = answers(recommender, cut, cut.targets(recommender.items), k)
    some, request = ranks.only(mask_T)
    return user_means(AT_K["recall"](some, k)[:, None], cut.user_B[request], len(cut.users))
