"""The denoiser sees what it is shown and nothing else; untrained, it draws straight lines."""

import pytest
import torch

from horae.forecasting.denoising import Denoiser, Windows, features, turned


def windows(values, seen, gaps=None, others=None):
    value_BL = torch.tensor([values], dtype=torch.float32)
    seen_BL = torch.tensor([seen], dtype=torch.bool)
    gap_BL = torch.ones_like(value_BL) if gaps is None else torch.tensor([gaps], dtype=torch.float32)
    others_BL = torch.zeros_like(value_BL) if others is None else torch.tensor([others], dtype=torch.float32)
    return Windows(
        value_BL * seen_BL, seen_BL, gap_BL, others_BL, others_BL != 0, torch.tensor([len(values)], dtype=torch.int64)
    )


def test_untrained_it_draws_lines_by_the_clock_and_carries_the_ends_outwards():
    shown = windows([9.0, 2, 9, 9, 8, 9], [0, 1, 0, 0, 1, 0], gaps=[1.0, 1, 1, 4, 1, 1])
    torch.testing.assert_close(Denoiser(4, 8, 0.0).eval()(shown)[0], torch.tensor([2.0, 2, 3, 7, 8, 8]))


def test_a_window_that_shows_nothing_is_the_lines_mean():
    assert Denoiser(4, 8, 0.0).eval()(windows([5.0, 6.0], [0, 0])).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("period", [None, 2])
def test_hidden_values_are_not_in_the_inputs(period):
    shown = windows([1.0, 2, 3, 4, 5, 6], [1] * 6, others=[6.0, 5, 4, 3, 2, 1])
    hidden = torch.tensor([[False, True, False, True, False, False]])
    other = windows([1.0, -70, 3, 1e9, 5, 6], [1] * 6, others=[6.0, 7777, 4, -3, 2, 1])
    for one, two in zip(
        features(shown.hide(hidden, hidden), period), features(other.hide(hidden, hidden), period), strict=True
    ):
        assert torch.equal(one, two)
    assert not torch.equal(features(shown, period)[0], features(other, period)[0])


def test_padding_moves_nothing():
    torch.manual_seed(0)
    network = Denoiser(8, 8, 0.0).eval()
    torch.nn.init.normal_(network.answer.weight)
    short = windows([1.0, 0, 3, 0, 5], [1, 0, 1, 0, 1])
    padded = {name: torch.nn.functional.pad(part, (0, 3)) for name, part in vars(short).items() if name != "length_B"}
    longer = Windows(**padded, length_B=short.length_B)
    torch.testing.assert_close(network(longer)[:, :5], network(short), rtol=1e-5, atol=1e-6)


def test_turning_twice_is_as_before_and_leaves_padding():
    x_BLD = torch.arange(10.0).reshape(2, 5, 1)
    length_B = torch.tensor([3, 5])
    once = turned(x_BLD, length_B)
    assert once[0, :, 0].tolist() == [2, 1, 0, 3, 4] and once[1, :, 0].tolist() == [9, 8, 7, 6, 5]
    assert torch.equal(turned(once, length_B), x_BLD)


def test_it_looks_both_ways():
    torch.manual_seed(0)
    network = Denoiser(8, 8, 0.0).eval()
    torch.nn.init.normal_(network.answer.weight)
    middle = network(windows([1.0, 0, 0, 0, 5], [1, 0, 0, 0, 1]))[0, 2]
    for values in ([2.0, 0, 0, 0, 5], [1.0, 0, 0, 0, 6]):
        assert network(windows(values, [1, 0, 0, 0, 1]))[0, 2] != middle
