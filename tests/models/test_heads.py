import math

import pytest
import torch

from horae.models.heads import NextItem, Pair, Value

STATE = torch.tensor([[2.0, 1.0]])
VECTORS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 3.0]])  # products 0, 2, 4


def answers(head):
    return (head.states(STATE) @ head.vectors(VECTORS).T)[0].tolist()


def test_next_item_is_the_plain_product():
    head = NextItem(2, bias=False)
    assert head.states(STATE) is STATE and head.vectors(VECTORS) is VECTORS
    assert answers(head) == [0.0, 2.0, 4.0]


def test_a_bias_is_added_to_the_product():
    head = NextItem(2, bias=True)
    with torch.no_grad():
        head.bias_I.copy_(torch.tensor([0.0, 10.0, -1.0]))
    assert answers(head) == [0.0, 12.0, 3.0]


def test_value_is_mean_plus_scale_times_product_and_bias():
    head = Value(2)
    head.set_range(3.5, 0.5)
    with torch.no_grad():
        head.bias_I.copy_(torch.tensor([0.0, 1.0, 0.0]))
    assert answers(head) == pytest.approx([3.5, 3.5 + 0.5 * (2 + 1), 3.5 + 0.5 * 4])


def test_values_that_are_all_equal_keep_a_scale_of_one():
    head = Value(2)
    head.set_range(7.0, 0.0)
    assert (head.mean.item(), head.scale.item()) == (7.0, 1.0)


def test_new_items_start_without_bias():
    for head in (NextItem(2, bias=True), Value(2)):
        with torch.no_grad():
            head.bias_I.fill_(1.0)
        head.grow(2)
        assert head.bias_I.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]
    NextItem(2, bias=False).grow(2)


def pair(hidden=2, behaviors=1):
    """`z = relu(h + sqrt(2) e + (0, 1))`, of which behavior 0 sees the first number and behavior 1 the difference."""
    head = Pair(2, hidden, behaviors)
    with torch.no_grad():
        head.state.weight.copy_(torch.eye(2))
        head.state.bias.copy_(torch.tensor([0.0, 1.0]))
        head.candidate.weight.copy_(torch.eye(2))
        head.out.weight.copy_(torch.tensor([[1.0, 0.0], [1.0, -1.0]]))
        head.out.bias.copy_(torch.tensor([0.0, -0.5]))
    return head


def test_a_pair_is_a_dense_layer_over_state_and_candidate():
    head = pair()
    state, vector = torch.tensor([[1.0, -2.0]]), torch.tensor([[2.0**0.5, -(2.0**0.5)], [-(2.0**0.5), 2.0**0.5]])
    # halves: (1, -1); candidates (2, -2) and (-2, 2). Hidden: (3, 0) and (0, 1). Logits: (3, 2.5) and (0, -1.5).
    halves, candidates = head.states(state), head.vectors(vector)
    assert torch.allclose(head.logits(halves + candidates), torch.tensor([[3.0, 2.5], [0.0, -1.5]]), atol=1e-5)
    chance = [[1 / (1 + math.exp(-x)) for x in row] for row in ([3.0, 2.5], [0.0, -1.5])]
    assert head.scores(halves, candidates)[0].tolist() == pytest.approx(
        [math.log(sum(row)) for row in chance], abs=1e-5
    )
    head.set_worth(torch.tensor([0.0, 5.0]))
    assert head.scores(halves, candidates)[0].tolist() == pytest.approx(
        [math.log(5 * row[1]) for row in chance], abs=1e-5
    )


def test_pairs_in_pieces_are_the_same(monkeypatch):
    torch.manual_seed(0)
    head = Pair(4, 8, 2)
    states, vectors = head.states(torch.randn(5, 4)), head.vectors(torch.randn(11, 4))
    whole = head.scores(states, vectors)
    for numbers in (1, 8 * 3, 8 * 25):
        monkeypatch.setattr("horae.models.heads.NUMBERS_AT_ONCE", numbers)
        assert torch.allclose(head.scores(states, vectors), whole, atol=1e-6)


def test_a_pair_takes_new_items_in_without_anything_of_their_own():
    head = Pair(2, 4, 1)
    before = {name: tuple(value.shape) for name, value in head.state_dict().items()}
    head.grow(3)
    assert {name: tuple(value.shape) for name, value in head.state_dict().items()} == before
