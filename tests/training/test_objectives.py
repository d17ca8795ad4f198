import math
from dataclasses import replace

import pytest
import torch
from tests.models.batches import batch_of, framed

from horae.errors import DataError, RecipeError
from horae.models.compose import compose
from horae.recipe import load_recipe
from horae.training.losses import binary_pairs, full_softmax
from horae.training.objectives import NextItemObjective, ValueObjective, make_objective

COUNTS = torch.tensor([0, 5, 3, 1, 1, 1])
# What comes after 1 and 2 depends on their order only: popularity and sets of items cannot tell 3 from 4.
ORDER_ONLY = [[1, 2, 3], [2, 1, 4]] * 4
ENCODERS = [
    {"encoder": "transformer"},
    {"encoder": "gru"},
    {"encoder": "gru", "attention": "additive"},
    {"encoder": "lstm"},
    {"encoder": "lstm", "attention": "dot"},
]


def network_of(table, seed=0):
    torch.manual_seed(seed)
    return compose({"dim": 16, "max_len": 4, "dropout": 0.0, **table}, 5, 1)


def train(network, objective, data, steps=60):
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.02)
    network.train()
    for _ in range(steps):
        for parameters, loss in objective.steps(network, data):
            assert {id(p) for p in parameters} == {id(p) for p in network.parameters()}
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    network.eval()
    return loss.item()


def best_after(network, history):
    with torch.inference_mode():
        return int(network.score(batch_of([history])).argmax())


class Always:
    """Draws item 1, whatever is asked."""

    log_q_I = None

    def draw(self, *shape, device="cpu"):
        return torch.ones(shape, dtype=torch.int64, device=device)


@pytest.mark.parametrize("loss", ["sampled_softmax", "binary", "gbce"])
def test_what_was_shown_before_a_target_is_a_negative_of_that_target_alone(loss):
    data = framed([[1, 2, 3]])
    shown_BLS = torch.zeros(*data.target_BL.shape, 2, dtype=torch.int32)
    shown_BLS[0, 1] = torch.tensor([5, 4])  # before item 3: of the two, 5 is the newest
    data = replace(data, shown_BLS=shown_BLS)
    moved = {}
    for most in (0, 1, 2):
        network = network_of({"encoder": "gru"})
        objective = NextItemObjective(loss, Always(), 1)
        objective.impressions = most
        ((_, value),) = objective.steps(network, data)
        pieces = objective.steps(network, data, whole=data)
        assert torch.equal(pieces[0][1], value)
        value.backward()
        gradients = next(p.grad for p in network.parameters() if p.grad is not None and p.shape[0] == 6)
        moved[most] = {item for item in (4, 5) if gradients[item].abs().sum() > 0}
    assert moved == {0: set(), 1: {5}, 2: {4, 5}}


@pytest.mark.parametrize("table", ENCODERS, ids=lambda table: "-".join(table.values()))
def test_every_encoder_learns_a_pattern_that_only_order_shows(table):
    network = network_of(table)
    train(network, make_objective(network, "softmax", count_I=COUNTS, seed=0), framed(ORDER_ONLY))
    assert [best_after(network, history) for history in ([1, 2], [2, 1])] == [3, 4]


@pytest.mark.parametrize("loss", ["softmax", "sampled_softmax", "binary", "gbce"])
def test_every_loss_learns_the_pattern_and_the_same_seed_learns_the_same(loss):
    ends = []
    for _ in range(2):
        network = network_of({"encoder": "gru"})
        many = None if loss == "softmax" else 4
        objective = make_objective(network, loss, many, count_I=COUNTS, seed=0)
        ends.append(train(network, objective, framed(ORDER_ONLY)))
        assert [best_after(network, history) for history in ([1, 2], [2, 1])] == [3, 4]
    assert ends[0] == ends[1]


def test_the_loss_is_that_of_the_positions_with_a_target_only():
    network = network_of({"encoder": "transformer"}).eval()
    data = framed([[1, 2, 3], [4, 5]])
    data.target_BL[0, 0] = 0  # history only
    [(_, loss)] = make_objective(network, "softmax", count_I=COUNTS, seed=0).steps(network, data)
    h_BLD = network.states(data.batch)
    h_ND = torch.stack([h_BLD[0, 1], h_BLD[1, 0]])
    torch.testing.assert_close(loss, full_softmax(h_ND, network.item_vectors(), torch.tensor([3, 5])))


