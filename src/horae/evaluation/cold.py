"""What nobody could have known, apart: users without a history, items that were not there when the model was trained.

In: a judged cut. Out: counts and metrics of their own. Cold users are not in the main metrics; cold items are, as
misses, and here stand how often that happened and what is left without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.evaluation.cut import Cut
from horae.evaluation.intervals import Interval, Resamples, user_means
from horae.evaluation.judge import Judged
from horae.evaluation.metrics import AT_K
from horae.evaluation.metrics.ranks import BoolArray

__all__ = ["Cold", "cold_of"]


@dataclass(frozen=True)
class Cold:
    """Cold users and cold items.

    Attributes:
        users: Users with a request that had no event of theirs before it.
        requests: Those requests; the fallback answered them.
        user_metrics: Their metrics.
        items: Distinct targets that are not in the item table.
        targets: How many targets (of warm requests) that makes.
        share: Their share of the targets.
        item_metrics: Recall on those targets: zero for models that know ids only.
        known_metrics: All metrics on the other targets: what is left when nobody asks for the unknown.
        barred: Targets that are known but that the recommender does not list, as seen before.
        barred_share: Their share of the targets.
    """

    users: int
    requests: int
    user_metrics: dict[str, Interval]
    items: int
    targets: int
    share: float
    item_metrics: dict[str, Interval]
    known_metrics: dict[str, Interval]
    barred: int
    barred_share: float

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""

        def plain(metrics: dict[str, Interval]) -> dict[str, Any]:
            return {name: interval.as_dict() for name, interval in metrics.items()}

        return {
            "users": {"n": self.users, "requests": self.requests, "metrics": plain(self.user_metrics)},
            "items": {
                "n": self.items,
                "targets": self.targets,
                "share": self.share,
                "metrics": plain(self.item_metrics),
                "metrics_without": plain(self.known_metrics),
            },
            "barred": {"targets": self.barred, "share": self.barred_share},
        }


def cold_of(cut: Cut, judged: Judged, ks: tuple[int, ...], resamples: Resamples) -> Cold:
    """Count and judge what is cold."""
    cold_B = cut.cold_B
    warm_T = ~cold_B[judged.ranks.request_of_T]
    unknown_T = (judged.item_T == 0) & warm_T
    barred_T = (judged.item_T > 0) & (judged.ranks.rank_T == 0) & warm_T
    targets = max(int(warm_T.sum()), 1)
    return Cold(
        users=len(np.unique(cut.user_B[cold_B])),
        requests=int(cold_B.sum()),
        user_metrics=_metrics(cut, judged, cold_B[judged.ranks.request_of_T], ks, tuple(AT_K), resamples),
        items=cut.item_T.gather(np.flatnonzero(unknown_T)).n_unique(),
        targets=int(unknown_T.sum()),
        share=float(unknown_T.sum() / targets),
        item_metrics=_metrics(cut, judged, unknown_T, ks, ("recall",), resamples),
        known_metrics=_metrics(cut, judged, (judged.item_T > 0) & warm_T, ks, tuple(AT_K), resamples),
        barred=int(barred_T.sum()),
        barred_share=float(barred_T.sum() / targets),
    )


def _metrics(
    cut: Cut, judged: Judged, mask_T: BoolArray, ks: tuple[int, ...], names: tuple[str, ...], resamples: Resamples
) -> dict[str, Interval]:
    """The lists judged by some of the targets only; nothing where there are none."""
    if not mask_T.any():
        return {}
    ranks, request = judged.ranks.only(mask_T)
    columns = {f"{name}@{k}": AT_K[name](ranks, k) for k in ks for name in names}
    value_UM = user_means(np.stack(list(columns.values()), axis=1), cut.user_B[request], len(cut.users))
    return dict(zip(columns, resamples.intervals(value_UM), strict=True))
