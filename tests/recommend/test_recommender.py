from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

import horae
from horae.errors import DataError, UnknownIdError
from horae.recommend.rank import Targets
from horae.schema import HistoryEvent, Requests


def lists(recommendations):
    return [items for _, items in recommendations.lists()]


def test_the_chain_is_continued_for_somebody_never_seen(recommender):
    answer = recommender.recommend(histories=[["i003", "i004", "i005"], ["i010", "i011"]], k=3)
    assert [items[0] for items in lists(answer)] == ["i006", "i012"]
    assert "user_id" not in answer.frame.columns
    assert answer.frame["rank"].to_list() == [1, 2, 3] * 2
    assert answer.frame["source"].unique().to_list() == ["sasrec"]


def test_always_k_where_k_are_allowed_and_never_what_is_not(recommender):
    history = [["i003", "i004"]]
    frozen = replace(recommender, include_seen=False)
    answer = frozen.recommend(histories=history, k=50)
    assert len(answer) == 13 and not {"i003", "i004"} & set(answer.frame["item_id"])
    only = frozen.recommend(histories=history, k=5, only=["i003", "i007", "i009"], exclude=["i009"])
    assert only.frame["item_id"].to_list() == ["i007"]
    seen = replace(recommender, include_seen=True).recommend(histories=history, k=50)
    assert len(seen) == 15


def test_users_keep_their_ids_and_their_order(recommender):
    answer = recommender.recommend(users=["u0003", "stranger", "u0001"], k=2)
    assert answer.frame["user_id"].to_list() == ["u0003"] * 2 + ["stranger"] * 2 + ["u0001"] * 2
    assert answer.frame["source"].to_list() == ["sasrec"] * 2 + ["fallback"] * 2 + ["sasrec"] * 2
    assert any("never seen" in note for note in answer.notes)


def test_a_time_before_a_users_first_event_is_said(recommender):
    answer = recommender.recommend(users=["u0003", "stranger"], k=2, at=datetime(2001, 1, 1, tzinfo=UTC))
    assert answer.frame["source"].to_list() == ["fallback"] * 4
    assert any("1 user has no known event before that (e.g. 'u0003')" in note for note in answer.notes)
    assert not any("no known event" in note for note in recommender.recommend(users=["u0003"], k=2).notes)


def test_unknown_items_of_a_history_are_said_and_an_unknown_history_is_answered(recommender):
    answer = recommender.recommend(histories=[["nobody", "knows"], ["i001"]], k=4)
    assert answer.frame["source"].to_list() == ["fallback"] * 4 + ["sasrec"] * 4
    assert any("unknown" in note for note in answer.notes)


def test_at_hides_everything_at_or_after_it(recommender):
    frame = recommender.events.frame.filter(pl.col("user_id") == "u0005")
    time = frame["timestamp"][6]
    then = recommender.recommend(users=["u0005"], k=5, at=time)
    by_hand = recommender.recommend(histories=[frame["item_id"][:6].to_list()], k=5)
    assert lists(then) == lists(by_hand)
    naive = recommender.recommend(users=["u0005"], k=5, at=time.replace(tzinfo=None))
    assert lists(naive) == lists(then)


def test_lists_and_ranks_are_the_same_answer(recommender):
    rows = np.arange(5, 600, 12)
    users = recommender.events.frame["user_id"].gather(rows)
    requests = Requests(users=users, rows=rows, k=7)
    listed = lists(recommender.recommend(requests))
    wanted = recommender.items.indices(recommender.events.frame["item_id"].gather(rows))
    targets = Targets(wanted, np.arange(len(rows) + 1))
    for answer in recommender.answer(requests, targets, depth=7):
        for number, row in enumerate(answer.rows):
            item = recommender.items.ids(wanted[row : row + 1])[0]
            rank = answer.target_ranks[number]
            assert (item in listed[row]) == (0 < rank <= 7)
            if 0 < rank <= 7:
                assert listed[row].index(item) == rank - 1


def test_appended_events_are_in_the_very_next_answer(recommender):
    frame = recommender.events.frame
    fresh = recommender.with_events(recommender.events)
    assert fresh.recommend(users=["newcomer"], k=1).frame["source"].to_list() == ["fallback"]
    fresh.append("newcomer", "i002", "view", datetime(2030, 1, 1, tzinfo=UTC))
    fresh.append("newcomer", "i003", "view", datetime(2030, 1, 2, tzinfo=UTC))
    assert lists(fresh.recommend(users=["newcomer"], k=1)) == [["i004"]]
    assert lists(fresh.recommend(users=["newcomer"], k=1, at=datetime(2030, 1, 2, tzinfo=UTC))) == [["i003"]]
    assert frame.equals(fresh.events.frame)


