import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.logs import chain_log
from tests.recommend.rerank.models import Stub, gpt, serving

import horae
from horae.errors import DataError, RecipeError
from horae.recipe import Recipe
from horae.recommend.rank import Targets
from horae.recommend.rerank import reranker as room
from horae.recommend.rerank.reranker import Purse, titles_of
from horae.recommend.strategy.settings import RecommendSettings
from horae.sequences.vocabulary import Vocabulary
from horae.training.check import check
from horae.training.progress import Quiet
from horae.training.train import Options

CATALOG = pl.DataFrame({"item_id": [f"i{n:03}" for n in range(15)], "title": [f"thing {n}" for n in range(15)]})


@pytest.fixture(scope="module")
def split():
    return horae.split_by_time(chain_log(users=60, items=15, length=12))


@pytest.fixture(scope="module")
def plain(split):
    return horae.train(split, "markov", catalog=CATALOG, options=Options(progress=Quiet()))


@pytest.fixture
def stub():
    room._judge_of.cache_clear()
    return Stub()


@pytest.fixture
def url(stub):
    with serving(stub) as where:
        yield where


@pytest.fixture
def asking(plain, url, tmp_path):
    def made(recommender=plain, **keys):
        given = {"rerank": "endpoint", "rerank_model": "small", "rerank_url": url, "rerank_depth": 6}
        given |= {"rerank_cache": str(tmp_path / "cache"), "rerank_timeout": 5.0, "rerank_retries": 0, **keys}
        recipe = replace(recommender.recipe, recommend={**recommender.recipe.recommend, **given})
        return replace(recommender, recipe=check(Recipe(recipe.name, model=recipe.model, recommend=recipe.recommend)))

    return made


def items(recommendations):
    return recommendations.frame["item_id"].to_list()


HISTORIES = [["i003", "i004"]]


def test_the_top_is_put_in_the_models_order_and_nothing_else_changes(plain, asking, stub):
    before, after = (one.recommend(histories=HISTORIES, k=10) for one in (plain, asking()))
    assert items(after) == items(before)[:6][::-1] + items(before)[6:]  # the stub turns the order round
    assert after.frame["rank"].to_list() == list(range(1, 11))
    scores = dict(zip(items(before), before.frame["score"], strict=True))
    assert after.frame["score"].to_list() == [scores[item] for item in items(after)]
    assert (
        "small at 127.0.0.1" in after.notes[0] and "1 of 1 lists" in after.notes[0] and "100 tokens" in after.notes[0]
    )
    [prompt] = stub.prompts
    assert "- thing 4\n- thing 3\n" in prompt and "1. thing 5\n" in prompt  # newest first; the chain goes on


def test_a_list_shorter_than_the_depth_takes_its_items_from_below(plain, asking):
    long = items(plain.recommend(histories=HISTORIES, k=6))
    assert items(asking().recommend(histories=HISTORIES, k=2)) == long[::-1][:2]
    assert len(asking().recommend(histories=HISTORIES, k=2, only=["i001"])) == 1  # k where k are allowed


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"status": 500}, "HTTP 500"),
        ({"status": 401}, "HTTP 401"),
        ({"wait": 1.0}, "no answer within 0.2 s"),
        ({"body": b"<html>"}, "not of the chat-completions protocol"),
        ({"reply": lambda many: "I would rather not."}, "names no candidate"),
    ],
)
def test_whatever_fails_leaves_the_list_as_it_was_with_a_note(plain, asking, stub, how, says):
    for name, value in how.items():
        setattr(stub, name, value)
    after = asking(rerank_timeout=0.2).recommend(histories=HISTORIES, k=5)
    assert after.frame.equals(plain.recommend(histories=HISTORIES, k=5).frame)
    assert any("stayed as they were" in note and says in note for note in after.notes)


def test_repeated_and_invented_items_are_left_out_and_counted(plain, asking, stub):
    stub.reply = lambda many: "[2, 2, 99, 5]"
    after = asking().recommend(histories=HISTORIES, k=6)
    before = items(plain.recommend(histories=HISTORIES, k=6))
    assert items(after) == [before[n - 1] for n in (2, 5, 1, 3, 4, 6)]
    assert any("2 numbers of no candidate" in note for note in after.notes)


