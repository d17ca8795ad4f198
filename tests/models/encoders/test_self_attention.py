"""Attention against torch's own, and what an encoder that looks both ways promises."""

import pytest
import torch
from torch import nn

from horae.models.encoders.ligr import LiGR, LiGRSettings
from horae.models.encoders.self_attention import AttentionSettings, SelfAttention, real_keys
from horae.models.encoders.transformer import Transformer, TransformerSettings

DIM, LENGTH = 8, 6
TWO_WAY = {
    "transformer": lambda: Transformer(TransformerSettings(), DIM, LENGTH, 0.1, causal=False),
    "ligr": lambda: LiGR(LiGRSettings(), DIM, LENGTH, 0.1, causal=False),
}


@pytest.fixture(params=TWO_WAY)
def encoder(request):
    torch.manual_seed(0)
    return TWO_WAY[request.param]().eval()


def encode(encoder, x_BLD, length_B):
    unknown_BL = torch.full(x_BLD.shape[:2], float("nan"), dtype=torch.float64)
    with torch.inference_mode():
        return encoder(x_BLD, unknown_BL, length_B, unknown_BL)


@pytest.mark.parametrize("causal", [True, False])
def test_it_equals_torchs_multi_head_attention(causal):
    torch.manual_seed(1)
    attention, reference = SelfAttention(AttentionSettings(num_heads=2), DIM), nn.MultiheadAttention(DIM, 2)
    with torch.no_grad():
        attention.qkv.bias.normal_()
        reference.in_proj_weight.copy_(attention.qkv.weight)
        reference.in_proj_bias.copy_(attention.qkv.bias)
        reference.out_proj.weight.copy_(attention.mix.weight)
        reference.out_proj.bias.copy_(attention.mix.bias)
    x_BLD, length_B = torch.randn(3, LENGTH, DIM), torch.tensor([6, 2, 4])
    key_B11L = None if causal else real_keys(length_B, LENGTH)
    later_LL = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1) if causal else None
    padding_BL = None if causal else torch.arange(LENGTH) >= length_B[:, None]
    x_LBD = x_BLD.transpose(0, 1)
    expected_LBD, _ = reference(x_LBD, x_LBD, x_LBD, attn_mask=later_LL, key_padding_mask=padding_BL)
    torch.testing.assert_close(attention(x_BLD, key_B11L), expected_LBD.transpose(0, 1), atol=1e-6, rtol=1e-5)


def test_real_keys_end_with_the_history_and_are_never_none():
    assert real_keys(torch.tensor([2, 0, 3]), 3).long().flatten(1).tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 1]]


def test_looking_both_ways_a_later_event_moves_an_earlier_state(encoder):
    x_BLD, length_B = torch.randn(1, LENGTH, DIM), torch.tensor([LENGTH])
    changed = x_BLD.clone()
    changed[:, -1] = torch.randn(DIM)
    assert not encoder.causal
    assert not torch.allclose(encode(encoder, x_BLD, length_B)[:, 0], encode(encoder, changed, length_B)[:, 0])


def test_looking_both_ways_padding_moves_nothing(encoder):
    x_BLD, length_B = torch.randn(4, LENGTH, DIM), torch.tensor([4, 6, 1, 0])
    together, short = encode(encoder, x_BLD, length_B), encoder.newest(x_BLD, x_BLD[..., 0], length_B, x_BLD[..., 0])
    assert together.isfinite().all()
    for row, length in enumerate([4, 6, 1]):
        alone = encode(encoder, x_BLD[row : row + 1, :length], length_B[row : row + 1])
        torch.testing.assert_close(alone[0], together[row, :length], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(short[row], together[row, length - 1], atol=1e-5, rtol=1e-5)
