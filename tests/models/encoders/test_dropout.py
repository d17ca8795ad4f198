import pytest
import torch

from horae.models.encoders.dropout import Dropout


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
