"""Slices divide the requests, agree with the whole, and name the gap between those with enough users."""

import numpy as np
import polars as pl
import pytest
from tests.evaluation.shop import recommender, split
from tests.logs import events_of

from horae.data.split import split_by_time
from horae.evaluation.cut import Cut, requests_of
from horae.evaluation.intervals import Resamples
from horae.evaluation.judge import Judged, background_of, judge
from horae.evaluation.slices import Slicing, largest_gap, slicings_of
from horae.recipe import Recipe
from horae.training.train import train


def all_of(profiles: pl.DataFrame | None = None) -> tuple[Cut, Judged, dict[str, Slicing]]:
    cut, bound = requests_of(split()), recommender()
    judged = judge(bound, cut, (10,), background_of(bound.items, split()))
    slicings = slicings_of(split(), cut, judged, "ndcg@10", Resamples(len(cut.users), 100), profiles)
    return cut, judged, {slicing.by: slicing for slicing in slicings}


def test_slices_of_requests_add_up_to_the_whole() -> None:
    cut, _, slicings = all_of()
    for by in ("history length", "day after the boundary"):
        assert sum(one.requests for one in slicings[by].slices) == len(cut)


def test_history_lengths_fall_into_their_slice() -> None:
    cut, judged, slicings = all_of()
    mine = (cut.history_B >= 5) & (cut.history_B < 10)
    one = next(one for one in slicings["history length"].slices if one.name == "5 to 9")
    users = np.unique(cut.user_B[mine])
    means = [judged.values["ndcg@10"][mine & (cut.user_B == user)].mean() for user in users]
    assert (one.requests, one.users) == (mine.sum(), len(users))
    assert one.value.mean == pytest.approx(np.mean(means))
    assert one.value.low is not None and one.value.low <= np.mean(means)


def test_profiles_become_slices_and_strangers_are_left_out() -> None:
    users = sorted(split().events.frame["user_id"].unique())
    profiles = pl.DataFrame({"user_id": users[:-1], "group": ["x" if n % 2 else "y" for n in range(len(users) - 1)],
                             "age": list(range(len(users) - 1))})  # fmt: skip
    cut, _, slicings = all_of(profiles)
    groups = {one.name: one.users for one in slicings["group"].slices}
    assert set(groups) == {"x", "y"} and sum(groups.values()) == len(cut.users) - 1
    assert next(one.name for one in slicings["age"].slices) == "0 or more"
    assert len(slicings["age"].slices) == 4


def test_activity_counts_the_thirty_days_before() -> None:
    day = 86_400
    rows = [("old", f"i{n}", n * day) for n in range(5)] + [("old", "i1", 100 * day)]
    rows += [("new", f"i{n}", (90 + n) * day) for n in range(5)] + [("new", "i1", 100 * day + 5)]
    data = split_by_time(events_of(rows), test="1d", validation=0.0)
    run = train(data.train, Recipe("popularity", model={"opponent": "popularity"}))
    cut = requests_of(data)
    judged = judge(run.with_events(data.events), cut, (2,), background_of(run.items, data))
    slicings = {one.by: one for one in slicings_of(data, cut, judged, "ndcg@2", Resamples(2, 10))}
    assert [(one.name, one.users) for one in slicings["activity"].slices] == [("none", 1), ("5 to 19", 1)]


def with_luck(lucky: int) -> Slicing:
    """The first users always hit, the others never; `luck` says who is who."""
    cut, judged, _ = all_of()
    judged.values["ndcg@10"] = (cut.user_B < lucky).astype(float)
    names = ["lucky" if user < lucky else "unlucky" for user in range(len(cut.users))]
    profiles = pl.DataFrame({"user_id": cut.users, "luck": names})
    slicings = slicings_of(split(), cut, judged, "ndcg@10", Resamples(len(cut.users), 100), profiles)
    found = largest_gap(slicings)
    assert found is None or found.by == "luck" or lucky != 30
    return next(one for one in slicings if one.by == "luck")


def test_the_largest_gap_is_named_with_its_interval() -> None:
    gap = with_luck(30).gap
    assert gap is not None
    assert gap[:2] == ("lucky", "unlucky")
    assert (gap[2].mean, gap[2].low, gap[2].high) == (1.0, 1.0, 1.0)


def test_slices_of_few_users_have_no_gap() -> None:
    assert with_luck(29).gap is None
    assert largest_gap([]) is None


def test_a_slicing_is_plain_json() -> None:
    _, _, slicings = all_of()
    document = slicings["history length"].as_dict()
    assert set(document) == {"about", "metric", "slices", "gap"}
    assert set(document["slices"][0]) == {"name", "n", "users", "mean", "low", "high"}
