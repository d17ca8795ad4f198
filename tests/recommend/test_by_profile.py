"""A profile speaks for people without events; what tells nothing moves nothing much; nobody's profile is kept."""

import json

import numpy as np
import polars as pl
import pytest
from tests.logs import events_of

import horae
from horae.data.split import Split, split_by_time
from horae.errors import DataError
from horae.recipe import Recipe
from horae.recommend.by_profile import LEAST_PEOPLE, Attribute, ByProfile
from horae.recommend.recommender import Recommender
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.train import train

NEW = 100
POPULARITY = Recipe("popularity", model={"opponent": "popularity"}, recommend={"seen": "include"})


def planted(users: int = 260, seed: int = 0) -> tuple[Split, pl.DataFrame]:
    """Women turn to w0 ... w9, men to m0 ... m9, all alike to c0 ... c4; the last 100 users come in the test part."""
    rng = np.random.default_rng(seed)
    rows, people = [], []
    for user in range(users):
        sex = "f" if user % 2 else "m"
        people.append((f"u{user:03}", sex, float(20 + user % 40), f"street {user}"))
        late = 100_000 if user >= users - NEW else 0
        for step in range(8):
            own = "w" if sex == "f" else "m"
            item = f"{own}{rng.integers(10)}" if rng.random() < 0.7 else f"c{rng.integers(5)}"
            rows.append((f"u{user:03}", item, late + 1_000 * step + user))
    profiles = pl.DataFrame(people, schema=["user_id", "sex", "age", "street"], orient="row")
    return split_by_time(events_of(rows), test="1970-01-02T00:00:00", validation=0.1), profiles


def recall_of_newcomers(run: Recommender, split: Split) -> float:
    """Of the first item of everybody who is new, among the ten best."""
    level = horae.evaluate_cold(run, split, bootstrap=0).levels[0]
    assert level.users == NEW and level.metrics["recall@10"].mean is not None
    return level.metrics["recall@10"].mean


def test_a_planted_difference_between_two_groups_is_found():
    split, profiles = planted()
    run = train(split, POPULARITY, profiles=profiles)
    for sex, own, other in (("f", "w", "m"), ("m", "m", "w")):
        listed = run.recommend(histories=[[]], k=10, profile={"sex": sex}).frame
        assert listed["source"].unique().to_list() == ["profile"]
        letters = listed["item_id"].str.head(1).to_list()
        assert letters.count(own) >= 5 and letters.count(other) == 0
    assert recall_of_newcomers(run, split) > recall_of_newcomers(train(split, POPULARITY), split) + 0.1


def test_shuffled_profiles_do_no_harm_beyond_noise():
    split, profiles = planted()
    plain = recall_of_newcomers(train(split, POPULARITY), split)
    reached = []
    for seed in range(4):
        shuffled = profiles.with_columns(pl.col("sex", "age").shuffle(seed=seed))
        reached.append(recall_of_newcomers(train(split, POPULARITY, profiles=shuffled), split))
    assert np.mean(reached) > plain - 0.05


def test_the_lift_is_worked_by_hand():
    """40 people, half of each kind: item a is of 20 `x`; b of 10 `x` and 20 `y`."""
    rows = [(f"x{n:02}", "a", n) for n in range(20)] + [(f"x{n:02}", "b", 99) for n in range(10)]
    rows += [(f"y{n:02}", "b", n) for n in range(20)]
    events = events_of(rows)
    sequences = Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))
    profiles = pl.DataFrame(
        {"user_id": [f"{k}{n:02}" for k in "xy" for n in range(20)], "kind": ["x"] * 20 + ["y"] * 20}
    )
    made = ByProfile.learned(profiles, sequences)
    assert made.had_VI.tolist() == [[0, 20, 10], [0, 0, 20]]
    share = 30 / 50  # of the pairs (person, item) are of `x`
    expected = [(20 + 10) / (20 * share + 10), (10 + 10) / (30 * share + 10)]
    assert np.exp(made._log_lift_VI[0, 1:]).tolist() == pytest.approx(expected, rel=1e-5)


def test_somebody_with_events_is_answered_by_them():
    split, profiles = planted()
    run = train(split, POPULARITY, profiles=profiles)
    told, untold = (run.recommend(users=["u001"], k=5, profile=one).frame for one in ({"sex": "m"}, None))
    assert told.equals(untold) and told["source"][0] == "popularity"
    mixed = run.recommend(users=["u001", "nobody"], k=1, profile={"sex": "m"}).frame
    assert mixed["source"].to_list() == ["popularity", "profile"]


