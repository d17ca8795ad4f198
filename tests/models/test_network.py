import pytest
import torch
from tests.models.batches import batch_of

from horae.errors import RecipeError, RunError
from horae.models.compose import compose
from horae.models.settings import NetworkSettings
from horae.training.losses import full_softmax, sampled_softmax

ITEMS = 20
TABLES = {
    "transformer": {"encoder": "transformer"},
    "transformer with everything": {
        "encoder": "transformer",
        "num_heads": 4,
        "output_bias": True,
        "behavior_embedding": True,
    },
    "transformer for values": {"encoder": "transformer", "head": "value"},
    "transformer, masked": {"encoder": "transformer", "framing": "masked", "mask_share": 0.2},
    "ligr": {"encoder": "ligr"},
    "ligr, masked": {"encoder": "ligr", "framing": "masked", "mask_share": 0.2, "behavior_embedding": True},
    "low pass": {"encoder": "low_pass"},
    "gru": {"encoder": "gru"},
    "gru attention": {"encoder": "gru", "attention": "dot"},
    "lstm": {"encoder": "lstm", "output_bias": True},
    "lstm attention": {"encoder": "lstm", "attention": "additive"},
}
HISTORIES = [[1, 2, 3, 4], [5], [7, 8, 7, 8, 9, 10, 11, 12]]


def make(table, seed=0):
    torch.manual_seed(seed)
    network = compose({"dim": 16, "max_len": 8, **table}, ITEMS, 3)
    with torch.no_grad():  # nothing may hide behind a parameter that starts at zero
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network.eval()


@pytest.fixture(params=TABLES, scope="module")
def network(request):
    return make(TABLES[request.param])


def score(network, histories, items_N=None):
    with torch.inference_mode():
        return network.score(batch_of(histories), items_N)


def test_scores_have_a_column_per_item_and_padding_is_never_chosen(network):
    score_BI = score(network, HISTORIES)
    assert score_BI.shape == (3, ITEMS + 1) and score_BI.dtype == torch.float32
    assert (score_BI[:, 0] == -torch.inf).all() and score_BI[:, 1:].isfinite().all()
    assert (network.num_items, network.max_len) == (ITEMS, 8)


def test_chosen_items_are_columns_of_the_full_scores(network):
    chosen = torch.tensor([3, 0, 20, 3])
    torch.testing.assert_close(score(network, HISTORIES, chosen), score(network, HISTORIES)[:, chosen])


def test_states_and_item_vectors_give_the_scores(network):
    with torch.inference_mode():
        batch = network.framing.asked(batch_of(HISTORIES))
        newest = network.states(batch)[torch.arange(3), batch.length_B - 1]
        torch.testing.assert_close(newest, network.last(batch_of(HISTORIES)), atol=1e-5, rtol=1e-5)
        product_BI = newest @ network.item_vectors().T
    torch.testing.assert_close(product_BI[:, 1:], score(network, HISTORIES)[:, 1:], atol=1e-5, rtol=1e-5)


def test_company_and_padding_never_move_a_score(network):
    together = score(network, HISTORIES)
    for row, history in enumerate(HISTORIES):
        torch.testing.assert_close(score(network, [history])[0], together[row], atol=1e-5, rtol=1e-5)


def test_the_state_at_each_position_is_the_answer_to_a_request_there(network):
    if not network.causal:
        pytest.skip("a position of a masked network looks at later ones")
    with torch.inference_mode():
        h_BLD = network.states(batch_of(HISTORIES[2:]))
        for length in range(1, 9):
            asked = network.last(batch_of([HISTORIES[2][:length]]))
            torch.testing.assert_close(h_BLD[:, length - 1], asked, atol=1e-5, rtol=1e-5)


def test_a_seed_makes_the_same_network():
    for table in TABLES.values():
        one, two, other = make(table), make(table), make(table, seed=1)
        assert torch.equal(score(one, HISTORIES), score(two, HISTORIES))
        assert not torch.equal(score(one, HISTORIES), score(other, HISTORIES))


def test_arrays_rebuild_the_network_without_its_spare_rows():
    for table in TABLES.values():
        network, other = make(table), make(table, seed=1)
        if hasattr(network.head, "set_range"):
            network.head.set_range(3.0, 2.0)
        assert other.load_arrays(network.arrays(), ITEMS) is other
        assert torch.equal(score(network, HISTORIES), score(other, HISTORIES))


