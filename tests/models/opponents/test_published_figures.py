"""Figures of others on ml-100k: last event of each user, ties in file order, all items ranked, seen masked."""

import numpy as np
import pytest
import torch

import horae
from horae.models.opponents import make_opponent
from horae.sequences.batch import encode
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

PLAIN = {"shrinkage": 0.0, "half_life_events": 0.0}

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def cut(data_dir):
    split = horae.split_leave_one_out(horae.read_events(data_dir / "ml-100k" / "raw" / "u.data"))
    items = Vocabulary.of(split.events.frame["item_id"])
    known = Sequences.from_events(split.train, items)
    rows = np.flatnonzero((split.part == "test").to_numpy())
    target_B = items.indices(split.events.frame["item_id"].gather(rows))
    histories = Sequences.from_events(split.events, items).before_rows(rows)
    return known, histories, torch.tensor(target_B)[:, None]


@pytest.mark.parametrize(
    ("name", "table", "recall", "ndcg"),
    [
        ("popularity", {}, 0.0859, 0.0449),
        ("item_knn", {"similarity": "cosine", **PLAIN}, 0.105, 0.0556),  # implicit, 100 neighbours
        ("item_knn", {"similarity": "tfidf", **PLAIN}, 0.099, 0.0532),
    ],
)
def test_recall_and_ndcg_are_those_measured_with_other_libraries(cut, name, table, recall, ndcg):
    known, histories, target_B1 = cut
    model = make_opponent(name, table).fit(known)
    scores = model.score(encode(histories, model.max_len))
    request, item = histories.pairs()
    scores[torch.from_numpy(request), torch.from_numpy(item).long()] = -torch.inf
    rank = (scores > scores.gather(1, target_B1)).sum(1) + 1
    hit = rank <= 10
    assert hit.float().mean().item() == pytest.approx(recall, abs=0.0015)
    assert (hit / torch.log2(rank + 1.0)).mean().item() == pytest.approx(ndcg, abs=0.0005)
