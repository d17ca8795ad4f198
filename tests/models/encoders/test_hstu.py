"""HSTU against its formula in plain numbers, what it may know of time, and what it learns that order cannot show."""

import pytest
import torch
from torch import nn

from horae.errors import RecipeError
from horae.models.encoders.hstu import HSTU, HSTUSettings
from horae.models.encoders.time_bias import FASTER, gap_buckets
from horae.models.encoders.transformer import Transformer, TransformerSettings

DIM, LENGTH, NOW, DAY = 8, 6, 1_700_000_000.0, 86_400.0
UNKNOWN_BL = torch.full((2, LENGTH), torch.nan, dtype=torch.float64)
SETTINGS = {
    "both": HSTUSettings(),
    "event": HSTUSettings(time_bias="event"),
    "order": HSTUSettings(time_bias="none"),
    "time": HSTUSettings(position_bias=False),
    "neither": HSTUSettings(position_bias=False, time_bias="none"),
}


def made(settings=None, seed=0, dim=DIM):
    torch.manual_seed(seed)
    encoder = HSTU(settings or HSTUSettings(), dim, LENGTH, 0.0).eval()
    for name, parameter in encoder.named_parameters():
        if "_HN" in name:  # as after training: biases large enough to be seen
            nn.init.normal_(parameter, std=1 / FASTER)
    return encoder


def times(rows=2, length=LENGTH, seed=0):
    gap_BL = torch.rand(rows, length + 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 9 * DAY
    line = NOW + gap_BL.cumsum(1)
    return line[:, :-1], line[:, 1:]


def states(encoder, x_BLD, time_BL, asked_BL):
    with torch.no_grad():
        return encoder(x_BLD, time_BL, torch.full((len(x_BLD),), x_BLD.shape[1]), asked_BL)


def test_one_head_over_two_events_worked_by_hand():
    encoder = HSTU(HSTUSettings(num_layers=1, num_heads=1, num_buckets=3), 2, 2, 0.0).eval()
    layer = encoder.layers[0]
    with torch.no_grad():
        eye, none = torch.eye(2), torch.zeros(2, 2)
        layer.project.weight.copy_(torch.cat([none, eye, eye, eye]))  # u, q, k, v
        layer.project.bias.copy_(torch.tensor([20.0, 20.0, 0, 0, 0, 0, 0, 0]))  # u = silu(20) = 20
        layer.mix.weight.copy_(eye)
        layer.mix.bias.zero_()
        layer.bias.place_HN.copy_(torch.tensor([[0.5, -1.0]]) / FASTER)
        layer.bias.time_HN.copy_(torch.tensor([[0.0, 0.25, 2.0, 9.0]]) / FASTER)  # < 1 s, < 20 years, more, unknown
        layer.attended_norm = nn.Identity()
        encoder.norm = nn.Identity()
    # norm((3, 1)) = (1, -1), norm((0, 4)) = (-1, 1); silu(1) = .731059, silu(-1) = -.268941: v = q = k
    # first: q.k = .534447 + .072329 = .606776, + .5 + .25 (asked 10 s later) = 1.356776, silu = 1.078956
    #        a = 1.078956 * (.731059, -.268941) = (.788781, -.290176)
    # second: on the first: q.k = 2 * .731059 * -.268941 = -.393223, - 1 + 2 (asked 21 years later) = .606777,
    #         silu = .392697; on itself: .606776 + .5 + 0 (asked at once) = 1.106776, silu = .831681
    #         a = (.392697 * (.731059, -.268941) + .831681 * (-.268941, .731059)) / 2 = (.031707, .251197)
    year = 365.25 * DAY
    time_BL = torch.tensor([[NOW, NOW + 21 * year]], dtype=torch.float64)
    asked_BL = torch.tensor([[NOW + 10, NOW + 21 * year]], dtype=torch.float64)
    got = states(encoder, torch.tensor([[[3.0, 1.0], [0.0, 4.0]]]), time_BL, asked_BL)
    wanted = [[3 + 20 * 0.788781, 1 - 20 * 0.290176], [20 * 0.031707, 4 + 20 * 0.251197]]
    torch.testing.assert_close(got[0], torch.tensor(wanted), atol=1e-3, rtol=0)


def norm(h, layer):
    centred = h - h.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * layer.weight + layer.bias


@pytest.mark.parametrize("name", SETTINGS)
def test_a_layer_equals_its_formula_pair_by_pair(name):
    encoder, x_BLD = made(SETTINGS[name]), torch.randn(2, LENGTH, DIM)
    time_BL, asked_BL = times()
    layer, kind = encoder.layers[0], SETTINGS[name].time_bias
    bucket_BLL = gap_buckets(time_BL if kind == "event" else asked_BL, time_BL, 128)
    projected = norm(x_BLD, layer.norm) @ layer.project.weight.T + layer.project.bias
    u, q, k, v = (projected * projected.sigmoid()).split(DIM, dim=-1)
    wanted = torch.zeros(2, LENGTH, DIM)
    for b, i, head in [(b, i, head) for b in range(2) for i in range(LENGTH) for head in range(2)]:
        part = slice(4 * head, 4 * head + 4)
        for j in range(i + 1):
            score = q[b, i, part] @ k[b, j, part]
            score = score + (FASTER * layer.bias.place_HN[head, i - j] if SETTINGS[name].position_bias else 0)
            score = score + (0 if kind == "none" else FASTER * layer.bias.time_HN[head, bucket_BLL[b, i, j]])
            wanted[b, i, part] += score * score.sigmoid() * v[b, j, part] / (i + 1)
    wanted = x_BLD + (u * norm(wanted, layer.attended_norm)) @ layer.mix.weight.T + layer.mix.bias
    encoder.layers, encoder.norm = encoder.layers[:1], nn.Identity()
    torch.testing.assert_close(states(encoder, x_BLD, time_BL, asked_BL), wanted.detach(), atol=1e-4, rtol=1e-4)


def test_gradients_are_those_of_the_function():
    torch.manual_seed(0)
    encoder = HSTU(HSTUSettings(num_heads=1, num_buckets=4), 2, 3, 0.0).double()
    time_BL, asked_BL = times(2, 3)
    names = [name for name, _ in encoder.named_parameters()]
    values = [parameter.detach().clone().requires_grad_() for parameter in encoder.parameters()]

    def run(x_BLD, *parameters):
        given = (x_BLD, time_BL, torch.tensor([3, 3]), asked_BL)
        return torch.func.functional_call(encoder.eval(), dict(zip(names, parameters, strict=True)), given)

    x_BLD = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (x_BLD, *values))