def test_an_answer_is_kept_on_disk_and_in_memory(asking, stub, tmp_path):
    one = asking()
    first = one.recommend(histories=HISTORIES * 3)  # the same question, three times in one call
    assert len(stub.asked) == 1 and "3 of 3 lists in order: 1 requests, 2 from the cache" in first.notes[0]
    again = asking().recommend(histories=HISTORIES)
    assert len(stub.asked) == 1 and "0 requests, 1 from the cache, 0 tokens" in again.notes[0]
    assert items(again) == items(first)[:10]
    asking(rerank_model="other").recommend(histories=HISTORIES)
    assert len(stub.asked) == 2
    fresh = asking(rerank_cache="none")
    for _ in range(2):
        fresh.recommend(histories=HISTORIES)
    assert len(stub.asked) == 3  # kept in memory though not on disk


def test_a_cache_that_cannot_be_written_costs_no_answer(asking, stub, tmp_path):
    (tmp_path / "file").write_text("")
    after = asking(rerank_cache=str(tmp_path / "file" / "cache")).recommend(histories=HISTORIES)
    assert "1 of 1 lists" in after.notes[0]


def test_spending_ends_at_the_cap_for_all_copies_of_a_run(asking, stub):
    one = asking(rerank_tokens=450)
    histories = [[f"i{n:03}"] for n in range(8)]
    told = one.recommend(histories=histories).notes
    answered = len(stub.asked)
    assert 0 < answered < 8 and any("rerank_tokens are spent" in note for note in told)
    asking(rerank_tokens=450).recommend(histories=[["i009", "i002"]])
    assert len(stub.asked) == answered + 1 or len(stub.asked) == answered
    assert 100 * len(stub.asked) <= 450


