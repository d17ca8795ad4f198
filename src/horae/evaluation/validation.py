"""Ranking quality before the test: what early stopping, windows and calibration are chosen by.

In: a split. Out: requests cut from its validation part, and how well a recommender answers them. The test part is not
looked at.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from horae.errors import DataError
from horae.evaluation.cut import Cut, Lines, first_of_request, requests_of
from horae.evaluation.judge import answers
from horae.evaluation.metrics.ndcg import ndcg
from horae.evaluation.metrics.recall import recall
from horae.recommend.recommender import Recommender
from horae.sequences.before import indices_between
from horae.sequences.prepared_split import AnySplit, PreparedSplit

__all__ = ["quality", "validation_cut"]


def validation_cut(split: AnySplit, *, limit: int, seed: int) -> Cut:
    """The validation part's requests, cut exactly as test requests are; at most `limit` of them, drawn by the seed.

    Raises:
        DataError: The part has no targets.
    """
    if isinstance(split, PreparedSplit):
        cut = _of_prepared(split)
    else:
        part = pl.select(
            pl.when(split.part == "validation").then(pl.lit("test")).otherwise(pl.lit("unused")).cast(split.part.dtype)
        )
        cut = requests_of(replace(split, part=part.to_series().alias("part")))
    warm = np.flatnonzero(~cut.cold_B)
    if len(warm) > limit:
        warm = np.sort(np.random.default_rng(seed).choice(warm, limit, replace=False))
    return cut.subset(warm)


def _of_prepared(split: PreparedSplit) -> Cut:
    """As `requests_of` cuts them: a row is an event's index in the arrays, of which all are on known items."""
    log = split.log.sequences
    row = indices_between(split.fit.all().end_B, split.train.all().end_B)
    row = row[log.flat.target_N[row]]
    if len(row) == 0:
        raise DataError(
            "The validation part has no targets.", hint="Give a longer one, or check [data] target_behaviors."
        )
    lines = Lines(log.users.all, log.offset_U1[:-1])
    row, user = lines.asked(row, None, 0)
    first = first_of_request(log.flat.time_N[row], user, "successive")
    return lines.cut("successive", row, user, first, log.items.ids(log.flat.item_N[row]))


def quality(recommender: Recommender, cut: Cut, k: int = 10) -> dict[str, float]:
    """Mean NDCG and recall at k over users, by the very path that recommends, before strategies and rules."""
    ranks, _, _ = answers(recommender, cut, cut.targets(recommender.items), depth=1, raw=True)
    of_user = np.bincount(cut.user_B)
    asked = of_user > 0
    return {
        f"{name}@{k}": float((np.bincount(cut.user_B, metric(ranks, k))[asked] / of_user[asked]).mean())
        for name, metric in (("ndcg", ndcg), ("recall", recall))
    }
