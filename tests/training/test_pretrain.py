"""Pre-training: what it asks, what it moves, what it leaves behind."""

import math

import numpy as np
import polars as pl
import pytest
import torch
from tests.logs import chain_log

import horae
from horae.errors import DataError, RecipeError
from horae.models.compose import compose
from horae.sequences.framing import Framed
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.loop import LoopSettings
from horae.training.losses import attribute_loss, full_softmax
from horae.training.options import Options
from horae.training.pretrain import Pretraining, PretrainingObjective, labels_of, pretrain
from horae.training.progress import Quiet
from horae.training.train import refit

QUIET = Options(progress=Quiet(), device="cpu")
LOG = chain_log(users=60, items=12, length=8)
ITEMS = Vocabulary.of(LOG.frame["item_id"])
SEQUENCES = Sequences.from_events(LOG, ITEMS)
CATALOG = pl.DataFrame(
    {
        "item_id": [f"i{n:03}" for n in range(12)],
        "kind": [f"all>{'abc'[n % 3]}" for n in range(11)] + [None],
        "half": ["low" if n < 6 else "high" for n in range(12)],
        "code": [f"c{n}" for n in range(12)],
    }
)
SMALL = ["model.dim=16", "model.num_heads=1", "model.num_layers=1", "model.max_len=6", "train.epochs=3"]
PRETRAINED = [*SMALL, "train.pretrain_epochs=2", 'train.pretrain_attributes=["kind"]']


def network_of(**more):
    torch.manual_seed(0)
    return compose({"encoder": "transformer", "dim": 16, "max_len": 6, "dropout": 0.0, "num_heads": 1, **more}, 12, 1)


def pretrained(network, labels, epochs=2):
    loop = LoopSettings(epochs=epochs, batch_tokens=128, learning_rate=0.01)
    return pretrain(network, labels, SEQUENCES, loop, 0, QUIET, Quiet(), None, "")


