import numpy as np
import pytest
import torch
from tests.models.batches import batch_of

from horae.errors import RecipeError, RunError
from horae.models.base import Model
from horae.models.compose import compose, resolved
from horae.models.ensemble import Ensemble, as_table, member_recipes, newest, standardised
from horae.models.opponents.by_history import ByHistory
from horae.recipe import load_recipe, to_toml

TINY = {"recipe": "tiny", "model": {"encoder": "gru", "dim": 8, "max_len": 3}}


class Fixed(ByHistory):
    """Gives every request the same scores."""

    def __init__(self, *scores):
        self.scores, self.num_items = scores, len(scores)

    def fit(self, sequences):
        return self

    def arrays(self):
        return {"scores": torch.tensor(self.scores)}

    def load_arrays(self, arrays, num_items):
        self.scores, self.num_items = tuple(arrays["scores"].tolist()), num_items
        return self

    def _grow(self, num):
        self.scores += (0.0,) * num

    def _scores(self, batch):
        return np.array([[0.0, *self.scores]] * len(batch), dtype=np.float32)


def test_the_mean_of_standardised_scores_is_worked_by_hand():
    ensemble = Ensemble([Fixed(1.0, 2.0, 3.0), Fixed(40.0, 0.0, 20.0)], 3)
    root = 1.5**0.5  # (1, 2, 3) and (40, 0, 20) have the standard deviations sqrt(2 / 3) and 20 sqrt(2 / 3)
    expected = [[-torch.inf, 0.0, -root / 2, root / 2]] * 2
    torch.testing.assert_close(ensemble.score(batch_of([[1], [2, 3]])), torch.tensor(expected), atol=1e-6, rtol=1e-6)


def test_a_member_to_whom_all_are_alike_says_nothing():
    speaker, mute, batch = Fixed(1.0, 5.0, 3.0), Fixed(7.1, 7.1, 7.1), batch_of([[1]])
    alone, beside = Ensemble([speaker], 3).score(batch), Ensemble([speaker, mute], 3).score(batch)
    torch.testing.assert_close(beside[:, 1:] * 2, alone[:, 1:])


def test_an_ensemble_of_one_ranks_as_its_member():
    network = compose(TINY["model"], 30, 1).eval()
    batch = batch_of([[1, 2], [7, 8, 9]])
    with torch.inference_mode():
        ours, its = Ensemble([network], 30).score(batch), network.score(batch)
    assert torch.equal(ours.argsort(1), its.argsort(1))


def test_scales_and_shifts_of_a_member_change_nothing():
    batch = batch_of([[1]])
    one = Ensemble([Fixed(0.1, 0.4, 0.2), Fixed(3.0, 1.0, 2.0)], 3).score(batch)
    other = Ensemble([Fixed(101.0, 104.0, 102.0), Fixed(3.0, 1.0, 2.0)], 3).score(batch)
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_standardised_scores_have_mean_zero_and_deviation_one_without_padding():
    score_BI = standardised(torch.cat([torch.full((4, 1), -torch.inf), torch.randn(4, 99) * 7 + 3], dim=1))
    torch.testing.assert_close(score_BI[:, 1:].mean(1), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(score_BI[:, 1:].std(1, correction=0), torch.ones(4))
    assert (score_BI[:, 0] == 0).all()


def test_each_member_sees_its_own_newest_events():
    batch = batch_of([[1, 2, 3, 4, 5], [6, 7], []])
    cut = newest(batch, 3)
    assert cut.item_BL.tolist() == [[3, 4, 5], [6, 7, 0], [0, 0, 0]] and cut.length_B.tolist() == [3, 2, 0]
    assert newest(batch, None) is batch and newest(batch, 5) is batch
    short, long = compose(TINY["model"], 9, 1).eval(), Fixed(*range(9))
    ensemble = Ensemble([short, long], 9)
    assert ensemble.max_len is None and Ensemble([short], 9).max_len == 3
    with torch.inference_mode():
        torch.testing.assert_close(ensemble.score(batch), ensemble.score(cut))


def test_a_recipe_makes_an_ensemble_that_is_a_model_without_item_vectors():
    ensemble = compose({"ensemble": [TINY, "item-knn"]}, 30, 2)
    assert isinstance(ensemble, Model) and len(ensemble.networks) == 1
    assert not hasattr(ensemble, "item_vectors") and not hasattr(ensemble, "last")


def test_weights_of_other_members_are_refused():
    arrays = Ensemble([Fixed(1.0, 2.0), Fixed(2.0, 1.0)], 2).arrays()
    assert set(arrays) == {"0.scores", "1.scores"}
    again = Ensemble([Fixed(0.0, 0.0), Fixed(0.0, 0.0)], 2).load_arrays(arrays, 2)
    assert [member.scores for member in again.members] == [(1.0, 2.0), (2.0, 1.0)]
    with pytest.raises(RunError, match=r"1 members, but an array '1\.scores'"):
        Ensemble([Fixed(1.0, 2.0)], 2).load_arrays(arrays, 2)


def test_resolved_members_are_written_out_and_read_again(tmp_path):
    table = resolved({"ensemble": ["gru", TINY, "recent-popularity"]})
    assert table["ensemble"][0]["model"]["dim"] == 64 and table["ensemble"][1]["recipe"] == "tiny"
    assert resolved(table) == table == {"ensemble": [as_table(one) for one in member_recipes(table)]}
    file = tmp_path / "both.toml"
    file.write_text(to_toml({"model": table}))
    assert load_recipe(file).model == table


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"ensemble": ["sasrek"]}, "no recipe 'sasrek'"),
        ({"ensemble": []}, "expected a list of recipes"),
        ({"ensemble": "sasrec"}, "expected a list of recipes"),
        ({"ensemble": [3]}, "the member 3: expected a recipe"),
        ({"ensemble": [{"recipe": "sasrec"}]}, "expected a recipe"),
        ({"ensemble": [{"model": {"encoder": "gru"}, "epochs": 3}]}, "expected a recipe"),
        ({"ensemble": ["ensemble"]}, "itself an ensemble"),
        ({"ensemble": ["gru"], "dim": 8}, "dim has no effect with ensemble"),
        ({"ensemble": ["gru"], "encoder": "gru"}, "names both encoder and ensemble"),
        ({"ensemble": [{"model": {"encoder": "gru", "dims": 8}}]}, "has no key 'dims'"),
    ],
)
def test_an_ensemble_that_makes_no_sense_is_refused(table, match):
    for verb in (resolved, lambda table: compose(table, 10, 1)):
        with pytest.raises(RecipeError, match=match):
            verb(table)
