from dataclasses import replace

import numpy as np
import pytest
from tests.logs import chain_log, events_of

import horae
from horae.errors import DataError
from horae.recipe import Recipe
from horae.training import choose
from horae.training.choose import asked, choose_recipe, facts_of, settled
from horae.training.train import check

DAY = 86_400


def walk(users: int, length: int, items: int, step: float, *, repeats: bool = False, seed: int = 0, timed: bool = True):
    """Every user draws `length` items, `step` seconds apart; with `repeats` from five of their own."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        pool = rng.integers(items, size=5) if repeats else rng.permutation(items)[:length]
        start = 1_600_000_000 - 1_600_000_000 % DAY + int(rng.integers(100)) * DAY + (0 if step % DAY == 0 else user)
        for place in range(length):
            item = int(pool[rng.integers(5)] if repeats else pool[place])
            rows.append((f"u{user}", f"i{item}", start + step * place if timed else None))
    return events_of(rows)


def chosen(events, **settings):
    choice = choose_recipe(events)
    check(choice.recipe)
    for table, keys in settings.items():
        written = getattr(choice.recipe, table)
        assert {key: written.get(key) for key in keys} == keys
    return choice


def test_long_histories_with_real_times_get_the_network_that_reads_them():
    choice = chosen(walk(60, 30, 100, 3_605.0), model={"max_len": 32})
    assert choice.recipe.name == choose.TIMED and "finer than a day" in choice.reasons[0]
    assert choice.facts.resolution == "second" and choice.facts.median_length == 30


@pytest.mark.parametrize(("length", "max_len"), [(15, 20), (130, 50)])
def test_repeats_get_the_newest_events_however_long_the_history(length, max_len):
    choice = chosen(walk(100, length, 60, 7_201.0, repeats=True), model={"max_len": max_len})
    assert choice.recipe.name == choose.REPEATED_IN_TIME and "habits have hours" in choice.reasons[0]
    by_day = chosen(walk(100, length, 60, 86_400.0, repeats=True), model={"max_len": max_len})
    assert by_day.recipe.name == choose.REPEATED and "repeat" in by_day.reasons[0]


def test_short_histories_by_the_day_get_small_batches_and_quick_steps():
    choice = chosen(walk(200, 7, 100, DAY * 3), model={"max_len": 20}, train=choose.SHORT_TRAIN)
    assert choice.recipe.name == choose.SHORT and "short" in choice.reasons[0] and choice.facts.resolution == "day"


@pytest.mark.parametrize("timed", [True, False])
def test_short_users_that_come_once_are_sessions(timed):
    choice = chosen(walk(400, 4, 60, 61.0, timed=timed))
    assert choice.recipe.name == choose.SESSIONS and "sessions" in choice.reasons[0]
    assert choice.recipe.train["batch_tokens"] == choose.SESSION_BATCH_TOKENS


def test_short_users_that_come_back_are_people():
    assert choose_recipe(walk(400, 4, 60, DAY * 9)).recipe.name == choose.SHORT


def test_an_order_without_times_is_enough_for_long_histories():
    choice = chosen(walk(60, 70, 100, 61.0, timed=False), model={"max_len": 100})
    assert choice.recipe.name == choose.USUAL and "only their order" in choice.reasons[0]
    assert choice.facts.median_gap_seconds is None and choice.facts.new_item_share is None


def test_a_few_events_are_counted():
    choice = chosen(walk(30, 8, 20, DAY))
    assert choice.recipe.name == choose.COUNTED and choice.recipe.train == {}


def test_histories_beyond_the_longest_length_are_learned_in_windows():
    choice = chosen(walk(8, 300, 400, 3_601.0, timed=False), model={"max_len": 200}, train={"windows": "all"})
    assert "window by window" in choice.reasons[1]


def test_where_times_are_told_the_newest_events_are_enough():
    choice = chosen(walk(8, 300, 400, 3_601.0), model={"max_len": 50}, train={"windows": "all"})
    assert choice.recipe.name == choose.TIMED and "newest 50 events" in choice.reasons[1]


def test_some_repeats_among_new_items_leave_it_to_the_times():
    """Two walks of each user, one over own items and one over new ones: a third to a half of the events repeat."""
    old, new = (walk(60, 30, 400, 3_605.0, repeats=repeats).frame.rows() for repeats in (True, False))
    rows = [(row[0], row[1], row[3].timestamp() + later) for part, later in ((old, 0), (new, 1)) for row in part]
    choice = choose_recipe(events_of(rows))
    assert 0.3 < choice.facts.repeat_share < choose.REPEATS and choice.recipe.name == choose.TIMED


def test_a_large_catalog_draws_its_negatives(monkeypatch):
    monkeypatch.setattr(choose, "LARGE_CATALOG", 50)
    choice = chosen(walk(200, 7, 100, DAY), train={"loss": "sampled_softmax", "num_negatives": 1024})
    assert any("drawn items" in reason for reason in choice.reasons)


def test_where_items_are_new_every_week_it_asks_what_everybody_turns_to_now():
    old = walk(100, 12, 50, DAY).frame.rows()
    rows = [(row[0], row[1], row[3].timestamp()) for row in old]
    last = max(row[2] for row in rows)
    late = [(f"u{n}", f"new{n}", last + DAY + n) for n in range(100)]
    choice = choose_recipe(events_of(rows + late))
    assert choice.facts.new_item_share > 0.5 and choice.recipe.name == "news"
    assert "items that had none before" in choice.reasons[0]


def test_the_test_part_has_no_say():
    split = horae.split_by_time(walk(100, 12, 50, DAY))
    test = (split.part == "test").to_numpy()
    items = split.events.frame["item_id"].to_numpy().copy()
    items[test] = [f"other{n}" for n in range(test.sum())]
    edited = replace(split, events=horae.Events(split.events.frame.with_columns(item_id=items)))
    assert choose_recipe(edited) == choose_recipe(split)
    assert facts_of(split).events == len(split.train)


def test_a_log_without_items_says_what_is_off():
    with pytest.raises(DataError, match="no items"):
        choose_recipe(horae.Events(chain_log(users=5).frame.drop("item_id")))


def test_what_is_set_by_hand_stands_over_the_choice():
    recipe, choice = settled(asked("auto", ["model.max_len=7", "train.epochs=3"]), walk(200, 7, 100, DAY))
    assert recipe.name == choice.recipe.name == choose.SHORT
    assert recipe.model["max_len"] == 7 and recipe.train["epochs"] == 3 and recipe.train["learning_rate"] == 0.005
    named, nothing = settled(asked("sasrec", ["model.dim=8"]), walk(20, 7, 100, DAY))
    assert named.model["dim"] == 8 and nothing is None
    assert asked(Recipe("mine", model={"encoder": "gru"})).name == "mine"


def test_a_choice_tells_itself():
    choice = choose_recipe(walk(200, 7, 100, DAY))
    assert str(choice).splitlines()[0] == f"Chosen: {choice.recipe.name}"
    assert choice.as_dict()["reasons"] == list(choice.reasons) and choice.as_dict()["facts"]["items"] == 100