@pytest.mark.parametrize("name", ["both", "event", "time"])
def test_only_distances_in_time_count(name):
    encoder, x_BLD = made(SETTINGS[name]), torch.randn(2, LENGTH, DIM)
    time_BL, asked_BL = times()
    before = states(encoder, x_BLD, time_BL, asked_BL)
    shift = 11 * 365 * DAY
    torch.testing.assert_close(states(encoder, x_BLD, time_BL + shift, asked_BL + shift), before, atol=0, rtol=0)
    assert not torch.allclose(states(encoder, x_BLD, NOW + 3 * (time_BL - NOW), NOW + 3 * (asked_BL - NOW)), before)


def test_the_time_of_the_request_moves_the_newest_state_and_no_other():
    x_BLD = torch.randn(2, LENGTH, DIM)
    time_BL, asked_BL = times()
    later_BL = asked_BL.clone()
    later_BL[:, -1] += 300 * DAY
    for name in ("both", "time"):
        encoder = made(SETTINGS[name])
        before, after = states(encoder, x_BLD, time_BL, asked_BL), states(encoder, x_BLD, time_BL, later_BL)
        assert torch.equal(before[:, :-1], after[:, :-1])
        assert ((before[:, -1] - after[:, -1]).abs().amax(1) > 1e-3).all()
    for name in ("event", "order", "neither"):
        encoder = made(SETTINGS[name])
        assert torch.equal(states(encoder, x_BLD, time_BL, asked_BL), states(encoder, x_BLD, time_BL, later_BL))


def test_later_times_never_move_an_earlier_state():
    encoder, x_BLD = made(), torch.randn(2, LENGTH, DIM)
    time_BL, asked_BL = times()
    before = states(encoder, x_BLD, time_BL, asked_BL)
    for place in range(1, LENGTH):
        later_BL = (torch.arange(LENGTH) >= place) * 100 * DAY
        after = states(encoder, x_BLD, time_BL + later_BL, asked_BL + later_BL)
        torch.testing.assert_close(after[:, :place], before[:, :place], atol=1e-6, rtol=1e-6)
        assert not torch.allclose(after[:, place], before[:, place])


