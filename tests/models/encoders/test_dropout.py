import pytest
import torch

from horae.errors import RecipeError
from horae.models.compose import compose
from horae.models.encoders import ENCODERS
from horae.models.encoders.dropout import Dropout, choose_kind


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_the_share_is_dropped_and_the_mean_stays(share):
    torch.manual_seed(0)
    kept = Dropout(share)(torch.ones(999, 1001))
    assert (kept == 0).float().mean().item() == pytest.approx(share, abs=0.002)
    assert kept.mean().item() == pytest.approx(1.0, abs=0.01)
    assert len(kept.unique()) == 2


def test_gradients_pass_where_values_do():
    x = torch.randn(64, 33, requires_grad=True)
    y = Dropout(0.3)(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad * x, y)


def test_neighbours_are_dropped_independently():
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(400_000)) > 0).float() - 0.5
    for distance in (1, 2, 3, 4, 5):
        assert (kept[:-distance] * kept[distance:]).mean().abs().item() < 0.002


def test_evaluation_and_a_share_of_zero_change_nothing():
    x = torch.randn(3, 3)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_the_seed_decides():
    torch.manual_seed(3)
    one = Dropout(0.5)(torch.ones(1000))
    torch.manual_seed(3)
    assert torch.equal(one, Dropout(0.5)(torch.ones(1000)))


def of_kind(kind, share=0.3):
    dropout = Dropout(share, of_inputs=True)
    choose_kind(torch.nn.Sequential(dropout), kind)
    return dropout


@pytest.mark.parametrize("kind", ["event", "variational"])
def test_what_is_dropped_together_shares_its_fate_and_the_mean_stays(kind):
    torch.manual_seed(0)
    kept_BLD = of_kind(kind)(torch.ones(400, 50, 64))
    alike = kept_BLD[:, :, :1] if kind == "event" else kept_BLD[:, :1]
    assert torch.equal(kept_BLD, alike.expand_as(kept_BLD))
    assert (alike == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert kept_BLD.mean().item() == pytest.approx(1.0, abs=0.02)
    assert len(kept_BLD.flatten(1).unique(dim=0)) > 390  # rows do not share


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_has_all_kinds(name):
    for kind, marked in (("event", 1), ("variational", 2)):
        network = compose({"encoder": name, "dim": 8, "dropout_kind": kind}, 5, 1)
        kinds = [module.kind for module in network.modules() if isinstance(module, Dropout)]
        assert kinds.count(kind) == (1 if kind == "event" else len(kinds)) and len(kinds) >= marked


def test_a_kind_without_effect_is_refused():
    with pytest.raises(RecipeError, match="no effect with dropout = 0"):
        compose({"encoder": "gru", "dropout": 0.0, "dropout_kind": "event"}, 5, 1)
    with pytest.raises(RecipeError, match="drops nothing of its inputs"):
        choose_kind(torch.nn.Sequential(Dropout(0.2)), "event")
    with pytest.raises(RecipeError, match="nothing is dropped"):
        choose_kind(torch.nn.Linear(2, 2), "variational")


def test_a_share_near_one_keeps_something():
    dropped = Dropout(0.999999).train()(torch.ones(1_000, 1_000))
    assert dropped.isfinite().all() and 0 < (dropped != 0).float().mean() < 0.001
