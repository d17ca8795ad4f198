import numpy as np
import pytest
import torch

from horae.errors import RecipeError
from horae.models.encoders.low_pass import LowPassAttention, LowPassSettings, LowPassTransformer, low_pass_weights

DIM = 4


def filter_alone(max_len, frequencies, scale):
    """The filter without attention."""
    attention = LowPassAttention(LowPassSettings(filter_share=1.0, low_frequencies=frequencies), DIM, max_len)
    torch.nn.init.constant_(attention.scale_D, scale)
    return attention


def test_weights_of_four_events_are_worked_by_hand():
    # the mean: 1/4 each; with frequency 1 besides, 1/4 + 2 cos(2 pi lag / 4) / 4 = (1 + 2, 1 + 0, 1 - 2, 1 - 0) / 4
    torch.testing.assert_close(low_pass_weights(4, 1), torch.full((4,), 0.25))
    torch.testing.assert_close(low_pass_weights(4, 2), torch.tensor([0.75, 0.25, -0.25, 0.25]))


def test_two_events_and_the_mean_are_worked_by_hand():
    x_BLD = torch.tensor([[[2.0], [6.0]]]).expand(1, 2, DIM)
    # low = (2 / 2, (2 + 6) / 2) = (1, 4); what is left, (1, 2), is rescaled by 3^2
    h_BLD = filter_alone(2, 1, 3.0)(x_BLD)
    torch.testing.assert_close(h_BLD[0, :, 0], torch.tensor([1.0 + 9 * 1, 4.0 + 9 * 2]))


@pytest.mark.parametrize(("width", "frequencies"), [(9, 3), (8, 4), (5, 1)])
def test_at_every_position_it_is_the_fourier_filter_of_the_window_that_ends_there(width, frequencies):
    x_BLD = torch.randn(2, width, DIM)
    low_BLD = filter_alone(width, frequencies, 0.0)(x_BLD)
    for position in range(width):
        window = np.zeros((2, width, DIM))
        window[:, width - position - 1 :] = x_BLD[:, : position + 1]
        spectrum = np.fft.rfft(window, axis=1)
        spectrum[:, frequencies:] = 0
        expected = np.fft.irfft(spectrum, n=width, axis=1)[:, -1]
        np.testing.assert_allclose(low_BLD[:, position].detach().numpy(), expected, atol=1e-5)


def test_a_scale_of_one_filters_nothing_and_shares_mix():
    x_BLD = torch.randn(2, 6, DIM)
    torch.testing.assert_close(filter_alone(6, 2, 1.0)(x_BLD), x_BLD)
    torch.manual_seed(0)
    mixed = LowPassAttention(LowPassSettings(filter_share=0.25, low_frequencies=2), DIM, 6)
    torch.nn.init.ones_(mixed.scale_D)
    attended_BLD = super(LowPassAttention, mixed).forward(x_BLD)
    torch.testing.assert_close(mixed(x_BLD), 0.25 * x_BLD + 0.75 * attended_BLD)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: LowPassSettings(filter_share=0.0), "filter_share = 0.0"),
        (lambda: LowPassSettings(filter_share=1.5), "filter_share = 1.5"),
        (lambda: LowPassSettings(low_frequencies=0), "low_frequencies = 0"),
        (lambda: LowPassSettings(num_layers=0), "num_layers = 0"),
        (lambda: LowPassTransformer(LowPassSettings(low_frequencies=5), DIM, 8, 0.0), "keeps every frequency"),
    ],
)
def test_impossible_settings_are_refused(make, match):
    with pytest.raises(RecipeError, match=match):
        make()
