import numpy as np
import pytest
import torch

from horae.models.items.fused import FusedTable, FusionShape

WAYS = ("content", "sum", "gate", "concat", "attention")
KNOWN = {
    "text": np.array([False, True, True, False, False]),
    "image": np.array([False, True, False, True, False]),
}
CONTENT = {
    name: ((np.random.default_rng(place).standard_normal((5, 3)) * known[:, None]).astype(np.float32), known)
    for place, (name, known) in enumerate(KNOWN.items())
}


def table_of(fusion="sum", **shape):
    torch.manual_seed(0)
    return FusedTable(4, 6, CONTENT, FusionShape(fusion, **shape))


@pytest.mark.parametrize("fusion", WAYS)
def test_it_begins_as_the_sum_of_what_is_known(fusion):
    table = table_of(fusion)
    text, image = (one.linear.weight.detach() for one in table.maps)
    fixed = [torch.from_numpy(CONTENT[name][0]) for name in ("text", "image")]
    said = fixed[0] @ text.T + fixed[1] @ image.T
    ids = torch.zeros(5, 6) if table.ids is None else table.ids.vectors().detach()
    expected = said + ids
    if table.ids is None:
        expected[4] = table.missing_D.detach()
    expected[0] = 0
    assert torch.allclose(table.vectors(), expected, atol=1e-6)


@pytest.mark.parametrize("fusion", WAYS)
def test_a_looked_up_vector_is_the_tables_row_learning_or_not(fusion):
    table = table_of(fusion, hidden=4)
    index = torch.tensor([[1, 0, 4], [3, 2, 2]])
    assert torch.allclose(table.lookup(index), table.vectors()[index], atol=1e-6)
    with torch.no_grad():
        table.eval()
        assert torch.equal(table.lookup(index), table.vectors()[index])
        assert not table.vectors()[0].any()


@pytest.mark.parametrize("fusion", WAYS)
def test_what_is_kept_between_calls_is_made_anew_when_a_weight_changes(fusion):
    table = table_of(fusion).eval()
    with torch.no_grad():
        before = table.vectors()
        assert table.vectors() is before
        table.maps[0].linear.weight.mul_(2.0)
        after = table.vectors()
    assert not torch.equal(before[1], after[1])
    assert torch.equal(before[3], after[3])  # nothing is said of it


@pytest.mark.parametrize("fusion", ["sum", "gate", "concat", "attention"])
def test_the_missing_modality_takes_no_part_and_no_gradient(fusion):
    table = table_of(fusion)
    table.vectors()[4].sum().backward()  # nothing but its id is known
    assert all(not one.linear.weight.grad.any() for one in table.maps)
    assert table.ids.weight.grad[4].any()


def test_by_hand_the_gate_and_the_attention():
    table = table_of("gate")
    with torch.no_grad():
        table.gate.bias.fill_(np.log(3.0))  # a gate of 3/4
    text, image = (one.linear.weight.detach() for one in table.maps)
    said = torch.from_numpy(CONTENT["text"][0][1]) @ text.T + torch.from_numpy(CONTENT["image"][0][1]) @ image.T
    assert torch.allclose(table.vectors()[1], 1.5 * table.ids.weight[1] + 0.5 * said, atol=1e-6)
    assert torch.allclose(table.vectors()[4], table.ids.weight[4])
    table = table_of("attention")
    with torch.no_grad():
        table.query_PD[1] = 1.0
    said = torch.from_numpy(CONTENT["text"][0][2]) @ table.maps[0].linear.weight.detach().T
    share = torch.softmax(torch.tensor([0.0, said.sum()]), dim=0)
    expected = 2 * (share[0] * table.ids.weight[2] + share[1] * said)
    assert torch.allclose(table.vectors()[2], expected, atol=1e-6)


def test_an_id_is_no_longer_than_its_bound():
    table = table_of("sum", id_bound=0.1)
    with torch.no_grad():
        table.ids.weight[4] = 5.0
        table.ids.weight[3] = 0.001
    assert table.vectors()[4].norm().item() == pytest.approx(0.1)
    image = torch.from_numpy(CONTENT["image"][0][3]) @ table.maps[1].linear.weight.T
    assert torch.allclose(table.vectors()[3] - image, torch.full((6,), 0.001), atol=1e-6)


def test_dropped_ids_leave_the_content_and_only_while_learning():
    table = table_of("sum", id_dropout=0.5)
    bare = table_of("sum")
    with torch.no_grad():
        bare.ids.weight.zero_()
    many = torch.ones(4000, dtype=torch.int64)
    seen = table.lookup(many)
    alone = torch.isclose(seen, bare.vectors()[1]).all(dim=1)
    assert 0.45 < alone.float().mean() < 0.55
    assert torch.equal(table.lookup(many[:50] * 4), table.ids.weight[4].expand(50, 6))  # nothing else is known of it
    assert torch.isclose(table.eval().lookup(many), table.vectors()[1]).all()


@pytest.mark.parametrize("fusion", WAYS)
def test_it_begins_near_given_vectors_and_new_items_where_their_content_says(fusion):
    rng = np.random.default_rng(1)
    known = np.array([False] + [True] * 60)
    fixed = (rng.standard_normal((61, 3)) * known[:, None]).astype(np.float32)
    turn = torch.from_numpy(rng.standard_normal((3, 6)).astype(np.float32))
    near = torch.from_numpy(fixed) @ turn
    near[7] = 0  # stood near nobody
    table = FusedTable(60, 6, {"text": (fixed, known)}, FusionShape(fusion))
    table.begin_near(near)
    if fusion != "content":
        assert torch.allclose(table.vectors()[1:7], near[1:7], atol=1e-5)
    fresh = rng.standard_normal((1, 3)).astype(np.float32)
    table.grow(1, {"text": (np.vstack([fixed, fresh]), np.append(known, True))})
    came = table.vectors()[61]
    expected = torch.from_numpy(fresh[0]) @ turn
    assert torch.nn.functional.cosine_similarity(came, expected, dim=0) > 0.98


def test_what_it_has_learned_is_saved_and_read_with_rows_to_spare():
    table = table_of("gate")
    table.grow(2)
    other = FusedTable(
        6,
        6,
        {name: (np.pad(f, ((0, 2), (0, 0))), np.pad(k, (0, 2))) for name, (f, k) in CONTENT.items()},
        FusionShape("gate"),
    )
    other.load_state_dict(table.state_dict())
    assert torch.equal(table.vectors(), other.vectors())
    assert table.state_dict()["ids.weight"].shape == (7, 6)
    assert not table.ids.vectors()[5:].any()
    with pytest.raises(RuntimeError, match=r"ids\.weight"):
        table_of("gate").load_state_dict(table.state_dict())
