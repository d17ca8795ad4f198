import pytest
import torch

from horae.models.items.ids import IdTable


def test_padding_is_zero_and_takes_no_gradient_from_a_lookup():
    table = IdTable(4, 3)
    looked_up = table.lookup(torch.tensor([[2, 0]]))
    looked_up.sum().backward()
    assert (looked_up[0, 1] == 0).all()
    assert table.weight.grad.sum(1).tolist() == [0.0, 0.0, 3.0, 0.0, 0.0]


def test_vectors_are_the_rows_in_use_and_share_the_parameter():
    table = IdTable(2, 3, capacity=5)
    assert table.vectors().shape == (3, 3) and table.capacity == 5 and table.dim == 3
    table.vectors().sum().backward()
    assert table.weight.grad.sum(1).tolist() == [3.0, 3.0, 3.0, 0.0, 0.0, 0.0]


def test_items_start_almost_alike():
    torch.manual_seed(0)
    assert IdTable(5000, 64).vectors()[1:].std().item() == pytest.approx(0.02, rel=0.01)


def test_growing_within_capacity_keeps_the_parameter_and_the_old_rows():
    table = IdTable(2, 3, capacity=4)
    parameter, old = table.weight, table.vectors().detach().clone()
    assert table.grow(2) is False
    assert table.weight is parameter and table.num_items == 4
    assert torch.equal(table.vectors()[:3], old) and (table.vectors()[3:] != 0).all()


def test_growing_beyond_capacity_makes_room_and_keeps_the_old_rows():
    table = IdTable(4, 3)
    old = table.vectors().detach().clone()
    assert table.grow(1) is True
    assert (table.num_items, table.capacity) == (5, 6)
    assert torch.equal(table.vectors()[:5], old) and table.weight.requires_grad
    assert table.grow(1) is False