def test_a_batch_without_targets_has_no_step():
    network = network_of({"encoder": "gru"})
    data = framed([[1, 2]])
    data.target_BL.zero_()
    assert make_objective(network, "softmax", count_I=COUNTS, seed=0).steps(network, data) == []
    valued = network_of({"encoder": "gru", "head": "value"})
    objective = make_objective(valued, "mean_squared_error", count_I=COUNTS, seed=0)
    assert objective.steps(valued, framed([[1, 2]])) == []  # a target, but of unknown value


def test_mean_squared_error_learns_values_in_their_own_unit():
    network = network_of({"encoder": "gru", "head": "value"})
    objective = make_objective(network, "mean_squared_error", count_I=COUNTS, seed=0)
    values = [[300.0, 500.0], [100.0, float("nan")]]
    objective.prepare(network, torch.tensor(values).flatten())
    assert network.head.mean.item() == pytest.approx(300.0)
    assert train(network, objective, framed([[1, 2, 3], [2, 1, 4]], values), steps=150) < 100.0
    with torch.inference_mode():
        assert network.score(batch_of([[1, 2]]))[0, 3].item() == pytest.approx(500.0, abs=15.0)


def test_binary_learns_labels_where_the_head_is_for_values():
    network = network_of({"encoder": "gru", "head": "value"})
    objective = make_objective(network, "binary", count_I=COUNTS, seed=0)
    values = [[1.0, 0.0], [0.0, 1.0]]
    objective.prepare(network, torch.tensor(values).flatten())
    assert isinstance(objective, ValueObjective) and network.head.scale.item() == 1.0
    assert train(network, objective, framed([[1, 2, 3], [2, 1, 4]], values)) < 0.1
    with torch.inference_mode():
        probability = network.score(batch_of([[1, 2], [2, 1]])).sigmoid()
    assert probability[0, 3] < 0.2 and probability[1, 4] > 0.8


def test_values_that_cannot_be_learned_from_are_refused():
    network = network_of({"encoder": "gru", "head": "value"})
    with pytest.raises(DataError, match="from 0 to 1, got 1 to 5"):
        make_objective(network, "binary", count_I=COUNTS, seed=0).prepare(network, torch.tensor([1.0, 5.0]))
    with pytest.raises(DataError, match="the log has none"):
        make_objective(network, "mean_squared_error", count_I=COUNTS, seed=0).prepare(
            network, torch.tensor([torch.nan])
        )


def test_a_restored_objective_draws_what_the_first_would_have_drawn():
    network = network_of({"encoder": "gru"})
    first, second = (make_objective(network, "binary", count_I=COUNTS, seed=seed) for seed in (1, 2))
    data = framed(ORDER_ONLY)
    first.steps(network, data)
    second.load_state(first.state())
    assert first.steps(network, data)[0][1].item() == second.steps(network, data)[0][1].item()
    plain = make_objective(network, "softmax", count_I=COUNTS, seed=0)
    assert plain.state() == {}
    plain.load_state({})


def test_defaults_follow_the_loss():
    network = network_of({"encoder": "gru"})
    for loss, expected in (("softmax", 0), ("sampled_softmax", 256), ("binary", 1), ("gbce", 256)):
        objective = make_objective(network, loss, count_I=COUNTS, seed=0)
        assert isinstance(objective, NextItemObjective) and objective.num_negatives == expected
    popular = make_objective(network, "sampled_softmax", 7, "popularity", count_I=COUNTS, seed=0)
    assert popular.num_negatives == 7 and popular.negatives.log_q_I is not None


def test_the_power_of_popularity_is_the_recipes():
    network = network_of({"encoder": "gru"})

    def shares(power):
        objective = make_objective(
            network, "sampled_softmax", 7, "popularity", count_I=COUNTS, seed=0, popularity_power=power
        )
        return objective.negatives.log_q_I.exp()[1:].tolist()

    assert shares(0.0) == pytest.approx([0.2] * 5)
    assert shares(1.0) == pytest.approx([5 / 11, 3 / 11, 1 / 11, 1 / 11, 1 / 11])
    assert shares(None) == pytest.approx(shares(0.75))


