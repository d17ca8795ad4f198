"""Places for new items: how many, who gets them, who gives way, and that evaluation sees the same lists."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from tests.logs import events_of
from tests.recommend.test_adding import CATALOG, HASHED, LOG, NEW, QUIET, SMALL

import horae
from horae.errors import RecipeError
from horae.features.content.of_items import ItemContent, Reduction
from horae.features.content.settings import ContentSettings
from horae.models.opponents.recent_popularity import everybody_lately
from horae.recommend.rank import MINUS_INFINITY, Targets
from horae.recommend.strategy.slot import Slot
from horae.schema import Requests
from horae.sequences.history import Flat, Histories, Sequences
from horae.sequences.vocabulary import Vocabulary

DAY = 86_400

UNIT = {1: (1, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 3), 6: (0, 0)}
"""Content of six items; the last three are new, and nothing is known of item 6."""


def content():
    vector_IC = np.array([(0, 0), *UNIT.values()], dtype=np.float32)
    reduction = Reduction(np.zeros(2, np.float32), np.eye(2, dtype=np.float32))
    return ItemContent({"text": vector_IC}, {"text": vector_IC.any(1)}, {"text": reduction}, ContentSettings("hashed"))


def slot(share=0.1, half_life=1.0, **more):
    return Slot(share, content(), np.array([0, 0, 0, 0, 1, 1, 1], dtype=bool), half_life, **more)


def of(*lines):
    item_N = np.array([item for line in lines for item in line], dtype=np.int32)
    n = len(item_N)
    flat = Flat(
        item_N, np.ones(n, np.uint8), np.zeros(n), np.zeros(n, np.float32), np.ones(n, bool), np.empty((n, 0), "f4")
    )
    end = np.cumsum([len(line) for line in lines])
    return Histories(flat, end - [len(line) for line in lines], end, np.full(len(lines), np.nan))


def filled(one, scores, line, k, listed=None):
    scores_BI = np.array([[MINUS_INFINITY, *scores]], dtype=np.float32)
    order = listed or [i for i in np.argsort(-scores_BI[0], kind="stable") if scores_BI[0, i] > MINUS_INFINITY]
    items_BK = np.array([order], dtype=np.int64)
    why = [[[] for _ in order]]
    by = one.fill(items_BK, scores_BI, of(line), k, why)
    return items_BK[0].tolist(), np.flatnonzero(by[0]).tolist()


def test_the_match_is_the_weighted_mean_cosine_of_the_newest_events():
    match_BN = slot().match(of([1, 3], [2], [6], []))
    # weights 1 (newest) and 1/2; cos(3, 4) = cos(3, 5) = 1/sqrt(2)
    assert match_BN[0] == pytest.approx([(0.5 + 0.5**0.5) / 1.5, 0.5**0.5 / 1.5])
    assert match_BN[1] == pytest.approx([0, 1])
    assert np.isnan(match_BN[2:]).all()  # nothing is known


@pytest.mark.parametrize(
    ("share", "k", "places"),
    [(0.1, 10, 1), (0.1, 2, 1), (0.1, 1, 0), (0.2, 10, 2), (0.5, 3, 2), (0.5, 2, 1), (1, 10, 9), (0, 9, 0)],
)
def test_a_share_of_a_list(share, k, places):
    assert slot(share).places(k) == places


def test_the_best_by_content_comes_last_and_whoever_stood_there_comes_next():
    assert filled(slot(), [6, 5, 4, 3, 2, 1], [1], 3) == ([1, 2, 4, 3, 5, 6], [2])
    assert filled(slot(), [6, 5, 4, 3, 2, 1], [2], 3) == ([1, 2, 5, 3, 4, 6], [2])


def test_two_places_are_in_the_order_of_their_scores():
    assert filled(slot(0.5), [6, 5, 4, 2, 3, 1], [1], 3) == ([1, 5, 4, 2, 3, 6], [1, 2])


def test_an_item_that_is_there_by_its_own_score_takes_a_place_where_it_stands():
    assert filled(slot(), [6, 1, 2, 5, 4, 3], [1], 3) == ([1, 4, 5, 6, 3, 2], [])


def test_what_may_not_be_shown_or_is_unknown_is_never_put_in():
    hidden = MINUS_INFINITY
    assert filled(slot(), [6, 5, 4, hidden, 3, 2], [1], 2) == ([1, 5, 2, 3, 6], [1])
    assert filled(slot(), [6, 5, 4, hidden, hidden, 1], [1], 3) == ([1, 2, 3, 6], [])
    assert filled(slot(), [6, 5, 4, 3, 2, 1], [6], 3)[1] == []


def test_the_models_own_score_may_have_a_say():
    scores = [9, 8, 7, 1, 2, 0]
    assert filled(slot(), scores, [3, 1], 3)[0][2] == 4
    assert filled(slot(model_weight=5.0), scores, [3, 1], 3)[0][2] == 5


def test_whom_a_rule_put_there_gives_way_last():
    items_BK, scores = np.array([[1, 2, 3, 4, 5, 6]]), np.array([[MINUS_INFINITY, 6, 5, 4, 3, 2, 1]], dtype=np.float32)
    why = [[[], [], ["pin"], [], [], []]]
    slot().fill(items_BK, scores, of([1]), 3, why)
    assert items_BK[0].tolist() == [1, 3, 4, 2, 5, 6] and why[0] == [[], ["pin"], [], [], [], []]


@pytest.fixture(scope="module")
def run():
    made = horae.train(
        LOG, "sasrec", overrides=[*SMALL, *HASHED, "recommend.new_items=0.2"], catalog=CATALOG, options=QUIET
    )
    made.add_items(NEW)
    return made


def without(run):
    return replace(run, recipe=replace(run.recipe, recommend={**run.recipe.recommend, "new_items": 0.0}))


def test_lists_say_who_is_there_by_content_and_are_full(run):
    asked = {"histories": [["i000"], ["i002", "i003"], []], "k": 5, "seen": True}
    frame = run.recommend(**asked).frame
    plain = without(run).recommend(**asked).frame
    assert frame["rank"].to_list() == [1, 2, 3, 4, 5] * 3
    assert set(plain["source"]) == {"sasrec", "fallback"}
    for request in ("0", "1"):
        mine, theirs = (one.filter(request_id=request) for one in (frame, plain))
        if not set(theirs["item_id"]) & {"n1", "n2"}:
            assert mine["item_id"].to_list()[:4] == theirs["item_id"].to_list()[:4]
            assert mine["source"].to_list() == ["sasrec"] * 4 + ["content"]
        assert set(mine["item_id"]) & {"n1", "n2"}
        assert mine["score"].is_sorted(descending=True)
    assert "content" not in frame.filter(request_id="2")["source"].to_list()  # nothing to compare with


def test_evaluation_sees_the_same_lists_and_ranks(run):
    users = LOG.frame["user_id"].unique().sort()
    requests = Requests(users=users, k=5, seen=True)
    item_T = np.tile(np.arange(1, 15), len(users))
    targets = Targets(item_T, np.arange(0, len(item_T) + 1, 14))
    listed = run.recommend(requests).frame
    ids = {name: index for index, name in enumerate(run.items.all, start=1)}
    lists = {u: [ids[i] for i in own["item_id"]] for (u,), own in listed.group_by("user_id", maintain_order=True)}
    for answer in run.answer(requests, targets, depth=5):
        for place, row in enumerate(answer.rows):
            mine = lists[users[int(row)]]
            assert answer.items_BK[place].tolist() == mine
            rank = answer.target_ranks[answer.target_offsets[place] : answer.target_offsets[place + 1]]
            assert sorted(rank) == list(range(1, 15))
            assert [int(rank[item - 1]) for item in mine] == [1, 2, 3, 4, 5]


def test_exclusions_filters_and_short_lists_hold(run):
    listed = run.recommend(histories=[["i000"]], k=5, seen=True, exclude=["n1"]).frame["item_id"].to_list()
    assert "n1" not in listed and "n2" in listed
    listed = run.recommend(histories=[["i000"]], k=9, seen=True, filter="price < 3").frame["item_id"].to_list()
    assert sorted(listed) == ["i000", "i001", "i002"]
    assert len(run.recommend(histories=[["i000"]], k=1, seen=True).frame) == 1


def test_the_place_is_kept_in_a_saved_run(run, tmp_path):
    run.save(tmp_path / "run")
    asked = {"histories": [["i004"]], "k": 6, "seen": True}
    assert horae.load(tmp_path / "run").recommend(**asked).frame.equals(run.recommend(**asked).frame)


def test_items_with_few_events_may_be_new_without_any_added():
    rare = LOG.filter(pl.Series((LOG.frame["item_id"] != "i011") | (LOG.frame["user_id"] < "u0006")))
    keys = ["recommend.new_items=0.1", "recommend.new_items_events=9"]
    made = horae.train(rare, "sasrec", overrides=[*SMALL, *HASHED, *keys], catalog=CATALOG, options=QUIET)
    assert made.learned.count_I[12] <= 9 < made.learned.count_I[1:12].min()
    assert "i011" in made.recommend(histories=[["i000"]], k=3, seen=True).frame["item_id"].to_list()


NEWEST = datetime(2031, 1, 1, tzinfo=UTC)


def trending():
    """`n1` is like what the person chose; `n2` is what everybody turned to at last, on a day after training."""
    made = horae.train(
        LOG,
        "sasrec",
        overrides=[*SMALL, *HASHED, "recommend.new_items=0.2"],
        catalog=CATALOG,
        options=QUIET,
    )
    made.add_items(NEW)
    return made


def tell(made, item="n2", times=40):
    for n in range(times):
        made.append(f"other{n}", item, timestamp=NEWEST + timedelta(minutes=n))


def placed(made, **asked):
    frame = made.recommend(histories=[["i000"]], k=5, seen=True, **asked).frame
    return frame.filter(pl.col("item_id").is_in(["n1", "n2"]))["item_id"].to_list()


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_place_follows_what_everybody_turned_to_lately(asked_before):
    made = trending()
    if asked_before:
        assert placed(made) == ["n1"]
    tell(made)
    assert placed(made) == ["n2"]
    assert placed(made, at=NEWEST) == ["n1"]  # only what was strictly before


def test_by_content_alone_what_others_do_moves_nothing():
    made = trending()
    made = replace(made, recipe=replace(made.recipe, recommend={**made.recipe.recommend, "new_items_live": 0.0}))
    tell(made)
    assert placed(made) == ["n1"]


def test_counts_and_content_add_in_standard_deviations():
    log = events_of([("z", "e", DAY), ("z", "e", DAY), ("z", "e", 2 * DAY), ("z", "d", 2 * DAY)])
    sequences = Sequences.from_events(log, Vocabulary(pl.Series(list("abcdef"))))
    live = everybody_lately(sequences, 1.0)
    asked = replace(of([1, 3]), request_time_B=np.array([3.0 * DAY]))
    # item e: 2 events two days old, 1 a day old; d: 1 a day old; content of d (4) is nearer than that of e (5)
    by_BN = slot(live=live, live_weight=1.0)._by(asked, np.zeros((1, 2), dtype=np.float32))
    assert by_BN[0] == pytest.approx([0, 0], abs=1e-6)  # of two items, each ahead once
    by_BN = slot(live=live, live_weight=3.0)._by(asked, np.zeros((1, 2), dtype=np.float32))
    assert by_BN[0] == pytest.approx([1 - 3, -1 + 3])
    assert filled(slot(live=live, live_weight=0.5), [6, 5, 4, 3, 2, 1], [1], 3)[0][2] == 4


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["recommend.new_items=0.1"], "needs to know what items say"),
        (["recommend.new_items=1.1"], "expected 0.0 to 1.0"),
        (["recommend.new_items_half_life=3.0"], "no effect"),
        (["recommend.new_items_live=3.0"], "no effect"),
    ],
)
def test_settings_that_cannot_be_are_refused(overrides, words):
    with pytest.raises(RecipeError, match=words):
        horae.train(LOG, "sasrec", overrides=[*SMALL, *overrides], catalog=CATALOG, options=QUIET)
