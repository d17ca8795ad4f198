"""implicit's item-kNN and iALS: lists for everybody; runs in implicit's environment. They know no order."""

from __future__ import annotations

from typing import Any

import numpy as np
import told
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix


def answers(file: str, model: str, dim: int) -> dict[str, Any]:
    """Fitted first: an item-kNN's speed depends on what it counted. Loading and fitting are not counted."""
    log = told.Log(file)
    rows = log.histories(told.TEST + 1)
    user_N = np.repeat(np.arange(log.num_users), [len(row) for row in rows])
    item_N = np.concatenate(rows)
    ones_N = np.ones(len(item_N), dtype=np.float32)
    seen_UI = csr_matrix((ones_N, (user_N, item_N)), (log.num_users, log.num_items))
    made = {
        "item_knn": lambda: CosineRecommender(K=100, num_threads=1),
        "ials": lambda: AlternatingLeastSquares(factors=dim, iterations=1, num_threads=1, random_state=0),
    }[model]()
    made.fit(seen_UI, show_progress=False)
    clock = told.Clock()
    items_UK, _ = made.recommend(np.arange(log.num_users), seen_UI, N=10)
    taken = clock.read()
    assert items_UK.shape == (log.num_users, 10)
    return {"users": log.num_users, **taken}


if __name__ == "__main__":
    told.serve(answers=answers)