def test_l1_adds_the_absolute_sum_of_the_encoders_matrices_and_of_nothing_else():
    network = network_of({"encoder": "gru"}).eval()
    data = framed(ORDER_ONLY)
    [(_, plain)] = make_objective(network, "softmax", count_I=COUNTS, seed=0).steps(network, data)
    [(_, penalised)] = make_objective(network, "softmax", count_I=COUNTS, seed=0, l1=0.01).steps(network, data)
    cells = network.encoder.cells
    expected = 0.01 * (cells.weight_ih_l0.abs().sum() + cells.weight_hh_l0.abs().sum())
    assert (penalised - plain).item() == pytest.approx(expected.item(), rel=1e-4)


def test_l1_makes_weights_smaller_and_a_checkpoint_still_knows_the_draws():
    sums = []
    for l1 in (0.0, 0.01):
        network = network_of({"encoder": "gru"})
        train(network, make_objective(network, "softmax", count_I=COUNTS, seed=0, l1=l1), framed(ORDER_ONLY))
        sums.append(network.encoder.cells.weight_hh_l0.abs().sum().item())
    assert sums[1] < 0.5 * sums[0]
    objective = make_objective(network, "gbce", 4, count_I=COUNTS, seed=0, l1=0.01)
    objective.load_state(make_objective(network, "gbce", 4, count_I=COUNTS, seed=5).state())
    assert set(objective.state()) == {"negatives"}


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ({"loss": "softmax", "calibration": 0.5}, "calibration has no effect"),
        ({"loss": "sampled_softmax", "popularity_power": 0.5}, "popularity_power has no effect"),
        ({"loss": "gbce", "calibration": 1.5}, "calibration = 1.5: expected 0 to 1"),
        ({"loss": "gbce", "negatives": "popularity", "popularity_power": -1.0}, "popularity_power = -1.0"),
        ({"loss": "softmax", "l1": -0.1}, "l1 = -0.1"),
    ],
)
def test_a_key_of_the_objective_without_effect_or_sense_is_refused(keys, match):
    with pytest.raises(RecipeError, match=match):
        make_objective(network_of({"encoder": "gru"}), **keys, count_I=COUNTS, seed=0)


@pytest.mark.parametrize(
    ("head", "arguments", "match"),
    [
        ("next_item", ("softmax", 5), "num_negatives has no effect"),
        ("next_item", ("softmax", None, "uniform"), "negatives has no effect"),
        ("next_item", ("mean_squared_error",), 'loss = "mean_squared_error" does not fit'),
        ("next_item", ("binary", 0), "num_negatives = 0"),
        ("value", ("softmax",), 'does not fit .* head = "value"'),
        ("value", ("binary", 5), "num_negatives has no effect"),
    ],
)
def test_what_does_not_fit_is_refused(head, arguments, match):
    with pytest.raises(RecipeError, match=match):
        make_objective(network_of({"encoder": "gru", "head": head}), *arguments, count_I=COUNTS, seed=0)


@pytest.mark.parametrize("name", ["sasrec", "gsasrec", "gru", "gru-attention", "gru4rec", "lstm", "lstm-attention"])
def test_installed_recipes_have_an_objective(name):
    recipe = load_recipe(name)
    known = ("loss", "num_negatives", "negatives", "calibration", "popularity_power", "l1")
    keys = {key: recipe.train[key] for key in known if key in recipe.train}
    make_objective(compose(recipe.model, 5, 1), **keys, count_I=COUNTS, seed=0)


@pytest.mark.parametrize("loss", ["binary", "mean_squared_error"])
def test_values_are_learned_from_the_rows_of_their_items_alone(loss):
    grads = []
    for touched in (False, True):
        network = network_of({"encoder": "gru", "head": "value"})
        network.items.touched_rows = touched
        batch = framed([[1, 2], [2, 1, 4]], values=[[1.0], [0.0, 1.0]])
        ((_, value),) = ValueObjective(loss).steps(network, batch)
        value.backward()
        grads.append(network.items.weight.grad)
    assert grads[1].is_sparse and not grads[0].is_sparse  # the row-wise optimiser takes no other
    torch.testing.assert_close(grads[1].to_dense(), grads[0])


