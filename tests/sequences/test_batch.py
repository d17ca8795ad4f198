import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.logs import events_of

from horae.sequences.batch import bucket, encode
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

LOG = events_of([("a", "x", 10), ("a", "y", 20), ("a", "z", 40), ("b", "z", 5)])
SEQUENCES = Sequences.from_events(LOG, Vocabulary.of(LOG.frame["item_id"]))


def test_batches_are_right_padded_with_the_newest_kept():
    batch = encode(SEQUENCES.of_users(np.array([1, 2, 0]), np.array([50.0, 60.0, 70.0])), max_len=2)
    assert batch.item_BL.tolist() == [[2, 3], [3, 0], [0, 0]]
    assert batch.length_B.tolist() == [2, 1, 0]
    assert batch.time_BL[0].tolist() == [20, 40]
    assert torch.isnan(batch.time_BL[1, 1])


def test_each_position_is_asked_at_the_time_of_the_next_event_and_the_last_at_the_request():
    batch = encode(SEQUENCES.of_users(np.array([1, 2]), np.array([50.0, 60.0])))
    assert batch.request_time_BL[0].tolist() == [20, 40, 50]
    assert batch.request_time_BL[1, 0].item() == 60


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 64))
def test_buckets_hold_everybody_once_within_the_budget(lengths, budget):
    array = np.array(lengths, dtype=np.int64)
    batches = bucket(array, budget)
    assert sorted(np.concatenate([[], *batches]).tolist()) == list(range(len(lengths)))
    for rows in batches:
        padded = len(rows) * max(1, array[rows].max())
        assert padded <= budget or len(rows) == 1
