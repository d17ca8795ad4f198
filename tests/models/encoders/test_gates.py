"""The gates against the textbook's equations: once wholly by hand, once in numpy."""

import numpy as np
import pytest
import torch

from horae.models.encoders.gru import GRU
from horae.models.encoders.lstm import LSTM
from horae.models.encoders.recurrent import RecurrentSettings


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def states(encoder, x_BLD):
    encoder.eval()
    length_B = torch.full((len(x_BLD),), x_BLD.shape[1])
    with torch.inference_mode():
        return encoder(x_BLD, torch.zeros(x_BLD.shape[:2]), length_B, torch.zeros(x_BLD.shape[:2]))


def test_one_unit_lstm_worked_by_hand():
    lstm = LSTM(RecurrentSettings(), dim=1, max_len=2, dropout=0.0)
    with torch.no_grad():
        lstm.cells.weight_ih_l0.copy_(torch.tensor([[1.0], [0.5], [2.0], [-1.0]]))  # i, f, g, o
        lstm.cells.weight_hh_l0.copy_(torch.tensor([[0.5], [1.0], [-1.0], [2.0]]))
        lstm.cells.bias_ih_l0.zero_()
        lstm.cells.bias_hh_l0.zero_()
    # x = 1: i = s(1) = 0.731059, f = s(.5) = 0.622459, g = tanh(2) = 0.964028, o = s(-1) = 0.268941
    #        c = 0.731059 * 0.964028 = 0.704761;  h = 0.268941 * tanh(0.704761) = 0.268941 * 0.607382 = 0.163350
    # x = 0: i = s(.081674) = 0.520407, f = s(.163348) = 0.540746, g = tanh(-.163348) = -0.161911, o = s(.326696)
    #        c = 0.540746 * 0.704761 - 0.520407 * 0.161911 = 0.296837;  h = 0.580955 * 0.288416 = 0.167557
    h_BLD = states(lstm, torch.tensor([[[1.0], [0.0]]]))
    assert h_BLD.flatten().tolist() == pytest.approx([0.163350, 0.167557], abs=2e-6)


def test_one_unit_gru_worked_by_hand():
    gru = GRU(RecurrentSettings(), dim=1, max_len=2, dropout=0.0)
    with torch.no_grad():
        gru.cells.weight_ih_l0.copy_(torch.tensor([[1.0], [-1.0], [2.0]]))  # r, z, n
        gru.cells.weight_hh_l0.copy_(torch.tensor([[0.5], [1.0], [3.0]]))
        gru.cells.bias_ih_l0.zero_()
        gru.cells.bias_hh_l0.zero_()
    # x = 1: z = s(-1) = 0.268941, n = tanh(2) = 0.964028, h = 0.731059 * 0.964028 = 0.704761
    # x = 0: r = s(.352381) = 0.587195, z = s(.704761) = 0.669242, n = tanh(0.587195 * 2.114282) = tanh(1.241495)
    #        = 0.845881;  h = 0.330758 * 0.845881 + 0.669242 * 0.704761 = 0.751437
    h_BLD = states(gru, torch.tensor([[[1.0], [0.0]]]))
    assert h_BLD.flatten().tolist() == pytest.approx([0.704761, 0.751437], abs=2e-6)


def numpy_lstm(x_LD, w, u, b):
    h = c = np.zeros(x_LD.shape[1])
    out = []
    for x in x_LD:
        i, f, g, o = np.split(w @ x + u @ h + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.array(out)


def numpy_gru(x_LD, w, u, b, c):
    h = np.zeros(x_LD.shape[1])
    out = []
    for x in x_LD:
        (ir, iz, inew), (hr, hz, hnew) = np.split(w @ x + b, 3), np.split(u @ h + c, 3)
        r, z = sigmoid(ir + hr), sigmoid(iz + hz)
        h = (1 - z) * np.tanh(inew + r * hnew) + z * h
        out.append(h)
    return np.array(out)


@pytest.mark.parametrize("seed", range(3))
def test_wide_gates_equal_the_equations_in_numpy(seed):
    torch.manual_seed(seed)
    x_LD = torch.randn(6, 5)
    for encoder in (LSTM(RecurrentSettings(), 5, 6, 0.0), GRU(RecurrentSettings(), 5, 6, 0.0)):
        torch.nn.init.normal_(encoder.cells.bias_ih_l0)
        torch.nn.init.normal_(encoder.cells.bias_hh_l0)
        w, u, b, c = (p.detach().double().numpy() for p in encoder.cells.parameters())
        x = x_LD.double().numpy()
        expected = numpy_lstm(x, w, u, b + c) if isinstance(encoder, LSTM) else numpy_gru(x, w, u, b, c)
        np.testing.assert_allclose(states(encoder, x_LD[None])[0].numpy(), expected, atol=1e-5)


def test_a_fresh_lstm_remembers_and_all_other_biases_are_zero():
    lstm = LSTM(RecurrentSettings(num_layers=2), dim=4, max_len=2, dropout=0.0)
    for layer in ("l0", "l1"):
        total = getattr(lstm.cells, f"bias_ih_{layer}") + getattr(lstm.cells, f"bias_hh_{layer}")
        assert [gate.tolist() for gate in total.chunk(4)] == [[0.0] * 4, [1.0] * 4, [0.0] * 4, [0.0] * 4]


def test_recurrent_weights_start_orthogonal():
    for gate in GRU(RecurrentSettings(), 8, 2, 0.0).cells.weight_hh_l0.detach().chunk(3):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-5, rtol=0)
