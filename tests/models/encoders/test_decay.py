"""Cells that forget while nothing happens: by hand, against torch where no time passes, and by learning."""

import math

import pytest
import torch
from tests.models.encoders.test_hstu import accuracy_after_learning
from torch import nn

from horae.models.encoders.decay import DecayGRU, DecayLSTM, DecaySettings
from horae.models.encoders.gru import GRU
from horae.models.encoders.recurrent import RecurrentSettings

DAY, DIM, LENGTH = 86_400.0, 6, 5
UNKNOWN_BL = torch.full((3, LENGTH), torch.nan, dtype=torch.float64)
KINDS = {"gru": (DecayGRU, nn.GRU, 3), "lstm": (DecayLSTM, nn.LSTM, 4)}


def made(kind, dim=DIM, **settings):
    torch.manual_seed(0)
    encoder = KINDS[kind][0](DecaySettings(**settings), dim, 10, 0.0).eval()
    for name, parameter in encoder.named_parameters():
        if "speed" in name or "offset" in name or name.endswith("bias"):
            nn.init.uniform_(parameter, 0.1, 0.9)
    return encoder


def states(encoder, x_BLD, time_BL, asked_BL):
    with torch.no_grad():
        return encoder(x_BLD, time_BL, torch.full((len(x_BLD),), x_BLD.shape[1]), asked_BL)


@pytest.mark.parametrize("kind", KINDS)
def test_where_no_time_is_known_it_is_torchs_own_cell(kind):
    encoder, x_BLD = made(kind), torch.randn(3, LENGTH, DIM)
    theirs = KINDS[kind][1](DIM, DIM, batch_first=True)
    layer = encoder.layers[0]
    with torch.no_grad():
        for name, linear in (("ih", layer.from_input), ("hh", layer.from_state)):
            getattr(theirs, f"weight_{name}_l0").copy_(linear.weight)
            getattr(theirs, f"bias_{name}_l0").copy_(linear.bias)
        wanted, _ = theirs(x_BLD)
    torch.testing.assert_close(states(encoder, x_BLD, UNKNOWN_BL, UNKNOWN_BL), wanted, atol=1e-5, rtol=1e-5)


def test_a_gru_state_fades_by_its_speed_until_the_question():
    encoder, x_BLD = made("gru"), torch.randn(1, 1, DIM)
    time_BL = torch.zeros(1, 1, dtype=torch.float64)
    at_once, later = (states(encoder, x_BLD, time_BL, time_BL + wait) for wait in (0.0, 3 * DAY))
    layer = encoder.layers[0]
    left_D = torch.exp(-(layer.speed_D * math.log(4) + layer.offset_D)).detach()
    torch.testing.assert_close(later[0, 0], at_once[0, 0] * left_D)


def test_a_gru_forgets_before_the_event_after_a_gap():
    encoder, x_BLD = made("gru"), torch.randn(1, 2, DIM)
    with torch.no_grad():
        encoder.layers[0].speed_D.fill_(1e4)  # everything fades at once
    time_BL = torch.tensor([[0.0, 9 * DAY]], dtype=torch.float64)
    alone = states(encoder, x_BLD[:, 1:], time_BL[:, 1:], time_BL[:, 1:])
    torch.testing.assert_close(states(encoder, x_BLD, time_BL, time_BL)[:, 1:], alone)


def test_an_lstm_cell_keeps_what_lasts_and_discounts_what_fades():
    encoder, x_BLD = made("lstm"), torch.randn(1, 1, DIM)
    time_BL = torch.zeros(1, 1, dtype=torch.float64)
    layer = encoder.layers[0]
    i, _, g, o = layer.from_input(x_BLD[0, 0]).add(layer.from_state(torch.zeros(DIM))).chunk(4)
    c = torch.sigmoid(i) * torch.tanh(g)
    fading = torch.tanh(layer.fading(c))
    c = c - fading + fading / math.log(math.e + 30)
    got = states(encoder, x_BLD, time_BL, time_BL + 30 * DAY)[0, 0]
    torch.testing.assert_close(got, (torch.sigmoid(o) * torch.tanh(c)).detach())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attention", ["none", "dot"])
def test_later_events_never_change_a_state(kind, attention):
    encoder, x_BLD = made(kind, num_layers=2, attention=attention), torch.randn(3, LENGTH, DIM)
    time_BL = torch.rand(3, LENGTH, dtype=torch.float64).mul(9 * DAY).cumsum(1)
    asked_BL = torch.cat([time_BL[:, 1:], time_BL[:, -1:] + DAY], 1)
    before = states(encoder, x_BLD, time_BL, asked_BL)
    x_BLD[:, 3:] += 1
    time_BL[:, 3:] += 5 * DAY
    asked_BL[:, 3:] += 6 * DAY
    torch.testing.assert_close(states(encoder, x_BLD, time_BL, asked_BL)[:, :3], before[:, :3])


@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_runs_backwards_is_taken_as_no_time(kind):
    encoder, x_BLD = made(kind), torch.randn(3, LENGTH, DIM)
    time_BL = torch.zeros(3, LENGTH, dtype=torch.float64)
    backwards = -torch.arange(LENGTH, dtype=torch.float64).expand(3, -1) * DAY
    at_once = states(encoder, x_BLD, time_BL, time_BL)
    torch.testing.assert_close(states(encoder, x_BLD, backwards, backwards - DAY), at_once)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_elapsed_time_decides_is_learned_which_order_cannot_show(kind):
    torch.manual_seed(0)
    encoder = KINDS[kind][0](DecaySettings(), 16, 5, 0.0)
    assert accuracy_after_learning(encoder, steps=150) > 0.9
    assert accuracy_after_learning(GRU(RecurrentSettings(), 16, 5, 0.0), steps=150) < 0.7