def test_labels_are_shared_values_and_stand_at_the_items_indices():
    labels = labels_of(ITEMS, CATALOG, ["kind", "half", "code"])
    # `all` is of 11 items of 12; no code is of three; ties in alphabetical order
    assert labels.names == ["kind=all", "half=high", "half=low", "kind=a", "kind=b", "kind=c"]
    assert labels.of(np.array([0, 1, 12])).tolist() == [[0] * 6, [1, 0, 1, 1, 0, 0], [0, 1, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("catalog", "columns", "words"),
    [
        (None, ["kind"], "no catalog"),
        (CATALOG, ["kinds"], "no column 'kinds'"),
        (CATALOG, ["code"], "No value of code is shared"),
        (CATALOG.with_columns(item_id=pl.lit("x") + pl.col("item_id")), ["kind"], "No value of kind"),
    ],
)
def test_attributes_that_say_nothing_are_refused(catalog, columns, words):
    with pytest.raises(DataError, match=words):
        labels_of(ITEMS, catalog, columns)


def test_attribute_loss_by_hand():
    loss = attribute_loss(torch.tensor([[0.0, 2.0], [-1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    by_hand = [2 * math.log(2), math.log1p(math.exp(2.0)), math.log1p(math.exp(-1.0))]
    assert loss.item() == pytest.approx(sum(by_hand) / 2)


def test_the_loss_is_that_of_hidden_items_and_of_what_is_known_of_them():
    labels, network = labels_of(ITEMS, CATALOG, ["kind"]), network_of()
    network.encoder.causal = False
    asked = Pretraining(network, labels).eval()
    framed = asked.framing.frame(SEQUENCES.all().take(np.arange(8)), np.random.default_rng(0))
    [(moved, loss)] = PretrainingObjective(labels).steps(asked, framed)
    hidden = framed.target_BL > 0
    h_ND, target_N = asked.states(framed.batch)[hidden], framed.target_BL[hidden]
    known_N = target_N != 12
    label_NA = labels.of(target_N[known_N].numpy())
    of_item = attribute_loss(asked.attributes_of_items(target_N[known_N]), label_NA)
    of_place = attribute_loss(asked.attributes_of_places(h_ND[known_N]), label_NA)
    whole = full_softmax(h_ND, asked.item_vectors(), target_N) + 0.2 * (of_item + of_place)
    torch.testing.assert_close(loss, whole)
    assert {id(p) for p in network.parameters()} < {id(p) for p in moved}
    nothing = Framed(framed.batch, *(torch.zeros_like(x) for x in (framed.target_BL,) * 2), framed.target_value_BL)
    assert PretrainingObjective(labels).steps(asked, nothing) == []


def test_items_learn_their_attributes_and_the_network_looks_back_only_afterwards():
    labels, network = labels_of(ITEMS, CATALOG, ["kind"]), network_of()
    names = set(network.state_dict())
    before = network.items.vectors().detach().clone()
    took = pretrained(network, labels, epochs=30)
    assert network.causal and set(network.state_dict()) == names and len(took.log) == 30
    assert took.log[-1]["loss"] < 0.7 * took.log[0]["loss"]
    assert not torch.equal(network.items.vectors(), before)
    unit = torch.nn.functional.normalize(network.items.vectors().detach()[1:12], dim=1)
    alike = unit @ unit.T
    kind = torch.arange(11) % 3
    same = (kind[:, None] == kind) & ~torch.eye(11, dtype=torch.bool)
    assert alike[same].mean() > alike[kind[:, None] != kind].mean() + 0.2


def test_the_same_seed_moves_it_alike_and_no_draw_is_left_behind():
    labels = labels_of(ITEMS, CATALOG, ["kind"])
    one, other = network_of(), network_of()
    torch.manual_seed(3)
    pretrained(one, labels)
    drawn = torch.rand(3)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(3), drawn)
    pretrained(other, labels)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_run_is_pretrained_saved_loaded_and_learned_again(tmp_path):
    made = horae.train(LOG, "attribute-pretrained", overrides=PRETRAINED, catalog=CATALOG, options=QUIET)
    plain = horae.train(LOG, "sasrec", overrides=SMALL, options=QUIET)
    assert made.card["training"]["cpu_seconds"] > 0
    assert made.recipe.train["pretrain_attributes"] == ["kind"] and "pretrain_epochs" not in plain.recipe.train
    assert not torch.equal(made.model.item_vectors(), plain.model.item_vectors())
    made.save(tmp_path / "run")
    again = horae.load(tmp_path / "run")
    assert again.recommend(users=["u0001"]).frame.equals(made.recommend(users=["u0001"]).frame)
    assert len(refit(made, options=QUIET).recommend(users=["u0001"], k=5).frame) == 5


def test_a_training_that_was_stopped_goes_on_without_pretraining_anew(tmp_path):
    where = Options(progress=Quiet(), device="cpu", folder=tmp_path)
    short = horae.train(LOG, "attribute-pretrained", overrides=PRETRAINED, catalog=CATALOG, options=where)
    assert (tmp_path / "search" / "pretrain" / "last.safetensors").exists()
    on = Options(progress=Quiet(), device="cpu", folder=tmp_path, resume=True)
    again = horae.train(LOG, "attribute-pretrained", overrides=PRETRAINED, catalog=CATALOG, options=on)
    assert torch.equal(short.model.item_vectors(), again.model.item_vectors())


@pytest.mark.parametrize(
    ("recipe", "overrides", "words"),
    [
        ("sasrec", ["train.pretrain_epochs=2"], "each needs the other"),
        ("sasrec", ['train.pretrain_attributes=["kind"]'], "each needs the other"),
        ("attribute-pretrained", ["train.pretrain_epochs=-1"], "each needs the other"),
        ("gru", ["train.pretrain_epochs=2", 'train.pretrain_attributes=["kind"]'], "look both ways"),
        ("bert4rec", ["train.pretrain_epochs=2", 'train.pretrain_attributes=["kind"]'], "look both ways"),
    ],
)
def test_recipes_that_cannot_be_pretrained_are_refused(recipe, overrides, words):
    with pytest.raises(RecipeError, match=words):
        horae.train(LOG, recipe, overrides=overrides, catalog=CATALOG, options=QUIET)


def test_without_a_catalog_it_says_what_to_add():
    with pytest.raises(DataError, match="no catalog"):
        horae.train(LOG, "attribute-pretrained", overrides=SMALL, options=QUIET)