def test_arrays_of_another_shape_are_refused_by_name():
    with pytest.raises(RunError, match=r"items\.weight"):
        make({"encoder": "gru"}).load_arrays(make({"encoder": "gru", "dim": 8}).arrays(), ITEMS)
    with pytest.raises(RunError, match="expected 20 items, got 21"):
        make({"encoder": "gru"}).load_arrays(make({"encoder": "gru"}).arrays(), 21)


def test_growing_keeps_the_scores_of_the_old_items():
    for table in TABLES.values():
        network = make(table)
        before = score(network, HISTORIES)
        network.grow(3)
        after = score(network, HISTORIES)
        assert after.shape == (3, ITEMS + 4) and network.num_items == ITEMS + 3
        torch.testing.assert_close(after[:, : ITEMS + 1], before)


def test_behaviors_move_scores_only_where_the_recipe_asks():
    for embed in (False, True):
        network = make({"encoder": "transformer", "behavior_embedding": embed})
        with torch.inference_mode():
            one, two = (network.score(batch_of(HISTORIES, behavior)) for behavior in (1, 2))
        assert torch.equal(one, two) is not embed


def test_an_empty_history_gets_finite_scores(network):
    assert score(network, [[], [3]])[0, 1:].isfinite().all()


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"dim": 0}, "dim = 0"),
        ({"max_len": 0}, "max_len = 0"),
        ({"dropout": 1.0}, "dropout = 1.0"),
        ({"dropout": -0.1}, "dropout = -0.1"),
        ({"dropout": float("nan")}, "dropout = nan"),
        ({"mask_share": 0.2}, 'mask_share = 0.2 has no effect with framing = "next"'),
        ({"framing": "masked"}, "mask_share = 0.0: .* between 0 and 1"),
        ({"framing": "masked", "mask_share": 1.0}, "mask_share = 1.0"),
        ({"framing": "masked", "mask_share": 0.2, "max_len": 1}, "max_len = 1"),
        ({"head": "value", "output_bias": True}, "output_bias has no effect"),
    ],
)
def test_impossible_settings_are_refused(settings, match):
    with pytest.raises(RecipeError, match=match):
        NetworkSettings(**settings)


@pytest.mark.parametrize("encoder", ["gru", "lstm", "low_pass"])
def test_an_encoder_that_only_looks_back_refuses_masked_events(encoder):
    with pytest.raises(RecipeError, match=f"'{encoder}' looks back only") as error:
        make({"encoder": encoder, "framing": "masked", "mask_share": 0.2})
    assert "transformer" in error.value.hint and "ligr" in error.value.hint


def test_a_masked_network_looks_both_ways_and_its_slot_is_no_item():
    network = make(TABLES["transformer, masked"])
    batch, other = batch_of([[1, 0, 3, 4]]), batch_of([[1, 0, 3, 5]])
    with torch.inference_mode():
        assert not torch.allclose(network.states(batch)[:, 1], network.states(other)[:, 1], atol=1e-4)
        before = network.last(batch_of([[1, 2]]))
        network.items.weight[0] = 9.0
        torch.testing.assert_close(network.last(batch_of([[1, 2]])), before)
        network.mask_D[::2] += 1.0
        assert not torch.allclose(network.last(batch_of([[1, 2]])), before, atol=1e-3)


def test_a_masked_network_answers_from_its_newest_events():
    network = make(TABLES["transformer, masked"])
    torch.testing.assert_close(score(network, [[20, *HISTORIES[2]]]), score(network, [HISTORIES[2]]))
    newest = HISTORIES[2][1:]  # seven, and the slot: max_len is 8
    torch.testing.assert_close(score(network, [HISTORIES[2]]), score(network, [newest]))
    assert not torch.allclose(score(network, [newest[1:]])[:, 1:], score(network, [newest])[:, 1:], atol=1e-4)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_network_and_its_losses_stay_on_their_device(table):
    """The device `meta` holds shapes only, and refuses tensors of another device, as a GPU would."""
    network, batch = make(table).to("meta"), batch_of(HISTORIES).to("meta")
    target_N = torch.ones(batch.item_BL.numel(), dtype=torch.int64, device="meta")
    full_softmax(network.states(batch).flatten(0, 1), network.item_vectors(), target_N).backward()
    sampled_softmax(network.states(batch).flatten(0, 1), network.item_vectors(), target_N, target_N).backward()
    with torch.no_grad():
        scores = network.eval().score(batch)
    assert scores.device.type == network.items.weight.grad.device.type == "meta"
