"""Lead times by hand: which target falls where, with which gain."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from tests.logs import events_of

from horae.evaluation.backtest.folds import folds_of
from horae.evaluation.backtest.lead import Steps, gaps_of, once_of, once_rows, step_rows, values_at
from horae.evaluation.backtest.pooling import Crowd
from horae.evaluation.backtest.settings import BacktestSettings
from horae.evaluation.cut import requests_within
from horae.evaluation.metrics import Ranks
from horae.recipe import Recipe
from horae.recommend.recommender import Recommender
from horae.training.train import train

DAY, HOUR = 86_400, 3_600
LOG2 = np.log2


def fitted() -> tuple:
    """Popularity over a past where i0 is first, i1 second, i2 third; then a and b come back."""
    past = [("a", "i0", 0), ("b", "i0", 1), ("c", "i0", 2), ("a", "i1", 3), ("b", "i1", 4), ("c", "i2", 5 * DAY)]
    past += [("a", "i0", 35 * DAY)]  # validation
    start = 40 * DAY
    came = [("a", "i1", start + HOUR), ("a", "i2", start + 3 * DAY), ("b", "i2", start + 2 * DAY),
            ("b", "i0", start + 5 * DAY), ("a", "i1", start + 6 * DAY), ("c", "i1", start + 10 * DAY)]  # fmt: skip
    (fold,) = folds_of(events_of([*past, *came]), BacktestSettings(1, "10d"))
    assert fold.boundary == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=40)
    recipe = Recipe("popularity", model={"opponent": "popularity"}, recommend={"seen": "include"})
    model = train(fold.past, recipe).with_events(fold.split.events)
    return fold, model


def asked(fold, model: Recommender, crowd: Crowd):
    cut = requests_within(fold.split, fold.boundary, timedelta(days=30))
    return once_of(fold, cut.subset(np.flatnonzero(~cut.cold_B)), {"": model, "other": model})


def test_one_list_is_judged_by_all_that_comes_within_each_horizon() -> None:
    fold, model = fitted()
    crowd = Crowd(fold.split, [fold.cut], 100, 0)
    rows = {row.name: row for row in once_rows(crowd, [asked(fold, model, crowd)], ("ndcg@10", "recall@1"))}
    # the list is i0, i1, i2; next events: a -> i1 at place 2, b -> i2 at place 3, c -> i1 at place 2
    assert rows["next event"].metrics["ndcg@10"].mean == pytest.approx((1 / LOG2(3) + 1 / LOG2(4) + 1 / LOG2(3)) / 3)
    # within a day only a came, to i1
    assert (rows["within 1 day"].users, rows["within 1 day"].requests) == (1, 1)
    assert rows["within 1 day"].metrics["ndcg@10"].mean == pytest.approx(1 / LOG2(3))
    # within a week: a wants {i1, i2}, b wants {i2, i0}
    ideal = 1 + 1 / LOG2(3)
    week = ((1 / LOG2(3) + 1 / LOG2(4)) / ideal + (1 + 1 / LOG2(4)) / ideal) / 2
    assert rows["within 7 days"].metrics["ndcg@10"].mean == pytest.approx(week)
    assert rows["within 7 days"].metrics["recall@1"].mean == pytest.approx((0 + 1 / 2) / 2)
    assert rows["within 7 days"].against["other"]["ndcg@10"].mean == 0
    # the log goes on for ten days only
    assert rows["within 30 days"].reason.startswith("the log ends 10 days after")
    assert rows["within 30 days"].as_dict()["metrics"] == {}


def test_steps_fall_into_bands_of_their_lead_time() -> None:
    fold, _ = fitted()
    crowd = Crowd(fold.split, [fold.cut], 0, 0)
    users = fold.cut.users.gather(fold.cut.user_B).to_list()
    value_BM = np.array([[{"a": 1.0, "b": 0.5, "c": 0.0}[user]] for user in users])
    lead_B = np.array([0.04, 3, 6, 2, 5, 10])  # a, a, a, b, b, c
    steps = Steps(0, fold.cut, lead_B, value_BM, {"other": value_BM - 0.25})
    rows = {row.name: row for row in step_rows(crowd, [steps], ["ndcg@10"])}
    assert {name: (row.users, row.requests) for name, row in rows.items()} == {
        "day 1": (1, 1), "days 2 to 7": (2, 4), "days 8 to 30": (1, 1),
    }  # fmt: skip
    assert rows["days 2 to 7"].metrics["ndcg@10"].mean == pytest.approx(0.75)  # users alike: (1 + 0.5) / 2
    assert rows["days 2 to 7"].against["other"]["ndcg@10"].mean == pytest.approx(0.25)


def test_a_user_asked_by_two_models_counts_for_each() -> None:
    fold, _ = fitted()
    crowd = Crowd(fold.split, [fold.cut], 0, 0)
    lead_B = np.full(6, 0.5)
    steps = [Steps(model, fold.cut, lead_B, np.full((6, 1), float(model)), {}) for model in (0, 1)]
    (row,) = step_rows(crowd, steps, ["ndcg@10"])
    assert (row.models, row.users, row.requests, row.metrics["ndcg@10"].mean) == (2, 3, 12, 0.5)


def test_gaps_are_counted_from_the_last_known_event() -> None:
    fold, _ = fitted()
    gaps = dict(
        zip(zip(fold.cut.users.gather(fold.cut.user_B), fold.cut.row_B, strict=True), gaps_of(fold), strict=True)
    )
    days = {user: [gap for (who, _), gap in gaps.items() if who == user] for user in "abc"}
    assert days["a"] == pytest.approx([5 + 1 / 24, 3 - 1 / 24, 3])
    assert days["b"] == pytest.approx([42 - 4 / DAY, 3])
    assert days["c"] == pytest.approx([45])


@pytest.mark.parametrize(
    ("ranks", "recall", "ndcg"),
    [
        ([1, 2, 3], 1.0, 1.0),  # three wanted, three first: the ideal list
        ([2, 0, 5], 2 / 3, (1 / LOG2(3) + 1 / LOG2(6)) / (1 + 1 / LOG2(3) + 1 / LOG2(4))),  # one is not in the table
        ([11, 12, 0], 0.0, 0.0),
        (list(range(1, 13)), 10 / 12, 1.0),  # more wanted than the list is long: a perfect list is perfect
    ],
)
def test_several_relevant_items_by_hand(ranks, recall, ndcg) -> None:
    found = values_at(Ranks(np.array(ranks), np.array([0, len(ranks)]), np.array([50])), ["recall@10", "ndcg@10"])
    assert found[0].tolist() == pytest.approx([recall, ndcg])
