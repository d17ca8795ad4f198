"""LensKit's item-kNN and iALS: lists for everybody; runs in LensKit's environment. They know no order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import told
from lenskit.als import ImplicitMFScorer
from lenskit.batch import recommend
from lenskit.data import from_interactions_df
from lenskit.knn import ItemKNNScorer
from lenskit.pipeline import topn_pipeline


def answers(file: str, model: str, dim: int, users: int) -> dict[str, Any]:
    """Fitted first; the first users stand for all. Loading and fitting are not counted."""
    log = told.Log(file)
    rows = log.histories(told.TEST + 1)
    user_N = np.repeat(np.arange(log.num_users), [len(row) for row in rows])
    frame = pd.DataFrame({"user_id": user_N, "item_id": np.concatenate(rows)}).drop_duplicates()
    scorer = {
        "item_knn": lambda: ItemKNNScorer(max_nbrs=100, feedback="implicit"),
        "ials": lambda: ImplicitMFScorer(embedding_size=dim, epochs=1),
    }[model]()
    pipeline = topn_pipeline(scorer)
    pipeline.train(from_interactions_df(frame))
    clock = told.Clock()
    lists = recommend(pipeline, list(range(users)), n=10, n_jobs=1)
    taken = clock.read()
    assert len(lists) == users
    return {"users": users, **taken}


if __name__ == "__main__":
    told.serve(answers=answers)
