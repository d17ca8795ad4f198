"""An evaluation counts users alike, sets cold users apart, compares in pairs, and says when it must not be believed."""

import json
from dataclasses import replace

import polars as pl
import pytest
from tests.evaluation.shop import recommender, split
from tests.logs import chain_log, events_of

from horae.data.split import Split, split_by_time, split_leave_one_out
from horae.errors import DataError
from horae.evaluation.cut import requests_of
from horae.evaluation.protocol import Evaluation, evaluate
from horae.recipe import Recipe
from horae.training.train import train

RANKING = ("recall", "hit_rate", "precision", "f1", "ndcg", "mrr", "map", "coverage")


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    beside = {"popularity": recommender("popularity"), "markov": recommender(), "ease": "too many items for it"}
    return evaluate(recommender(), split(), opponents=beside, bootstrap=200)


def test_the_document_has_the_keys_that_others_read(judged: Evaluation) -> None:
    document = judged.as_dict()
    for key in ("run", "split", "users", "items", "cold", "metrics", "opponents", "against", "slices", "seconds",
                "peak_memory_mb", "leak_audit"):  # fmt: skip
        assert key in document
    assert set(document["split"]) == {"kind", "boundary", "targets", "ties"}
    for name in [f"{metric}@{k}" for metric in RANKING for k in (1, 5, 10, 20)]:
        assert set(document["metrics"][name]) == {"mean", "low", "high"}
    assert {"auc", "novelty@10", "popularity_bias@10", "diversity@10"} <= set(document["metrics"])
    assert set(document["opponents"]["popularity"]) == set(document["metrics"])
    assert document["opponents"]["ease"] is None
    assert document["reasons"] == {"ease": "too many items for it"}
    assert set(document["against"]["popularity"]["ndcg@10"]) == {"difference", "low", "high"}
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_markov_is_ahead_of_popularity_where_order_tells_everything(judged: Evaluation) -> None:
    assert judged.metrics["recall@1"].mean is not None and judged.metrics["recall@1"].mean > 0.7
    assert judged.against["popularity"]["ndcg@10"].above_zero
    own, theirs = judged.metrics["ndcg@10"].mean, (judged.opponents["popularity"] or {})["ndcg@10"].mean
    assert own is not None and theirs is not None
    assert judged.against["popularity"]["ndcg@10"].mean == pytest.approx(own - theirs)


def test_the_same_model_differs_from_itself_by_nothing(judged: Evaluation) -> None:
    difference = judged.against["markov"]["ndcg@10"]
    assert (difference.mean, difference.low, difference.high) == (0.0, 0.0, 0.0)


def test_the_same_seed_gives_the_same_numbers(judged: Evaluation) -> None:
    again = evaluate(recommender(), split(), opponents={}, bootstrap=200)
    assert again.metrics == judged.metrics
    assert again.pointwise == judged.pointwise
    assert again.leak_audit == judged.leak_audit


def test_the_audit_of_an_honest_model_passes(judged: Evaluation) -> None:
    assert judged.passed
    assert judged.as_dict()["leak_audit"]["test_events_trained_on"] == 0


def test_the_text_fits_a_terminal(judged: Evaluation) -> None:
    text = str(judged)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "popularity" in text and "ahead" in text and "too many items" in text and "leak audit passed" in text


def test_users_count_alike_however_many_requests_they_have() -> None:
    cut = requests_of(split())
    judged = evaluate(recommender(), split(), opponents={}, ks=(1,), bootstrap=0)
    shares = []
    for user in range(len(cut.users)):
        rows = cut.row_B[cut.user_B == user]
        listed = recommender().recommend(replace(cut.requests, users=pl.Series([cut.users[user]] * len(rows)),
                                                 rows=rows, k=1)).frame["item_id"].to_list()  # fmt: skip
        came = split().events.frame["item_id"].gather(rows).to_list()
        shares.append(sum(a == b for a, b in zip(listed, came, strict=True)) / len(rows))
    assert judged.metrics["recall@1"].mean == pytest.approx(sum(shares) / len(shares))
    assert judged.metrics["recall@1"].low is None  # no resamples, no interval


def cold_split() -> Split:
    """After the boundary one user is new, and one item is."""
    rows = [(f"u{user:02}", f"i{(user + step) % 6}", 1000 * step + user) for user in range(12) for step in range(10)]
    rows += [("new", "i1", 20_000), ("new", "i2", 20_100), ("u00", "fresh", 20_050), ("u01", "i3", 20_060)]
    return split_by_time(events_of(rows), test="1970-01-01T05:00:00", validation=0.1)


def test_cold_users_stand_apart_and_cold_items_are_misses() -> None:
    data = cold_split()
    run = train(data, Recipe("popularity", model={"opponent": "popularity"}, recommend={"seen": "include"}))
    judged = evaluate(run, data, opponents={}, ks=(6,), bootstrap=50)
    document = judged.as_dict()
    assert (document["users"], document["requests"], document["targets"]) == (3, 3, 3)
    assert document["cold"]["users"]["n"] == 1 and document["cold"]["users"]["requests"] == 1
    assert document["cold"]["users"]["metrics"]["recall@6"]["mean"] == 1.0
    assert (document["cold"]["items"]["n"], document["cold"]["items"]["targets"]) == (1, 1)
    assert document["cold"]["items"]["metrics"]["recall@6"]["mean"] == 0.0
    assert document["cold"]["items"]["metrics_without"]["recall@6"]["mean"] == 1.0
    assert document["metrics"]["recall@6"]["mean"] == pytest.approx(2 / 3)
    assert any("too few for a claim" in note for note in document["notes"])


def test_targets_that_the_recommender_bars_are_counted() -> None:
    data = cold_split()
    run = train(data, Recipe("popularity", model={"opponent": "popularity"}, recommend={"seen": "exclude"}))
    judged = evaluate(run, data, opponents={}, ks=(6,), bootstrap=0)
    assert judged.cold.barred == 1  # u01 came back to i3; the new user's i2 is new to them
    assert any("does not list" in note for note in judged.notes)


def test_a_run_that_was_trained_on_the_test_part_fails() -> None:
    known = replace(recommender(), card={**recommender().card, "refit": True})
    judged = evaluate(known, split(), opponents={}, ks=(5,), bootstrap=0)
    assert not judged.passed
    assert judged.as_dict()["leak_audit"]["test_events_trained_on"] == split().test.frame.height
    assert "FAILED" in str(judged)


def test_leave_one_out_says_what_it_is() -> None:
    data = split_leave_one_out(chain_log(users=30, length=6))
    run = train(data, Recipe("markov", model={"opponent": "markov"}))
    judged = evaluate(run, data, opponents={}, bootstrap=20)
    assert judged.split["targets"] == "last"
    assert judged.requests == judged.users == 30
    assert any("for comparison with papers" in note for note in judged.notes)


def test_opponents_may_be_given_as_a_function() -> None:
    judged = evaluate(
        recommender(), split(), opponents=lambda run, data: {"popularity": recommender("popularity")}, bootstrap=0
    )
    assert list(judged.opponents) == ["popularity"]


def test_without_a_word_all_opponents_are_fitted_and_compared() -> None:
    judged = evaluate(recommender(), split(), ks=(10,), bootstrap=20)
    assert {"popularity", "recent_popularity", "recent_popularity_live", "markov", "item_knn"} <= set(judged.opponents)
    assert set(judged.against) == {name for name, one in judged.opponents.items() if one is not None}


def test_impossible_list_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="ks"):
        evaluate(recommender(), split(), opponents={}, ks=(0,))
