import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.errors import RemoteError
from horae.recommend.rerank.question import Question, scores_of


def order(answer, many):
    scores, strange = scores_of(answer, many)
    return (np.argsort(-scores, kind="stable") + 1).tolist(), strange


@pytest.mark.parametrize(
    ("answer", "places", "strange"),
    [
        ("[3, 1, 2]", [3, 1, 2], 0),
        ("Candidates were [1, 2, 3]. Sorted:\n```json\n[2,\n 3, 1]\n```", [2, 3, 1], 0),  # the last list counts
        ("[3]", [3, 1, 2], 0),  # what is not named stays behind, in order
        ("[3, 3, 9, 0, 2]", [3, 2, 1], 3),  # said twice, invented
        ("[99999999999999999999, 2]", [2, 1, 3], 0),
    ],
)
def test_an_answer_is_read_as_places(answer, places, strange):
    assert order(answer, 3) == (places, strange)


@pytest.mark.parametrize("answer", ["", "no idea", "3 1 2", "[]", "[,]", "[7, 8]", "[-]", '["a"]', "[" * 1000])
def test_nonsense_is_refused(answer):
    with pytest.raises(RemoteError, match="names no candidate"):
        scores_of(answer, 3)


@given(st.text(alphabet="[]0123456789, \nab", max_size=60), st.integers(1, 12))
def test_whatever_is_answered_each_candidate_has_one_place(answer, many):
    try:
        places, _ = order(answer, many)
    except RemoteError:
        return
    assert sorted(places) == list(range(1, many + 1))


def test_questions_are_known_by_their_content_alone():
    one = Question(("a", "b"), ("c", "d"))
    assert one.key() == Question(("a", "b"), ("c", "d")).key()
    others = [Question(("a",), ("b", "c", "d")), Question(("b", "a"), ("c", "d")), Question(("a", "b"), ("d", "c"))]
    assert len({one.key(), *(other.key() for other in others)}) == 4
    assert one.beginning() == "Chosen one after another: b; a; "
    assert "- a\n- b\n" in one.prompt() and "1. c\n2. d\n" in one.prompt()