@pytest.mark.parametrize("loss", ["softmax", "sampled_softmax", "binary", "gbce"])
def test_a_behavior_of_weight_zero_is_not_learned_and_others_count_by_their_weights(loss):
    network = network_of({"encoder": "gru"}).eval()
    data = framed([[1, 2, 3], [2, 1, 4], [5, 3, 1]])
    behavior_BL = torch.tensor([[1, 2], [2, 1], [3, 3]])

    def loss_at(weights, kept=None):
        objective = make_objective(
            network, loss, count_I=COUNTS, seed=0, weight_of=None if weights is None else torch.tensor(weights)
        )
        chosen = data.target_BL if kept is None else data.target_BL * kept
        ((_, value),) = objective.steps(network, replace(data, target_BL=chosen, target_behavior_BL=behavior_BL))
        return value.item()

    assert loss_at([1.0, 0.0, 1.0, 0.0]) == pytest.approx(loss_at(None, behavior_BL == 2), rel=1e-5)
    if loss == "softmax":  # nothing is drawn, so parts can be put together
        first, second = loss_at(None, behavior_BL == 1), loss_at(None, behavior_BL == 2)
        assert loss_at([1.0, 3.0, 1.0, 0.0]) == pytest.approx((3 * first + second) / 4, rel=1e-5)
    assert make_objective(network, loss, count_I=COUNTS, seed=0, weight_of=torch.zeros(4)).steps(network, data) == []


def pairs_of(network, negatives=4, **more):
    return make_objective(network, "binary", negatives, count_I=COUNTS, seed=0, **more)


def test_pairs_learn_the_pattern_and_the_same_seed_learns_the_same():
    ends = []
    for _ in range(2):
        network = network_of({"encoder": "lstm", "head": "pair", "pair_hidden": 16})
        ends.append(train(network, pairs_of(network), framed(ORDER_ONLY), steps=200))
        assert [best_after(network, history) for history in ([1, 2], [2, 1])] == [3, 4]
    assert ends[0] == ends[1]


def test_pairs_loss_by_hand():
    """Two behaviors beside the unknown one; one draw is the row's own item and counts nothing."""
    own, drawn = torch.tensor([[0.0, 2.0, -1.0]]), torch.tensor([[[1.0, 0.0, 0.0], [9.0, 9.0, 9.0]]])
    loss = binary_pairs(own, torch.tensor([1]), drawn, torch.tensor([[False, True]]))

    def yes(x):
        return math.log1p(math.exp(-x))

    by_hand = yes(-0.0) + yes(2.0) + yes(1.0) + yes(-1.0) + 2 * yes(0.0)
    assert loss.item() == pytest.approx(by_hand / 3, rel=1e-5)


def test_a_refused_item_is_a_negative_and_its_behavior_is_learned():
    """After 1 people take 2 or refuse 3, as often; after training only 2 is worth something."""
    data = framed([[1, 2, 4], [1, 3, 4]] * 4)
    data.batch.behavior_BL[:, :] = 1
    data.batch.behavior_BL[1::2, 1] = 2
    data.target_behavior_BL[:, :] = 1
    data.target_BL[1::2, 0] = 0
    network = compose({"dim": 16, "max_len": 4, "dropout": 0.0, "encoder": "lstm", "head": "pair"}, 5, 2)
    refuses = torch.tensor([False, False, True])
    objective = pairs_of(network, refuses_C=refuses)
    item_BL, behavior_BL = objective._happened(data)
    assert item_BL[1].tolist() == [3, 4] and behavior_BL[1].tolist() == [2, 1]
    assert item_BL[0].tolist() == [2, 4] and data.target_BL[1, 0] == 0
    assert pairs_of(network)._happened(data)[0][1].tolist() == [0, 4]
    train(network, objective, data, steps=100)
    with torch.no_grad():
        halves = network.last(batch_of([[1]])) + network.item_vectors()[[2, 3]]
        chance = network.head.logits(halves).sigmoid()
    assert chance[0, 1] > 0.3 and chance[1, 1] < 0.05 and chance[1, 2] > 0.3


@pytest.mark.parametrize("loss", ["softmax", "gbce", "mean_squared_error"])
def test_pairs_have_one_loss(loss):
    with pytest.raises(RecipeError, match="does not fit"):
        make_objective(network_of({"encoder": "lstm", "head": "pair"}), loss, count_I=COUNTS, seed=0)
