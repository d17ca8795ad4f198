"""What every encoder promises, tested over all of them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.errors import RecipeError
from horae.models.encoders import last_state
from horae.models.encoders.gru import GRU
from horae.models.encoders.hstu import HSTU, HSTUSettings
from horae.models.encoders.ligr import LiGR, LiGRSettings
from horae.models.encoders.linear_recurrence import LinearRecurrence, LinearRecurrenceSettings
from horae.models.encoders.low_pass import LowPassSettings, LowPassTransformer
from horae.models.encoders.lstm import LSTM
from horae.models.encoders.recurrent import RecurrentSettings
from horae.models.encoders.transformer import Transformer, TransformerSettings

DIM, LENGTH = 8, 9
MAKE = {
    "transformer": lambda: Transformer(TransformerSettings(num_heads=2), DIM, LENGTH, 0.1),
    "transformer relu": lambda: Transformer(TransformerSettings(3, 4, 1, 0.2, "relu"), DIM, LENGTH, 0.1),
    "ligr": lambda: LiGR(LiGRSettings(num_heads=4, ffn_multiple=2), DIM, LENGTH, 0.1),
    "low pass": lambda: LowPassTransformer(LowPassSettings(), DIM, LENGTH, 0.1),
    "gru": lambda: GRU(RecurrentSettings(), DIM, LENGTH, 0.1),
    "gru dot": lambda: GRU(RecurrentSettings(2, "dot"), DIM, LENGTH, 0.1),
    "gru additive": lambda: GRU(RecurrentSettings(1, "additive"), DIM, LENGTH, 0.1),
    "lstm": lambda: LSTM(RecurrentSettings(2), DIM, LENGTH, 0.1),
    "lstm dot": lambda: LSTM(RecurrentSettings(1, "dot"), DIM, LENGTH, 0.1),
    "lstm additive": lambda: LSTM(RecurrentSettings(1, "additive"), DIM, LENGTH, 0.1),
    "hstu": lambda: HSTU(HSTUSettings(), DIM, LENGTH, 0.1),
    "hstu places only": lambda: HSTU(HSTUSettings(3, 4, True, "none"), DIM, LENGTH, 0.1),
    "linear recurrence": lambda: LinearRecurrence(LinearRecurrenceSettings(), DIM, LENGTH, 0.1),
}


@pytest.fixture(params=MAKE, scope="module")
def encoder(request):
    torch.manual_seed(0)
    return MAKE[request.param]().eval()


def encode(encoder, x_BLD, length_B=None):
    length_B = torch.full((len(x_BLD),), x_BLD.shape[1]) if length_B is None else length_B
    with torch.inference_mode():
        unknown_BL = torch.full(x_BLD.shape[:2], float("nan"), dtype=torch.float64)
        return encoder(x_BLD, unknown_BL, length_B, unknown_BL)


@given(position=st.integers(0, LENGTH - 2), seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_later_events_never_move_an_earlier_state(encoder, position, seed):
    x_BLD = torch.randn(2, LENGTH, DIM, generator=torch.Generator().manual_seed(seed))
    changed = x_BLD.clone()
    changed[:, position + 1 :] = 100 * torch.randn(2, LENGTH - position - 1, DIM)
    before, after = encode(encoder, x_BLD), encode(encoder, changed)
    assert encoder.causal
    torch.testing.assert_close(before[:, : position + 1], after[:, : position + 1], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(before[:, position + 1 :], after[:, position + 1 :])


def test_earlier_events_do_move_a_later_state(encoder):
    x_BLD = torch.randn(1, LENGTH, DIM)
    changed = x_BLD.clone()
    changed[:, 0] = torch.randn(DIM)
    assert not torch.allclose(encode(encoder, x_BLD)[:, -1], encode(encoder, changed)[:, -1], atol=1e-6)


def test_order_matters(encoder):
    x_BLD = torch.randn(1, LENGTH, DIM)
    swapped = x_BLD[:, [1, 0, *range(2, LENGTH)]]
    assert not torch.allclose(encode(encoder, x_BLD)[:, -1], encode(encoder, swapped)[:, -1], atol=1e-6)


def test_padding_and_company_never_move_a_state(encoder):
    x_BLD = torch.randn(3, LENGTH, DIM)
    length_B = torch.tensor([4, 9, 1])
    last_BD = encoder.last(encode(encoder, x_BLD, length_B), length_B)
    for row, length in enumerate(length_B.tolist()):
        alone = encode(encoder, x_BLD[row : row + 1, :length])
        torch.testing.assert_close(alone[0, -1], last_BD[row], atol=1e-5, rtol=1e-5)


def test_the_short_way_to_the_newest_state_gives_the_same(encoder):
    if not hasattr(encoder, "newest"):
        pytest.skip("computes all states")
    x_BLD, length_B = torch.randn(4, LENGTH, DIM), torch.tensor([4, 9, 1, 0])
    unknown_BL = torch.full(x_BLD.shape[:2], float("nan"), dtype=torch.float64)
    with torch.inference_mode():
        newest_BD = encoder.newest(x_BLD, unknown_BL, length_B, unknown_BL)
    torch.testing.assert_close(newest_BD, encoder.last(encode(encoder, x_BLD, length_B), length_B))


def test_a_seed_makes_the_same_encoder_and_training_moves_every_parameter(encoder):
    for name in MAKE:
        torch.manual_seed(4)
        one = MAKE[name]()
        torch.manual_seed(4)
        two = MAKE[name]()
        assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
        zero_BL = torch.zeros(2, LENGTH)
        one(torch.randn(2, LENGTH, DIM), zero_BL, torch.full((2,), LENGTH), zero_BL).square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in one.parameters()), name


def test_dropout_acts_in_training_only(encoder):
    x_BLD = torch.randn(1, LENGTH, DIM)
    torch.testing.assert_close(encode(encoder, x_BLD), encode(encoder, x_BLD), atol=0, rtol=0)
    encoder.train()
    assert not torch.allclose(encode(encoder, x_BLD), encode(encoder, x_BLD))
    encoder.eval()


def test_an_empty_row_gives_its_first_position():
    h_BLD = torch.arange(6.0).view(2, 3, 1)
    assert last_state(h_BLD, torch.tensor([0, 2])).flatten().tolist() == [0.0, 4.0]


def test_one_transformer_block_equals_its_formula_in_plain_tensors():
    torch.manual_seed(0)
    encoder = Transformer(TransformerSettings(1, 2, 4, activation="relu"), DIM, LENGTH, 0.0).eval()
    x_BLD = torch.randn(2, 5, DIM)

    def norm(h, layer):
        centred = h - h.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * layer.weight + layer.bias

    block = encoder.blocks[0]
    attention, feed_forward = block.attention, block.feed_forward
    h = x_BLD + encoder.position_LD[:5]
    q, k, v = (norm(h, block.attention_norm) @ attention.qkv.weight.T + attention.qkv.bias).split(DIM, dim=-1)
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        score = q[..., part] @ k[..., part].transpose(1, 2) / 4**0.5
        score = score.masked_fill(torch.ones(5, 5, dtype=torch.bool).triu(1), -torch.inf)
        heads.append(score.softmax(-1) @ v[..., part])
    h = h + torch.cat(heads, -1) @ attention.mix.weight.T + attention.mix.bias
    inner = torch.relu(norm(h, block.ffn_norm) @ feed_forward.widen.weight.T + feed_forward.widen.bias)
    h = h + inner @ feed_forward.narrow.weight.T + feed_forward.narrow.bias
    torch.testing.assert_close(encode(encoder, x_BLD), norm(h, encoder.norm).detach(), atol=1e-5, rtol=1e-5)


def test_heads_that_do_not_divide_dim_are_refused_with_both_numbers():
    with pytest.raises(RecipeError, match=r"dim = 8 .* num_heads = 3") as error:
        Transformer(TransformerSettings(num_heads=3), 8, 4, 0.1)
    assert "1, 2, 4, 8" in error.value.hint


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: TransformerSettings(num_layers=0), "num_layers = 0"),
        (lambda: TransformerSettings(ffn_multiple=0), "ffn_multiple = 0"),
        (lambda: TransformerSettings(attention_dropout=1.0), "attention_dropout = 1.0"),
        (lambda: RecurrentSettings(num_layers=0), "num_layers = 0"),
        (lambda: RecurrentSettings(num_layers=-1), "num_layers = -1"),
    ],
)
def test_impossible_settings_are_refused(make, match):
    with pytest.raises(RecipeError, match=match):
        make()