def test_score_gives_chosen_pairs_with_probabilities(recommender):
    requests = Requests(histories=[[HistoryEvent("i003")], [HistoryEvent("i008"), HistoryEvent("i009")]])
    frame = recommender.score(requests, [["i004", "i011"], ["i010"]])
    assert frame["item_id"].to_list() == ["i004", "i011", "i010"]
    assert frame["request_id"].to_list() == ["0", "0", "1"]
    assert frame["probability"].is_between(0, 1).all() and frame["probability"][0] > frame["probability"][1]
    with pytest.raises(UnknownIdError, match="zzz"):
        recommender.score(requests, [["zzz"], []])
    with pytest.raises(DataError, match="one list"):
        recommender.score(requests, [["i004"]])


def test_similar_items_leave_out_the_item_itself(recommender):
    answer = recommender.similar(["i004"], k=3)
    assert len(answer) == 3 and "i004" not in answer.frame["item_id"].to_list()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "either users or histories"),
        ({"users": ["u1"], "histories": [["i1"]]}, "either users or histories"),
        ({"users": "u0001"}, "Expected a list"),
        ({"histories": ["i001"]}, "Expected a list"),
        ({"users": ["u0001"], "k": 0}, "at least 1"),
        ({"users": ["u0001"], "only": ["i001"], "exclude": ["i001"]}, "leave no item"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(recommender, asked, words):
    with pytest.raises(DataError, match=words):
        recommender.recommend(**asked)


def test_only_unknown_items_is_an_unknown_id(recommender):
    with pytest.raises(UnknownIdError, match="None of the 2"):
        recommender.recommend(users=["u0001"], only=["x", "y"])


def test_small_blocks_and_large_ones_give_the_same_lists(recommender, monkeypatch):
    users = recommender.sequences.users.all
    whole = recommender.recommend(users=users, k=5).frame
    monkeypatch.setattr("horae.recommend.answering.SCORES_IN_MEMORY", 40)
    monkeypatch.setattr("horae.recommend.answering.BATCH_TOKENS", 7)
    pieces = recommender.recommend(users=users, k=5).frame
    assert whole.drop("score").equals(pieces.drop("score"))
    assert np.allclose(whole["score"], pieces["score"], atol=1e-4)


def test_nobody_asking_gets_an_empty_list(recommender):
    for asked in ({"users": []}, {"histories": []}, {"requests": Requests(histories=[])}):
        answer = recommender.recommend(**asked)
        assert len(answer) == 0 and {"item_id", "score", "rank", "request_id", "source"} <= set(answer.frame.columns)
    assert len(recommender.similar([])) == 0


def test_one_text_is_no_list_of_items(recommender):
    for constraint in ({"only": "i001"}, {"exclude": "i001"}):
        with pytest.raises(DataError, match="list of items"):
            recommender.recommend(users=["u0001"], **constraint)


def test_numbers_of_numpy_stay_numbers(recommender):
    answer = recommender.recommend(users=np.array([1, 2]), k=1)
    assert answer.frame["user_id"].dtype == pl.Int64


def test_over_another_log_the_old_split_is_gone_and_it_can_be_saved(recommender, tmp_path):
    part = recommender.events.filter(recommender.events.frame["user_id"] < "u0010")
    other = recommender.with_events(part)
    assert other.split is None and recommender.split is not None
    again = horae.load(other.save(tmp_path / "run"))
    assert len(again.events) == len(part)
    with pytest.raises(DataError, match="no items"):
        recommender.with_events(replace(part, frame=part.frame.drop("item_id")))


def test_similar_items_never_stand_all_by_all_in_memory(recommender, monkeypatch):
    items = recommender.items.all
    whole = recommender.similar(items, k=3).frame
    monkeypatch.setattr("horae.recommend.answering.SCORES_IN_MEMORY", 40)
    largest = []
    from horae.recommend import recommender as module

    inner = module.top
    monkeypatch.setattr(module, "top", lambda scores, k: largest.append(scores.numel()) or inner(scores, k))
    pieces = recommender.similar(items, k=3).frame
    assert max(largest) <= 40
    assert whole.drop("score").equals(pieces.drop("score"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "either users or histories"),
        ({"histories": [[]], "k": 0}, "at least 1"),
        ({"histories": [[], []], "at": [datetime(2024, 1, 1, tzinfo=UTC)]}, "each of 2 requests, got 1"),
    ],
)
def test_requests_that_cannot_be_asked_are_refused_in_words(given, words):
    with pytest.raises(DataError, match=words):
        Requests(**given)


def test_the_caller_may_have_seen_items_in_or_out(recommender):
    for seen in (True, False):
        items = recommender.recommend(histories=[["i003", "i004"]], k=50, seen=seen).frame["item_id"].to_list()
        assert ("i003" in items) is seen
