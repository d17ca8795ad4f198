import pytest
import torch

from horae.models.heads import NextItem, Value

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
