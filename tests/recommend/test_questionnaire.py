"""The items asked about part people and are known to many; answers become a history; what it was is said."""

from itertools import product

import numpy as np
import pytest
from tests.logs import events_of

import horae
from horae.data.split import Split, split_by_time
from horae.errors import DataError, UnknownIdError
from horae.recipe import Recipe
from horae.recommend.questionnaire import _expected_gain, _greedy
from horae.recommend.recommender import Recommender
from horae.training.train import train


def parted(users: int = 120, seed: int = 0) -> Split:
    """Three kinds of people: a kind's own hit (`hit0`) most of them had, `all` everybody had, 20 more are theirs."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        kind = user % 3
        items = (
            ["all"]
            + ([f"hit{kind}"] if rng.random() < 0.9 else [])
            + [f"k{kind}i{n:02}" for n in rng.permutation(20)[:8]]
        )
        rows += [(f"u{user:03}", item, 1_000 * step + user) for step, item in enumerate(items)]
    return split_by_time(events_of(rows), test=0.1, validation=0.1)


@pytest.fixture(scope="module")
def run() -> Recommender:
    return train(parted(), Recipe("item_knn", model={"opponent": "item_knn"}))


def test_what_parts_people_is_asked_and_what_everybody_knows_is_not(run):
    form = horae.questionnaire(run, 3)
    assert len(set(form.items) & {"hit0", "hit1", "hit2"}) >= 2 and "all" not in form.items
    assert (form.frame["bits"] > 0).all() and form.frame["share"].max() < 0.5


def test_the_first_gain_is_worked_by_hand():
    """Two groups of equal size; an item of one of them tells its whole bit, one of a half each tells nothing."""
    gain = _expected_gain(np.array([[0.5, 0.5]]), np.array([[1.0, 0.5, 0.75], [0.0, 0.5, 0.25]]))
    quarter = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    assert gain == pytest.approx([1.0, 0.0, 1.0 - quarter], abs=1e-6)


def test_gains_are_those_of_the_posterior_over_groups():
    """Against the definition: H(G) - sum_x P(x) H(G | x), answer by answer."""
    rng = np.random.default_rng(0)
    chance, share = rng.uniform(0.05, 0.95, (4, 6)), rng.dirichlet(np.ones(4))

    def entropy(p):
        return -(p * np.log2(p)).sum()

    expected = []
    for item in range(6):
        left = 0.0
        for said in (chance[:, item], 1 - chance[:, item]):
            joint = share * said
            left += joint.sum() * entropy(joint / joint.sum())
        expected.append(entropy(share) - left)
    assert _expected_gain(share[None], chance) == pytest.approx(expected)


def test_an_item_that_says_the_same_again_is_not_asked_next():
    chance = np.array([[0.95, 0.95, 0.6], [0.05, 0.05, 0.6], [0.95, 0.95, 0.1], [0.05, 0.05, 0.1]])
    answered = np.array(list(product([True, False], repeat=3)))
    chosen, bits = _greedy(chance, np.full(4, 0.25), answered, 2)
    assert chosen.tolist() == [0, 2] and bits[0] > bits[1] > 0


def test_answers_are_a_history_and_the_list_says_so(run):
    form = horae.questionnaire(run, 3)
    liked = form.recommend({"hit1": "liked", "hit0": "not", "hit2": "unknown"}, k=5)
    assert liked.frame["source"].unique().to_list() == ["questionnaire"]
    assert all(item.startswith("k1") for item in liked.frame["item_id"][:3])
    assert not {"hit0", "hit1"} & set(liked.frame["item_id"])
    direct = run.recommend(histories=[["hit1"]], k=5, exclude=["hit0", "hit1"])
    assert liked.frame["item_id"].to_list() == direct.frame["item_id"].to_list()
    assert direct.frame["source"][0] == "item_knn"


def test_who_likes_nothing_gets_the_fallback_which_says_so(run):
    found = horae.questionnaire(run, 3).recommend({"hit1": "not"}, k=3)
    assert found.frame["source"].unique().to_list() == ["fallback"] and len(found) == 3


def test_the_test_part_plays_no_role(run):
    split = parted()
    late = split.part == "test"
    other = events_of([(f"z{n}", f"k0i{n % 20:02}", 10**7 + n) for n in range(40)]).frame
    from dataclasses import replace

    import polars as pl

    frame = pl.concat([split.events.frame, other])
    part = pl.concat([split.part, pl.Series(["test"] * 40, dtype=split.part.dtype)])
    changed = replace(split, events=replace(split.events, frame=frame), part=part)
    assert late.any()
    again = horae.questionnaire(train(changed, Recipe("item_knn", model={"opponent": "item_knn"})), 5)
    assert again.frame.equals(horae.questionnaire(run, 5).frame)


def test_the_same_seed_asks_the_same_and_bad_questions_are_refused(run):
    assert horae.questionnaire(run, 5).frame.equals(horae.questionnaire(run, 5).frame)
    for size, pool in ((0, 10), (11, 10)):
        with pytest.raises(DataError, match="size"):
            horae.questionnaire(run, size, pool=pool)
    form = horae.questionnaire(run, 2)
    with pytest.raises(DataError, match="expected one of liked, not, unknown"):
        form.recommend({"hit1": "adored"})
    with pytest.raises(UnknownIdError, match="nothing"):
        form.recommend({"nothing": "liked"})


def test_a_run_of_few_people_or_without_events_says_why(tmp_path, run):
    few = train(parted(users=12), Recipe("popularity", model={"opponent": "popularity"}))
    with pytest.raises(DataError, match="too few"):
        horae.questionnaire(few)
    run.save(tmp_path / "bare", events=False)
    with pytest.raises(DataError, match="holds no events"):
        horae.questionnaire(horae.load(tmp_path / "bare"))
