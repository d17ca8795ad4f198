"""The scan against the recurrence written out, stepping against the scan, and a hand-worked memory."""

import math

import pytest
import torch

from horae.errors import RecipeError
from horae.models.encoders.linear_recurrence import LinearRecurrence, LinearRecurrenceSettings, Recurrence, scan

DIM = 6
TURN = math.pi / 2


def made(dropout=0.0, **settings):
    torch.manual_seed(0)
    return LinearRecurrence(LinearRecurrenceSettings(**settings), DIM, 20, dropout).eval()


def states(encoder, x_BLD):
    unknown_BL = torch.full(x_BLD.shape[:2], torch.nan, dtype=torch.float64)
    with torch.no_grad():
        return encoder(x_BLD, unknown_BL, torch.full((len(x_BLD),), x_BLD.shape[1]), unknown_BL)


@pytest.mark.parametrize("length", [1, 2, 3, 8, 13])
def test_the_scan_is_the_recurrence(length):
    torch.manual_seed(length)
    u_BLD = torch.randn(2, length, 3, dtype=torch.complex128)
    decay_D = torch.polar(torch.tensor([0.5, 0.9, 0.999]), torch.tensor([0.0, 1.0, 3.0])).to(torch.complex128)
    wanted, state_BD = [], torch.zeros(2, 3, dtype=torch.complex128)
    for place in range(length):
        state_BD = decay_D * state_BD + u_BLD[:, place]
        wanted.append(state_BD)
    torch.testing.assert_close(scan(u_BLD, decay_D), torch.stack(wanted, dim=1))


def test_the_scan_leaves_its_input_alone():
    u_BLD = torch.ones(1, 4, 1, dtype=torch.complex64)
    scan(u_BLD, torch.tensor([0.5 + 0j]))
    assert torch.equal(u_BLD, torch.ones_like(u_BLD))


def test_gradients_are_those_of_the_recurrence():
    torch.manual_seed(0)
    u_BLD = torch.randn(2, 5, 2, dtype=torch.complex128, requires_grad=True)
    decay_D = (torch.randn(2, dtype=torch.complex128) / 2).requires_grad_()
    assert torch.autograd.gradcheck(scan, (u_BLD, decay_D))


def test_one_memory_worked_by_hand():
    recurrence = Recurrence(LinearRecurrenceSettings(), 1)
    with torch.no_grad():
        recurrence.nu_D.fill_(math.log(math.log(2)))  # the radius is 1 / 2
        recurrence.theta_D.fill_(TURN)
        recurrence.enter.weight.copy_(torch.tensor([[1.0], [2.0]]))
        recurrence.leave.weight.copy_(torch.tensor([[1.0, 10.0]]))
        recurrence.enter.bias.zero_()
        recurrence.leave.bias.zero_()
        got = recurrence(torch.tensor([[[4.0], [0.0], [2.0]]]))
    # a = i / 2, sqrt(1 - 1/4) = .866025
    # s = .866025 * (4 + 8i) = 3.464102 + 6.928203i                                   y = 3.464102 + 69.282032
    # s = i / 2 * s = -3.464102 + 1.732051i                                           y = -3.464102 + 17.320508
    # s = i / 2 * s + .866025 * (2 + 4i) = (-.866025 + 1.732051) + (-1.732051 + 3.464102)i    y = .866025 + 17.320508
    assert got.flatten().tolist() == pytest.approx([72.746134, 13.856406, 18.186533], abs=1e-4)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_stepping_gives_the_scans_state_at_every_position(num_layers):
    encoder, x_BLD = made(num_layers=num_layers), torch.randn(4, 20, DIM)
    wanted = states(encoder, x_BLD)
    state_NBD = encoder.start(4)
    size = state_NBD.shape
    with torch.no_grad():
        for place in range(20):
            state_NBD, h_BD = encoder.step(state_NBD, x_BLD[:, place])
            torch.testing.assert_close(h_BD, wanted[:, place], atol=1e-5, rtol=1e-5)
            assert state_NBD.shape == size == (num_layers, 4, DIM)


def test_a_state_that_was_kept_goes_on_from_where_it_stood():
    encoder, x_BLD = made(), torch.randn(2, 7, DIM)
    with torch.no_grad():
        state_NBD = encoder.start(2)
        for place in range(6):
            state_NBD, _ = encoder.step(state_NBD, x_BLD[:, place])
        kept = torch.view_as_real(state_NBD).numpy().tobytes()
        again = torch.frombuffer(bytearray(kept), dtype=torch.float32).view(2, 2, DIM, 2)
        _, h_BD = encoder.step(torch.view_as_complex(again), x_BLD[:, 6])
    torch.testing.assert_close(h_BD, states(encoder, x_BLD)[:, 6], atol=1e-5, rtol=1e-5)


def test_the_short_way_to_the_newest_state_gives_the_same():
    encoder, unknown_BL = made(), torch.full((4, 7), torch.nan, dtype=torch.float64)
    given = (torch.randn(4, 7, DIM), unknown_BL, torch.tensor([7, 1, 3, 0]), unknown_BL)
    with torch.no_grad():
        wanted = encoder.last(encoder(*given), given[2])
        torch.testing.assert_close(encoder.newest(*given), wanted, atol=1e-5, rtol=1e-5)


def test_memories_begin_between_the_two_radii_and_never_grow():
    encoder = LinearRecurrence(LinearRecurrenceSettings(min_radius=0.4, max_radius=0.6), 200, 5, 0.0)
    radius_D = encoder.blocks[0].recurrence.decay().abs()
    assert 0.4 <= radius_D.min() < 0.43 and 0.58 < radius_D.max() <= 0.6
    with torch.no_grad():
        encoder.blocks[0].recurrence.nu_D.copy_(torch.linspace(-9, 9, 200))
    assert (encoder.blocks[0].recurrence.decay().abs() < 1).all()


def test_training_moves_every_parameter_and_padding_has_no_part_in_it():
    encoder = made().train()
    unknown_BL = torch.full((2, 6), torch.nan, dtype=torch.float64)
    x_BLD = torch.randn(2, 6, DIM, requires_grad=True)
    weight_D = torch.randn(DIM)  # a plain sum over a LayerNorm is the same whatever it is given
    (encoder(x_BLD, unknown_BL, torch.tensor([3, 3]), unknown_BL)[:, :3] * weight_D).square().sum().backward()
    assert all((p.grad != 0).any() and p.grad.isfinite().all() for p in encoder.parameters())
    assert (x_BLD.grad[:, 3:] == 0).all() and (x_BLD.grad[:, :3] != 0).any()


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"num_layers": 0}, "num_layers = 0"),
        ({"ffn_multiple": 0}, "ffn_multiple = 0"),
        ({"min_radius": 0.0}, r"min_radius = 0\.0"),
        ({"max_radius": 1.0}, r"max_radius = 1\.0"),
        ({"min_radius": 0.9, "max_radius": 0.8}, "the first not above the second"),
        ({"min_radius": math.nan}, "min_radius = nan"),
    ],
)
def test_impossible_settings_are_refused(settings, match):
    with pytest.raises(RecipeError, match=match):
        LinearRecurrenceSettings(**settings)
