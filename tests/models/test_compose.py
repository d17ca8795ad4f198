import dataclasses

import pytest

from horae.errors import RecipeError
from horae.models.base import Model
from horae.models.compose import compose, model_keys, resolved
from horae.models.encoders import ENCODERS
from horae.models.encoders.gru import GRU
from horae.models.encoders.transformer import Transformer
from horae.models.network import Network
from horae.models.opponents import OPPONENTS
from horae.models.settings import NetworkSettings
from horae.recipe import load_recipe, to_toml

RECIPES = [
    "sasrec", "esasrec", "gsasrec", "bert4rec", "bsarec", "hstu", "lru", "gru", "gru-attention", "gru4rec", "lstm",
    "lstm-attention",
]  # fmt: skip


def test_an_encoder_makes_a_network_of_the_chosen_parts():
    network = compose({"encoder": "gru", "dim": 12, "max_len": 7, "num_layers": 2}, 30, 2)
    assert isinstance(network, Network) and isinstance(network, Model)
    assert isinstance(network.encoder, GRU) and network.encoder.cells.num_layers == 2
    assert (network.num_items, network.max_len, network.items.dim) == (30, 7, 12)
    assert isinstance(compose({"encoder": "transformer"}, 3, 1).encoder, Transformer)


def test_an_opponent_is_passed_on():
    model = compose({"opponent": "popularity"}, 30, 2)
    assert isinstance(model, Model) and not isinstance(model, Network)


@pytest.mark.parametrize(
    ("table", "match", "hint"),
    [
        ({}, "names neither", "transformer"),
        ({"encoder": "gru", "opponent": "ease"}, "names both", "opponent ="),
        ({"encoder": "gro"}, "encoder = 'gro' does not exist", "Did you mean 'gru'"),
        ({"encoder": 3}, "encoder = 3 does not exist", "Known"),
        ({"encoder": ["gru"]}, "does not exist", "Known"),
        ({"opponent": "eas"}, "opponent = 'eas' does not exist", "Did you mean 'ease'"),
        ({"encoder": "gru", "num_heads": 2}, 'num_heads has no effect with encoder = "gru"', "transformer"),
        ({"encoder": "transformer", "attention": "dot"}, "attention has no effect", "gru, lstm"),
        ({"opponent": "popularity", "dim": 8}, 'dim has no effect with opponent = "popularity"', "network"),
        ({"encoder": "gru", "num_leyers": 2}, "has no key 'num_leyers'", "num_layers"),
        ({"encoder": "gru", "dim": "64"}, "dim = '64'", "int"),
        ({"encoder": "transformer", "dim": 10, "num_heads": 4}, "dim = 10 .* num_heads = 4", "1, 2, 5, 10"),
        ({"encoder": "lstm", "max_len": 0}, "max_len = 0", "Raise"),
        ({"encoder": "lstm", "dropout": 1.5}, r"dropout = 1\.5", "0.0"),
        ({"encoder": "lstm", "attention": "full"}, "attention = 'full'", "additive"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(table, match, hint):
    for verb in (resolved, lambda table: compose(table, 10, 1)):
        with pytest.raises(RecipeError, match=match) as error:
            verb(table)
        assert hint in error.value.hint


def test_resolved_fills_every_default_and_is_its_own_fixed_point():
    table = resolved({"encoder": "lstm", "dim": 32})
    assert table["encoder"] == "lstm" and table["dim"] == 32 and table["max_len"] == 50 and table["attention"] == "none"
    unasked = {"also", "time_components", "value_scale", "fusion", "content_hidden", "id_bound", "id_dropout"}
    unasked.add("pair_hidden")
    assert set(table) == {"encoder"} | set(model_keys()["network"]) - unasked | set(model_keys()["lstm"])
    assert resolved(table) == table
    assert resolved({"opponent": "popularity"})["opponent"] == "popularity"


def test_every_key_of_every_part_has_a_type_a_default_and_a_sentence():
    keys = model_keys()
    assert set(keys) == {"network", *ENCODERS, *OPPONENTS}
    assert set(keys["network"]) == {f.name for f in dataclasses.fields(NetworkSettings)}
    assert keys["network"]["dim"][:2] == ("int", 64)
    assert keys["gru"]["attention"][:2] == ("'none' | 'dot' | 'additive'", "none")
    for part in ("network", *ENCODERS):
        for name, (type_text, default, doc) in keys[part].items():
            assert type_text and default is not None and doc.endswith("."), (part, name)


@pytest.mark.parametrize("name", RECIPES)
def test_installed_recipes_compose_and_their_resolved_form_can_be_written(name):
    recipe = load_recipe(name)
    assert recipe.about.endswith(".")
    assert isinstance(compose(recipe.model, 10, 1), Network)
    assert "max_len = 50" in to_toml({"model": resolved(recipe.model)})
