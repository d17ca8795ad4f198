"""A trained recommender and validation requests in; how much each part of its scores should count, out.

Each target stands against random items that may be shown; a logistic of the differences of their standardised parts
(model, interest, context) weighs the parts. What is usual in the log is learned from the fit part alone here, so that
validation is as new to it as the test will be.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from horae.data.split import Split
from horae.errors import DataError
from horae.evaluation.cut import Cut
from horae.recommend.rank import MINUS_INFINITY
from horae.recommend.recommender import Recommender
from horae.recommend.strategy.learned import Learned

__all__ = ["fit_weights", "learn_blend"]

FloatArray = npt.NDArray[np.float64]
RANDOM_ITEMS: Final = 20
ENOUGH: Final = 50


def learn_blend(recommender: Recommender, split: Split, cut: Cut, seed: int) -> dict[str, float]:
    """Weights by part.

    Raises:
        DataError: Fewer than 50 validation requests whose target could be shown.
    """
    known = recommender.learned
    recommender.learned = Learned(recommender.items, lambda: split.fit)
    try:
        wanted = recommender.shaper.possible_parts()
        differences = _differences(recommender, cut, wanted, seed)
    finally:
        recommender.learned = known
    if len({int(request) for request, _ in differences}) < ENOUGH:
        raise DataError(
            "Too few validation requests to learn a blend from.",
            hint="Declare it: [recommend] weights = {model = 1.0}.",
        )
    weights = fit_weights(np.stack([difference for _, difference in differences]))
    return dict(zip(wanted, weights.tolist(), strict=True))


def fit_weights(difference_NP: FloatArray) -> FloatArray:
    """The logistic without intercept that makes differences (target less random item) most likely; Newton's method."""
    weight_P = np.zeros(difference_NP.shape[1])
    for _ in range(50):
        chance_N = 1.0 / (1.0 + np.exp(-np.clip(difference_NP @ weight_P, -500, 500)))
        slope_P = difference_NP.T @ (1.0 - chance_N) - weight_P  # a ridge of one pair: separable pairs stay finite
        curvature_PP = (difference_NP * (chance_N * (1 - chance_N))[:, None]).T @ difference_NP
        step_P = np.linalg.solve(curvature_PP + np.eye(len(weight_P)), slope_P)
        weight_P = weight_P + step_P
        if np.abs(step_P).max() < 1e-9:
            break
    return weight_P


def _differences(recommender: Recommender, cut: Cut, wanted: list[str], seed: int) -> list[tuple[int, FloatArray]]:
    """(request, parts of its first target less those of a random item)."""
    rng = np.random.default_rng(seed)
    first = cut.targets(recommender.items).item[cut.offset_B1[:-1]]
    found = []
    for rows, scores_BI, parts in recommender.parts(cut.requests, wanted):
        for place, row in enumerate(rows.tolist()):
            shown = np.flatnonzero(scores_BI[place] > MINUS_INFINITY)
            if not first[row] or scores_BI[place, first[row]] == MINUS_INFINITY or len(shown) < 2:
                continue
            others = rng.choice(shown[shown != first[row]], size=min(RANDOM_ITEMS, len(shown) - 1), replace=False)
            value_PI = np.stack([parts[name][place] for name in wanted])
            found += [(row, one) for one in (value_PI[:, [first[row]]] - value_PI[:, others]).T]
    return found
