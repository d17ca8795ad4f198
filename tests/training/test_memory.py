import pytest
import torch
from tests.logs import chain_log

import horae
from horae.errors import RecipeError
from horae.recipe import load_recipe
from horae.training import memory
from horae.training.check import check


def needed(*overrides, items=1000):
    return memory.bytes_needed(check(load_recipe("sasrec", overrides)), items, 1)


@pytest.mark.parametrize(("average_steps", "times"), [(0, 5), (100, 6)])
def test_the_estimate_holds_every_parameter_five_times_and_its_mean_without_allocating_any(average_steps, times):
    table = 4 * times * (10**9 + 1) * 64  # a billion items would never fit; nothing is allocated to find out
    assert needed(f"train.average_steps={average_steps}", items=10**9) == pytest.approx(table, rel=0.01)


def test_the_estimate_grows_with_dim_and_with_batch():
    assert needed("model.dim=128") > 1.9 * needed("model.dim=64")
    assert needed("train.batch_tokens=8192") > needed()


def test_what_cannot_fit_is_refused_before_it_starts_with_the_estimate_and_a_dim_that_fits(monkeypatch):
    monkeypatch.setattr(memory, "bytes_there", lambda device: 2**22)
    with pytest.raises(RecipeError, match=r"dim = 64 with 20 items needs about 0\.0 GiB.*0\.0 GiB are free") as raised:
        horae.train(chain_log(users=30), "sasrec")
    assert raised.value.hint == "Lower it: --set model.dim=8"
    assert needed("model.dim=8", items=20) <= 2**22 < needed("model.dim=16", items=20)


@pytest.mark.parametrize(("there", "says"), [(2**30, "Lower it: --set model.dim="), (2**10, "No dim would fit")])
def test_the_dim_that_is_advised_fits_however_far_too_large_the_dim_was(monkeypatch, there, says):
    monkeypatch.setattr(memory, "bytes_there", lambda device: there)
    recipe = check(load_recipe("sasrec", ["model.dim=100000000"]))
    with pytest.raises(RecipeError) as raised:
        memory.refuse_what_cannot_fit(recipe, 20, 1, torch.device("cpu"))
    assert str(raised.value.hint).startswith(says)
    if there == 2**30:
        advised = int(str(raised.value.hint).rpartition("=")[2])
        assert there / 8 < needed(f"model.dim={advised}", items=20) <= there


def test_an_opponent_is_let_through(monkeypatch):
    monkeypatch.setattr(memory, "bytes_there", lambda device: 0)
    memory.refuse_what_cannot_fit(check(load_recipe("markov")), 10**9, 1, torch.device("cpu"))


def test_the_machine_says_what_is_free():
    assert memory.bytes_there(torch.device("cpu")) > 2**20
