import pytest
import torch
from tests.logs import chain_log

import horae
from horae.errors import RecipeError
from horae.models.ensemble import Ensemble
from horae.recipe import Recipe
from horae.training.progress import Quiet
from horae.training.train import Options, check, refit

QUIET = Options(progress=Quiet())
LOG = chain_log(users=60, items=10, length=10)
SPLIT = horae.split_by_time(LOG)
GRU = {
    "recipe": "small",
    "model": {"encoder": "gru", "dim": 16, "max_len": 4},
    "train": {"epochs": 3, "batch_tokens": 256, "learning_rate": 0.01},
}
ASKED = {"users": ["u0001", "u0007"], "k": 5}


def ensemble_of(*members, seed=0, options=QUIET, **tables):
    return horae.train(SPLIT, Recipe("both", model={"ensemble": list(members)}, **tables), seed=seed, options=options)


@pytest.fixture(scope="module")
def both():
    return ensemble_of(GRU, "recent-popularity")


def test_members_are_those_that_their_recipes_make_alone_each_with_its_own_seed():
    twins = ensemble_of(GRU, GRU, seed=3)
    alone = Recipe("small", model=GRU["model"], train=GRU["train"])
    for member, seed in zip(twins.model.members, (3, 4), strict=True):
        one = horae.train(SPLIT, alone, seed=seed, options=QUIET)
        assert torch.equal(member.item_vectors(), one.model.item_vectors())
    assert not torch.equal(*(member.item_vectors() for member in twins.model.members))


def test_a_network_and_an_opponent_answer_as_one_run_and_know_what_was_chosen(both):
    assert isinstance(both.model, Ensemble)
    assert "window_days" in both.recipe.model["ensemble"][1]["model"]
    cost = both.card["training"]
    assert cost["epochs"] == 3 == sum(one["epochs"] for one in cost["members"]) and len(cost["members"]) == 2
    assert cost["cpu_seconds"] == pytest.approx(sum(one["cpu_seconds"] for one in cost["members"]), abs=0.01)
    assert [line["member"] for line in both.log] == [1, 1, 1]
    assert horae.evaluate(both, SPLIT, opponents={}, bootstrap=0).passed


def test_one_run_folder_holds_all_members(both, tmp_path):
    again = horae.load(both.save(tmp_path / "run"))
    assert again.recipe == both.recipe and again.calibration == both.calibration
    assert again.recommend(**ASKED).frame.equals(both.recommend(**ASKED).frame)
    with pytest.raises(horae.HoraeError, match="no item vectors"):
        again.similar(["i001"])


def test_an_opponent_alone_is_an_ensemble_too_and_ranks_as_it_does():
    one, alone = ensemble_of("markov"), horae.train(SPLIT, "markov", options=QUIET)
    items = [list(r.recommend(**ASKED).frame["item_id"]) for r in (one, alone)]
    assert items[0] == items[1]


def test_refit_fits_every_member_on_everything(both):
    again = refit(both, options=QUIET)
    assert again.card["refit"] and again.card["training"] == both.card["training"]
    for old, new in zip(both.model.members, again.model.members, strict=True):
        pairs = zip(old.arrays().values(), new.arrays().values(), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs)


def test_each_member_has_its_own_checkpoint_and_resuming_changes_nothing(tmp_path):
    first = ensemble_of(GRU, GRU, options=Options(progress=Quiet(), folder=tmp_path))
    assert {entry.name for entry in tmp_path.iterdir()} == {"member-1", "member-2"}
    again = ensemble_of(GRU, GRU, options=Options(progress=Quiet(), folder=tmp_path, resume=True))
    assert again.recommend(**ASKED).frame.equals(first.recommend(**ASKED).frame)


def test_train_keys_of_the_ensemble_are_those_of_every_network():
    recipe = check(Recipe("both", model={"ensemble": [GRU, "gru", "markov"]}, train={"epochs": 1}))
    assert [one["train"].get("epochs") for one in recipe.model["ensemble"]] == [1, 1, None]
    assert recipe.model["ensemble"][0]["train"]["learning_rate"] == 0.01 and check(recipe) == recipe


@pytest.mark.parametrize(
    ("members", "train", "match"),
    [
        (["markov", "item-knn"], {"epochs": 3}, "no member of the ensemble is a network"),
        ([{**GRU, "train": {"epoch": 3}}], {}, "epochs"),
        ([{"model": {"opponent": "markov"}, "train": {"epochs": 3}}], {}, "no effect"),
    ],
)
def test_settings_of_members_are_checked_before_anything_is_trained(members, train, match):
    with pytest.raises(RecipeError) as caught:
        ensemble_of(*members, train=train)
    assert match in str(caught.value)


def test_the_test_part_never_reaches_a_member():
    test = (SPLIT.part == "test").to_numpy()
    item = LOG.frame["item_id"].to_numpy().copy()
    item[test] = item[test][::-1]
    edited = horae.split_by_time(horae.Events(LOG.frame.with_columns(item_id=item)))
    recipe = Recipe("both", model={"ensemble": [GRU, "item-knn"]})
    one, other = (horae.train(split, recipe, options=QUIET).model.arrays() for split in (SPLIT, edited))
    assert all(torch.equal(one[name], other[name]) for name in one)


class Told(Quiet):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, sentence: str) -> None:
        self.lines.append(sentence)


def test_whose_epochs_are_shown_is_said():
    told = Told()
    ensemble_of({**GRU, "train": {**GRU["train"], "epochs": 1}}, "markov", options=Options(progress=told))
    assert [line for line in told.lines if line.startswith("Member")] == [
        "Member 1 of 2: small",
        "Member 2 of 2: markov",
    ]
    assert told.lines[-1] == "Learning again, from train and validation together: 1 epoch."