@pytest.mark.parametrize("name", SETTINGS)
def test_neither_padding_nor_a_longer_window_moves_a_state(name):
    x_BLD = torch.randn(2, LENGTH, DIM)
    time_BL, asked_BL = times()
    encoder = made(SETTINGS[name])
    whole = states(encoder, x_BLD, time_BL, asked_BL)
    short = states(encoder, x_BLD[:, :3], time_BL[:, :3], asked_BL[:, :3])
    torch.testing.assert_close(whole[:, :3], short, atol=1e-5, rtol=1e-5)
    longer = HSTU(SETTINGS[name], DIM, 4 * LENGTH, 0.0).eval()
    known = encoder.state_dict()
    for key, value in longer.state_dict().items():
        value.copy_(known[key] if value.shape == known[key].shape else torch.cat([known[key], torch.ones(2, 18)], 1))
    torch.testing.assert_close(states(longer, x_BLD, time_BL, asked_BL), whole, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_short_way_to_the_newest_state_gives_the_same(name):
    encoder, x_BLD = made(SETTINGS[name]), torch.randn(4, LENGTH, DIM)
    given = (x_BLD, times(4)[0], torch.tensor([LENGTH, 1, 3, 0]), times(4)[1])
    with torch.no_grad():
        wanted = encoder.last(encoder(*given), given[2])
        torch.testing.assert_close(encoder.newest(*given), wanted, atol=1e-5, rtol=1e-5)


def test_without_any_time_it_answers_and_learns():
    encoder = made().train()
    out = encoder(torch.randn(2, LENGTH, DIM), UNKNOWN_BL, torch.tensor([LENGTH, 2]), UNKNOWN_BL)
    out.square().sum().backward()
    slope_HN = encoder.layers[0].bias.time_HN.grad
    assert out.isfinite().all() and (slope_HN[:, -1] != 0).all() and (slope_HN[:, :-1] == 0).all()


def gaps_decide(rows, length=5, items=6, seed=0):
    """A short gap brings the next item, a long one the item after that."""
    rng = torch.Generator().manual_seed(seed)
    long_BL = torch.randint(0, 2, (rows, length), generator=rng)
    gap_BL = torch.where(long_BL == 1, 8 * DAY, 600.0) * (1 + 3 * torch.rand(rows, length, generator=rng))
    first_B1 = torch.randint(0, items, (rows, 1), generator=rng)
    line = torch.cat([first_B1, first_B1 + (1 + long_BL).cumsum(1)], dim=1) % items
    moment = NOW + torch.cat([torch.zeros(rows, 1), gap_BL], dim=1).double().cumsum(1)
    return line, moment


def accuracy_after_learning(encoder, dim=16, items=6, steps=100):
    torch.manual_seed(0)
    table = nn.Embedding.from_pretrained(torch.randn(items, dim) / dim**0.5, freeze=False)
    optimiser = torch.optim.Adam([*encoder.parameters(), *table.parameters()], lr=0.02)
    line, moment = gaps_decide(128)
    unseen_line, unseen_moment = gaps_decide(200, seed=1)

    def logits(line, moment):
        length_B = torch.full((len(line),), line.shape[1] - 1)
        h_BLD = encoder(table(line[:, :-1]) * dim**0.5, moment[:, :-1], length_B, moment[:, 1:])
        return h_BLD @ table.weight.T

    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(logits(line, moment).flatten(0, 1), line[:, 1:].flatten()).backward()
        optimiser.step()
    with torch.no_grad():
        newest = logits(unseen_line, unseen_moment)[:, -1].argmax(-1)
    return (newest == unseen_line[:, -1]).float().mean().item()


def test_what_the_elapsed_time_decides_is_learned_from_the_requests_time_and_not_from_order():
    torch.manual_seed(0)
    asked = HSTU(HSTUSettings(num_layers=1, num_buckets=16), 16, 5, 0.0)
    events_only = HSTU(HSTUSettings(num_layers=1, num_buckets=16, time_bias="event"), 16, 5, 0.0)
    order = Transformer(TransformerSettings(num_layers=1, ffn_multiple=2), 16, 5, 0.0)
    assert accuracy_after_learning(asked) > 0.9
    assert accuracy_after_learning(events_only) < 0.7 and accuracy_after_learning(order) < 0.7


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: HSTUSettings(num_layers=0), "num_layers = 0"),
        (lambda: HSTUSettings(num_heads=0), "num_heads = 0"),
        (lambda: HSTUSettings(num_buckets=2), "num_buckets = 2: expected at least 3"),
        (lambda: HSTUSettings(time_bias="none", num_buckets=64), 'num_buckets has no effect with time_bias = "none"'),
        (lambda: HSTU(HSTUSettings(num_heads=3), 8, 4, 0.1), "dim = 8 .* num_heads = 3"),
    ],
)
def test_impossible_settings_are_refused(make, match):
    with pytest.raises(RecipeError, match=match):
        make()
