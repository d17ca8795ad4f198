"""Only people whom training never saw are asked, each level from their first events; new items are told from old."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from tests.logs import events_of

from horae.data.split import Split, split_by_time, split_leave_one_out
from horae.errors import DataError
from horae.evaluation.cold_people import NewPeople
from horae.evaluation.cold_protocol import ColdStart, evaluate_cold
from horae.evaluation.protocol import evaluate
from horae.recipe import Recipe
from horae.recommend.recommender import Recommender
from horae.training.train import train

DAY = 86_400
BOUNDARY = 20 * DAY


def chained(fresh: bool = True) -> Split:
    """30 old people walk i0 -> i1 -> ... -> i5 -> i0; after 20 days 12 new ones do, and everybody turns to `fresh`."""
    rows = [(f"o{user:02}", f"i{(user + step) % 6}", DAY * step + user) for user in range(30) for step in range(15)]
    for user in range(12):
        rows += [(f"n{user:02}", f"i{(user + step) % 6}", BOUNDARY + DAY * step + user) for step in range(4 + user % 3)]
    if fresh:
        rows += [(f"o{user:02}", "fresh", BOUNDARY + DAY + 600 * user) for user in range(10)]
    return split_by_time(events_of(rows), test=datetime.fromtimestamp(BOUNDARY, UTC).isoformat(), validation=0.1)


def learned(split: Split, name: str = "markov", **more: object) -> Recommender:
    recipe = Recipe(name, model={"opponent": name, **more}, recommend={"seen": "include"})
    return train(split, recipe)


@pytest.fixture(scope="module")
def judged() -> ColdStart:
    split = chained()
    return evaluate_cold(learned(split), split, k=1, bootstrap=100)


def test_one_event_is_enough_where_the_last_one_tells_the_next(judged: ColdStart) -> None:
    levels = {level.events: level for level in judged.levels}
    assert [(n, level.users) for n, level in levels.items()] == [(0, 12), (1, 12), (3, 12), (5, 4)]
    assert levels[1].metrics["recall@1"].mean == levels[5].metrics["recall@1"].mean == 1.0
    assert levels[0].metrics["recall@1"].mean is not None and levels[0].metrics["recall@1"].mean <= 0.25
    assert levels[0].gained == {} and levels[1].gained["recall@1"].above_zero
    assert levels[1].against["popularity"]["ndcg@1"].above_zero


def test_differences_are_paired(judged: ColdStart) -> None:
    for level in judged.levels:
        for name, theirs in level.opponents.items():
            own, other = level.metrics["ndcg@1"].mean, theirs["ndcg@1"].mean
            assert own is not None and other is not None
            assert level.against[name]["ndcg@1"].mean == pytest.approx(own - other)


def test_a_request_sees_the_first_events_of_its_user_and_asks_for_the_next() -> None:
    split = chained()
    frame = split.events.frame
    cut, person_B = NewPeople(split, None, 0).asked(3)
    assert len(cut) == 12 and (person_B == np.arange(12)).all()
    for place, user in enumerate(cut.requests.users.to_list()):  # type: ignore[union-attr]
        line = frame.filter(pl.col("user_id") == user)["item_id"].to_list()
        row = cut.row_B[place]
        before = frame.slice(0, row).filter(pl.col("user_id") == user)["item_id"].to_list()
        assert before == line[:3] and cut.item_T[place] == line[3]


def test_what_came_at_the_same_time_is_one_basket_and_what_is_no_target_is_not_asked_for() -> None:
    rows = [("a", f"i{n}", n) for n in range(8)]
    rows += [("b", "i0", 100), ("b", "i1", 200), ("b", "i2", 300), ("b", "i3", 300), ("b", "i4", 400)]
    targets = [True] * 9 + [False] + [True] * 3
    split = split_by_time(events_of(rows, targets=targets), test="1970-01-01T00:01:00", validation=0.2)
    cut, _ = NewPeople(split, None, 0).asked(1)
    assert cut.item_T.to_list() == ["i2", "i3"] and cut.history_B.tolist() == [1]
    assert NewPeople(split, None, 0).asked(4)[0].item_T.to_list() == ["i4"]
    assert len(NewPeople(split, None, 0).asked(5)[0]) == 0


def test_people_of_training_are_never_asked() -> None:
    split = chained()
    for events in (0, 1, 3, 5):
        users = NewPeople(split, None, 0).asked(events)[0].users
        assert not set(users) & set(split.train.frame["user_id"])


def test_a_sample_of_people_is_the_same_at_each_level() -> None:
    split = chained()
    judged = evaluate_cold(learned(split), split, max_users=5, bootstrap=0)
    assert [level.users for level in judged.levels][:3] == [5, 5, 5]
    assert judged.levels[0].metrics["ndcg@10"].low is None


def test_new_items_are_missed_by_ids_and_found_by_the_newest_popularity(judged: ColdStart) -> None:
    items = judged.items
    assert (items.by, items.items, items.in_table, items.users, items.requests) == ("first event", 1, 0, 10, 10)
    assert items.metrics["recall@1"].mean == 0.0
    assert items.opponents["new_popularity"]["recall@1"].mean == pytest.approx(0.9)  # but for the first of all
    assert items.against["new_popularity"]["recall@1"].below_zero
    assert any("knows ids only" in note for note in judged.notes)


def test_an_item_is_new_for_the_window_only() -> None:
    rows = [("o", f"i{n % 3}", DAY * n) for n in range(20)] + [("p", "i1", DAY * n + 7) for n in range(20)]
    rows += [("o", "fresh", BOUNDARY), ("p", "fresh", BOUNDARY + 8 * DAY), ("q", "fresh", BOUNDARY + 8 * DAY + 60)]
    split = split_by_time(events_of(rows), test=datetime.fromtimestamp(BOUNDARY, UTC).isoformat(), validation=0.1)
    run = learned(split)
    wide, narrow = (
        evaluate_cold(run, split, k=1, window_days=days, bootstrap=0).items.opponents["new_popularity"]["recall@1"]
        for days in (9, 7)
    )
    assert wide.mean == pytest.approx(2 / 3) and narrow.mean == 0.0


@pytest.mark.parametrize(
    "dated", [str, lambda text: datetime.fromisoformat(text), lambda t: datetime.fromisoformat(t).date()]
)
def test_the_catalogs_launch_time_decides_where_it_is_known(dated) -> None:
    split = chained()
    dates = {"i1": "1970-03-01", "fresh": "1969-01-01", "i2": None}
    catalog = pl.DataFrame(
        {"item_id": list(dates), "launch_time": [d if d is None else dated(d) for d in dates.values()]}
    )
    items = evaluate_cold(replace(learned(split), catalog=catalog), split, bootstrap=0).items
    assert (items.by, items.items, items.in_table) == ("launch_time", 1, 1)  # i1, which a model of ids can list
    assert items.metrics["recall@10"].mean == 1.0


@pytest.mark.parametrize("cells", [["soon", "1970-01-01"], [1, 2]])
def test_a_launch_time_that_is_none_is_refused(cells) -> None:
    split = chained()
    catalog = pl.DataFrame({"item_id": ["i1", "i2"], "launch_time": cells})
    with pytest.raises(DataError, match="launch_time"):
        evaluate_cold(replace(learned(split), catalog=catalog), split, bootstrap=0)


def test_a_log_without_new_items_says_so() -> None:
    split = chained(fresh=False)
    judged = evaluate_cold(learned(split), split, bootstrap=0)
    assert judged.items.items == 0 and judged.items.metrics == {}
    assert any("No item" in note for note in judged.notes)


def test_a_log_without_new_people_has_no_rows() -> None:
    rows = [(f"u{user}", f"i{(user + step) % 5}", DAY * step + user) for user in range(9) for step in range(10)]
    split = split_by_time(events_of(rows), test=0.2, validation=0.1)
    judged = evaluate_cold(learned(split), split, bootstrap=10)
    assert judged.levels == () and "0 people are new" in str(judged)


def test_the_future_never_moves_the_newest_popularity() -> None:
    """A second launch, after the last request for the first, changes nothing of what was found."""
    split = chained()
    later = events_of([("z", "later", BOUNDARY + 40 * DAY), ("y", "later", BOUNDARY + 41 * DAY)]).frame
    events = replace(split.events, frame=pl.concat([split.events.frame, later]))
    longer = replace(
        split, events=events, part=pl.concat([split.part, pl.Series(["test"] * 2, dtype=split.part.dtype)])
    )
    run = learned(split)
    mask = {"k": 1, "bootstrap": 0}
    first, second = (evaluate_cold(run, one, **mask).items for one in (split, longer))
    found = (first.opponents["new_popularity"]["recall@1"].mean or 0) * first.users
    again = (second.opponents["new_popularity"]["recall@1"].mean or 0) * second.users
    assert again == pytest.approx(found + 1)  # y's own request alone


def test_other_splits_and_impossible_questions_are_refused() -> None:
    split = chained()
    with pytest.raises(DataError, match="Nobody is new in a leave-one-out split"):
        evaluate_cold(learned(split), split_leave_one_out(split.events))
    for wrong in ({"k": 0}, {"known": ()}, {"known": (-1, 2)}, {"known": (3, 1)}):
        with pytest.raises(DataError, match="rising numbers"):
            evaluate_cold(learned(split), split, **wrong)


def test_the_document_is_plain_and_the_text_fits_a_terminal(judged: ColdStart) -> None:
    document = judged.as_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    text = str(judged)
    assert max(map(len, text.splitlines())) <= 80
    assert "after 1 event (" in text and "new_popularity" in text and "gained since 0" in text
    split = chained()
    whole = replace(evaluate(learned(split), split, opponents={}, bootstrap=0), cold_protocol=document)
    assert "after 1 event (" in str(whole)
