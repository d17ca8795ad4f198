from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.forecasting.series.lines import weekly

from horae.forecasting.series.convolution import Convolution
from horae.forecasting.series.network import NETWORKS, SeriesNetwork, pinball_loss
from horae.forecasting.series.settings import SeriesNetworkSettings
from horae.forecasting.series.windows import Windows

SMALL = SeriesNetworkSettings(dim=8, dropout=0.0)
LEVELS = (0.1, 0.5, 0.9)


def made(name: str, settings: SeriesNetworkSettings = SMALL, window: int = 20):
    torch.manual_seed(0)
    network = SeriesNetwork(name, settings, window, 12).eval()
    for parameter in network.say.parameters():  # it starts with nothing to say
        torch.nn.init.normal_(parameter)
    rng = np.random.default_rng(0)
    batch, _ = Windows(weekly(), window, 5, asinh=True).batch(rng.integers(0, 12, 16), rng.integers(3, 60, 16))
    return network, batch


@pytest.mark.parametrize("name", NETWORKS)
def test_quantiles_never_cross(name: str):
    network, batch = made(name)
    said = network(batch)
    assert said.shape == (16, 5, 3)
    assert bool((said.diff(dim=-1) > 0).all())


@pytest.mark.parametrize("name", NETWORKS)
def test_padding_changes_nothing(name: str):
    network, batch = made(name)
    noisy = batch.past_BLF.clone()
    beyond = torch.arange(20) >= batch.length_B[:, None]
    assert bool(beyond.any())
    noisy[beyond] = 99.0
    assert torch.allclose(network(batch), network(replace(batch, past_BLF=noisy)), atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_starts_at_the_mean_of_the_last_seasons(name: str):
    torch.manual_seed(0)
    network = SeriesNetwork(name, SMALL, 20, 12).eval()
    _, batch = made(name)
    assert torch.allclose(network(batch)[..., 1], batch.asked_BHG[..., 1], atol=1e-6)


def test_a_series_vector_tells_series_apart():
    network, batch = made("lstm", replace(SMALL, embed_series=True))
    assert network.series is not None
    other = replace(batch, series_B=(batch.series_B + 1) % 12)
    assert not torch.allclose(network(batch), network(other))


@pytest.mark.parametrize(("length", "more"), [(1, 0), (3, 0), (4, 0), (56, 0), (400, 1)])
def test_the_convolution_sees_the_first_bin_and_nothing_later(length: int, more: int):
    torch.manual_seed(0)
    own = Convolution(more, 4, length, 0.0).eval()
    x = torch.randn(1, length, 4, requires_grad=True)
    own(x, *[torch.zeros(1, length)] * 3)[0, -1].pow(3).sum().backward()
    assert float(x.grad[0, 0].abs().sum()) > 0
    changed = x.detach().clone()
    changed[0, length // 2 :] += 1
    before, after = own(x.detach(), *[torch.zeros(1)] * 3), own(changed, *[torch.zeros(1)] * 3)
    assert torch.equal(before[0, : length // 2], after[0, : length // 2])


def test_pinball_by_hand_and_without_unknown_targets():
    said = torch.tensor([[[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]]])
    target = torch.tensor([[3.0, float("nan")]])
    assert float(pinball_loss(said, target, LEVELS)) == pytest.approx((0.1 * 2 + 0.5 * 1 + 0.1 * 1) / 3)
    assert float(pinball_loss(said, torch.full((1, 2), float("nan")), LEVELS)) == 0
