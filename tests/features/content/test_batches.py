import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from horae.features.content.batches import by_length, distinct


@given(st.lists(st.integers(0, 90), max_size=60), st.integers(1, 200))
def test_every_row_comes_once_and_no_batch_is_over_its_budget(lengths, tokens):
    batches = list(by_length(lengths, tokens))
    rows = np.concatenate([*batches, np.zeros(0, np.int64)])
    assert sorted(rows) == list(range(len(lengths)))
    assert [lengths[row] for row in rows] == sorted(lengths)
    assert all(len(rows) * max(lengths[row] for row in rows) <= tokens or len(rows) == 1 for rows in batches)


def test_the_same_content_stands_once():
    contents, row_N = distinct(["b", "a", "b"])
    assert contents == ["b", "a"] and row_N.tolist() == [0, 1, 0]