def test_after_three_failures_nothing_is_asked_for_a_minute(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(room.time, "monotonic", lambda: now[0])
    purse = Purse(1_000)
    for _ in range(3):
        assert purse.take(10) == ""
        purse.settle(10, 10, failed=True)
    assert "left alone for a minute" in purse.take(10)
    now[0] += 61
    assert purse.take(10) == ""
    purse.settle(10, 4, failed=False)
    assert purse.tokens == 1_000 - 30 - 4


def test_what_has_no_title_keeps_its_place(plain, asking, stub):
    before = items(plain.recommend(histories=HISTORIES, k=6))
    untitled = before[2]
    title = pl.when(pl.col("item_id") == untitled).then(None).otherwise("title").alias("title")
    one = asking(replace(plain, catalog=CATALOG.with_columns(title)))
    after = items(one.recommend(histories=HISTORIES, k=6))
    assert after == [before[n] for n in (5, 4, 2, 3, 1, 0)]
    assert "<script>" not in titles_of(
        Vocabulary(pl.Series(["a"])), pl.DataFrame({"item_id": ["a"], "name": ["<b>x</b>\ny"]})
    )
    assert (
        titles_of(Vocabulary(pl.Series(["a"])), pl.DataFrame({"item_id": ["a"], "name": ["<b>x</b>\ny"]}))[1] == "x y"
    )


def test_nobody_is_asked_about_a_stranger(asking, stub):
    after = asking().recommend(users=["somebody new"])
    assert stub.asked == [] and len(after) == 10 and after.frame["source"][0] == "fallback"


def test_ranks_of_targets_are_those_of_the_list(asking, split, plain):
    one = asking()
    cut = split.events.frame.with_row_index().filter(pl.col("user_id") == "u0003")["index"].to_numpy()[-3:]
    requests = horae.Requests(users=pl.Series(["u0003"] * 3), rows=cut.astype(np.int64))
    targets = Targets(np.tile(np.arange(1, 16), 3), np.arange(4) * 15)
    for answer in one.answer(requests, targets, depth=10):
        for row, listed in enumerate(answer.items_BK.tolist()):
            ranks = answer.target_ranks[answer.target_offsets[row] : answer.target_offsets[row + 1]]
            for place, item in enumerate(listed, start=1):
                assert item == 0 or ranks[item - 1] == place
            shown = sorted(rank for rank in ranks if rank)
            assert shown == list(range(1, len(shown) + 1))
    raw = list(one.answer(requests, depth=5, raw=True))
    assert raw[0].items_BK.tolist() == next(plain.answer(requests, depth=5)).items_BK.tolist()


def test_evaluation_judges_the_order_beside_the_list_as_it_was(asking, split, stub):
    one = asking(rerank_depth=4)
    judged = horae.evaluate(one, split, bootstrap=0)
    document = judged.as_dict()
    assert "without_rerank" in document["opponents"]
    assert document["metrics"]["ndcg@1"]["mean"] < document["opponents"]["without_rerank"]["ndcg@1"]["mean"]
    assert document["metrics"]["recall@5"] == document["opponents"]["without_rerank"]["recall@5"]  # the same items
    assert document["rerank"]["requests"] == len(stub.asked) > 0 and document["rerank"]["tokens"] == 100 * len(
        stub.asked
    )
    assert judged.passed and any("tokens" in note for note in document["notes"])
    json.dumps(document)


def test_a_local_model_orders_lists_and_a_run_that_was_saved_goes_on_doing_so(plain, split, tmp_path):
    pytest.importorskip("transformers", reason="needs the extra text")
    folder = gpt(tmp_path / "tiny-gpt")
    own = [f"recommend.rerank_model={folder}", "recommend.rerank=local", f"recommend.rerank_cache={tmp_path / 'cache'}"]
    where = Options(progress=Quiet())
    one = horae.train(split, "markov", overrides=own, catalog=CATALOG, options=where)
    found = one.recommend(histories=HISTORIES, k=15, seen=True)
    assert sorted(items(found)) == sorted(CATALOG["item_id"]) and "tiny-gpt put 1 of 1 lists" in found.notes[0]
    assert items(found) != items(plain.recommend(histories=HISTORIES, k=15, seen=True))
    again = horae.load(one.save(tmp_path / "run")).recommend(histories=HISTORIES, k=15, seen=True)
    assert items(again) == items(found)


def test_rules_that_give_places_keep_them_and_boosts_do_not_mind(asking, stub):
    one = asking()
    pinned = one.recommend(histories=HISTORIES, k=5, rules=['pin "i009" at 1'])
    assert items(pinned)[0] == "i009" and stub.asked == []
    assert any("give places that another order would undo" in note for note in pinned.notes)
    boosted = one.recommend(histories=HISTORIES, k=6, rules=['boost x1000000 where title == "thing 9"'])
    assert len(stub.asked) == 1 and len(boosted) == 6
    assert "i009" in items(boosted)
    for item, rules in boosted.frame.select("item_id", "rules").iter_rows():
        assert bool(rules) == (item == "i009")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"rerank_model": "x"}, 'rerank_model has no effect with rerank = "none"'),
        ({"rerank": "local"}, "needs rerank_model"),
        ({"rerank": "local", "rerank_model": "x", "rerank_url": "http://x/v1"}, "rerank_url has no effect"),
        ({"rerank": "endpoint", "rerank_model": "x"}, "is no URL"),
        ({"rerank": "local", "rerank_model": "x", "diversity": "mmr"}, "would undo the places that diversity gives"),
        ({"rerank": "local", "rerank_model": "x", "rules": ("pin at 1 where price > 1",)}, "places that rules gives"),
        ({"rerank": "local", "rerank_model": "x", "strategy": "confidence"}, "places that strategy gives"),
        ({"rerank": "local", "rerank_model": "x", "rerank_depth": 1}, "expected 2 to 200"),
    ],
)
def test_keys_without_effect_or_sense_are_refused(keys, says):
    with pytest.raises(RecipeError, match=says):
        RecommendSettings(**keys)


def test_a_run_without_titles_cannot_be_asked(plain, asking, split):
    with pytest.raises(DataError, match="has no catalog"):
        asking(replace(plain, catalog=None)).recommend(histories=HISTORIES)
    with pytest.raises(DataError, match="needs titles, which the catalog does not have"):
        asking(replace(plain, catalog=CATALOG.rename({"title": "words"}))).recommend(histories=HISTORIES)
    with pytest.raises(DataError, match="names 'nothing'"):
        asking(rerank_titles="nothing").recommend(histories=HISTORIES)
    with pytest.raises(DataError, match="has no catalog"):  # before an hour of training
        overrides = ["recommend.rerank=local", "recommend.rerank_model=nowhere"]
        horae.train(split, "markov", overrides=overrides, options=Options(progress=Quiet()))
