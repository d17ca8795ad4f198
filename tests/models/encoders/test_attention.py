import math

import pytest
import torch

from horae.models.encoders.attention import AdditiveAttention, DotAttention, state_attention

STATES = torch.tensor([[[1.0], [2.0]]])  # two positions, one unit


def combine_context_only(attention):
    with torch.no_grad():
        attention.combine.weight.copy_(torch.tensor([[1.0, 0.0]]))
    return attention


def test_dot_attention_is_worked_by_hand():
    # position 2: scores 2 * 1 and 2 * 2, so the weights are softmax(2, 4) and the context is their mean of 1 and 2
    share = math.exp(4) / (math.exp(2) + math.exp(4))
    h = combine_context_only(DotAttention(1))(STATES)
    assert h.flatten().tolist() == pytest.approx([math.tanh(1), math.tanh(1 - share + 2 * share)], abs=1e-6)


def test_additive_attention_is_worked_by_hand():
    attention = combine_context_only(AdditiveAttention(1))
    with torch.no_grad():
        for layer, weight in ((attention.query, 0.5), (attention.key, -1.0), (attention.vote, 3.0)):
            layer.weight.fill_(weight)
    first, second = math.exp(3 * math.tanh(1 - 1)), math.exp(3 * math.tanh(1 - 2))
    context = (1 * first + 2 * second) / (first + second)
    assert attention(STATES).flatten().tolist() == pytest.approx([math.tanh(1), math.tanh(context)], abs=1e-6)


def test_the_combination_sees_the_state_itself():
    attention = DotAttention(1)
    with torch.no_grad():
        attention.combine.weight.copy_(torch.tensor([[0.0, 1.0]]))
    torch.testing.assert_close(attention(STATES), torch.tanh(STATES))


def test_none_changes_nothing():
    assert state_attention("none", 1)(STATES) is STATES
