import math

import torch

from horae.models.encoders.ligr import GatedBlock, LiGR, LiGRSettings, SwiGLU

DIM = 6


def test_swiglu_is_worked_by_hand():
    layer = SwiGLU(dim=1, inner=1, dropout=0.0)
    with torch.no_grad():
        layer.widen.weight.copy_(torch.tensor([[2.0], [3.0]]))
        layer.narrow.weight.fill_(0.5)
    # silu(2) = 2 / (1 + exp(-2)) = 1.761594; times 3 is 5.284782; times 0.5 is 2.642391
    assert math.isclose(layer(torch.ones(1, 1, 1)).item(), 2.642391, abs_tol=1e-5)


def test_one_gated_block_equals_its_formula_in_plain_tensors():
    torch.manual_seed(0)
    block = GatedBlock(LiGRSettings(num_heads=2, ffn_multiple=2), DIM, 0.0).eval()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    h = torch.randn(2, 4, DIM)

    def gate(layer, h):
        return 1 / (1 + torch.exp(-(h @ layer.weight.T + layer.bias)))

    middle = h + gate(block.attention_gate, h) * block.attention(block.attention_norm(h))
    one, three = (block.ffn_norm(middle) @ block.feed_forward.widen.weight.T).chunk(2, dim=-1)
    fed = (one / (1 + torch.exp(-one)) * three) @ block.feed_forward.narrow.weight.T
    torch.testing.assert_close(block(h), middle + gate(block.ffn_gate, middle) * fed, atol=1e-5, rtol=1e-5)


def test_a_closed_gate_lets_nothing_through():
    encoder = LiGR(LiGRSettings(), DIM, 4, 0.0).eval()
    with torch.no_grad():
        for block in encoder.blocks:
            for layer in (block.attention_gate, block.ffn_gate):
                layer.weight.zero_()
                layer.bias.fill_(-1e4)
    x_BLD, length_B = torch.randn(2, 4, DIM), torch.tensor([4, 4])
    expected = encoder.norm(x_BLD + encoder.position_LD)
    torch.testing.assert_close(encoder(x_BLD, x_BLD[..., 0], length_B, x_BLD[..., 0]), expected)