def test_nobodys_profile_and_no_rare_value_is_kept(tmp_path):
    split, profiles = planted()
    run = train(split, POPULARITY, profiles=profiles)
    assert [a.name for a in run.by_profile.attributes] == ["sex", "age"]  # everybody lives in a street of their own
    run.save(tmp_path / "run")
    assert not list((tmp_path / "run").glob("*profile*"))
    for file in (tmp_path / "run").iterdir():
        assert b"street 7" not in file.read_bytes()
    again = horae.load(tmp_path / "run")
    assert again.profiles is None
    asked = {"histories": [[]], "k": 10, "profile": {"sex": "f", "age": 33}}
    assert again.recommend(**asked).frame.equals(run.recommend(**asked).frame)
    assert json.loads((tmp_path / "run" / "card.json").read_text())["profile"][0]["values"] == ["f", "m"]


def test_the_table_at_hand_answers_for_users_that_it_names():
    split, profiles = planted()
    run = train(split, POPULARITY, profiles=pl.concat([profiles, profiles.tail(1).with_columns(user_id=pl.lit("new"))]))
    listed = run.recommend(users=["new", "nobody"], k=1)
    assert listed.frame["source"].to_list() == ["profile", "fallback"]
    assert any("by profile" in note for note in listed.notes) and any("(recent popularity)" in n for n in listed.notes)


def test_unknown_values_leave_the_fallback_as_it_is():
    split, profiles = planted()
    run = train(split, POPULARITY, profiles=profiles)
    plain = run.recommend(histories=[[]], k=10).frame
    for profile in ({"sex": "unheard of"}, {"sex": None}, {"age": float("nan")}):
        asked = run.recommend(histories=[[]], k=10, profile=profile).frame
        assert asked.equals(plain) and asked["source"][0] == "fallback"


def test_numbers_are_put_into_groups_and_whole_numbers_are_equal_however_they_are_typed():
    ages = Attribute.learned(pl.Series("age", [*map(float, range(100)), 200.0]))
    assert len(ages.edges) == 4 and ages.indices([-5, 1e9, None, float("nan")]).tolist() == [0, 4, -1, -1]
    codes = Attribute.learned(pl.Series("code", [1] * LEAST_PEOPLE + [2] * LEAST_PEOPLE + [3]))
    assert codes.values == ("1", "2") and codes.indices([1, 1.0, "2", 3]).tolist() == [0, 0, 1, -1]


def test_numbers_of_a_file_without_types_are_numbers_and_codes_are_not():
    ages = Attribute.learned(pl.Series("age", [str(age) for age in range(100)] + [None]))
    assert ages is not None and len(ages.edges) == 4 and ages.indices(["31", 99, None]).tolist() == [1, 4, -1]
    assert Attribute.learned(pl.Series("code", [f"{code:05}" for code in range(100)])) is None
    few = Attribute.learned(pl.Series("stars", ["1", "2"] * 30))
    assert few is not None and few.values == ("1", "2")


def test_wrong_profiles_are_refused():
    split, profiles = planted()
    with pytest.raises(DataError, match="trained without profiles"):
        train(split, POPULARITY).recommend(histories=[[]], profile={"sex": "f"})
    run = train(split, POPULARITY, profiles=profiles)
    with pytest.raises(DataError, match="names 'shoe'"):
        run.recommend(histories=[[]], profile={"shoe": 43})
    with pytest.raises(DataError, match="expected a number"):
        run.recommend(histories=[[]], profile={"age": "old"})
    with pytest.raises(DataError, match="names and values"):
        run.recommend(histories=[[]], profile=["f"])
    for wrong in (profiles.rename({"user_id": "who"}), pl.concat([profiles, profiles]), profiles.select("user_id")):
        with pytest.raises(DataError, match="one row for each user_id"):
            train(split, POPULARITY, profiles=wrong)
    with pytest.raises(DataError, match="tells people apart"):
        train(split, POPULARITY, profiles=profiles.with_columns(user_id=pl.lit("x") + pl.col("user_id")))


def test_items_that_were_added_have_a_place_in_lists_by_profile():
    split, profiles = planted()
    run = train(split, POPULARITY, profiles=profiles)
    before = run.recommend(histories=[[]], k=10, profile={"sex": "f"}).frame
    run.add_items(pl.DataFrame({"item_id": ["new"]}))
    listed = run.recommend(histories=[[]], k=26, profile={"sex": "f"}).frame
    assert "new" in listed["item_id"].to_list() and listed["item_id"].to_list()[:10] == before["item_id"].to_list()
