import numpy as np
import pytest
import torch
from tests.logs import chain_log

from horae.models.compose import compose
from horae.models.network import Network
from horae.sequences.framing import windows
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.loop import LoopSettings, train_network
from horae.training.objectives import make_objective
from horae.training.optimisers import Average, clip, make_optimiser
from horae.training.progress import Quiet

LOG = chain_log(users=60)
ITEMS = Vocabulary.of(LOG.frame["item_id"])
SEQUENCES = Sequences.from_events(LOG, ITEMS)


def network(touched, items=20):
    torch.manual_seed(0)
    made = compose({"encoder": "gru", "dim": 8, "max_len": 8, "dropout": 0.0}, items, 1)
    assert isinstance(made, Network)
    made.items.touched_rows = touched
    return made


def objective(made, loss="sampled_softmax"):
    return make_objective(made, loss, 4, count_I=torch.ones(made.num_items + 1), seed=1)


def train(made, epochs=2, **where):
    settings = LoopSettings(epochs=epochs, batch_tokens=128, learning_rate=0.02)
    where = {"validate": None, "seed": 3, "progress": Quiet(), **where}
    return train_network(made, objective(made), SEQUENCES, settings, **where)


def gradients(made, loss):
    cut = windows(SEQUENCES, 8, "all", np.random.default_rng(0))
    ((_, value),) = objective(made, loss).steps(made, made.framing.frame(cut, np.random.default_rng(0)))
    value.backward()
    return made.items.weight.grad


@pytest.mark.parametrize("loss", ["sampled_softmax", "binary", "gbce"])
def test_gradients_of_touched_rows_are_those_of_the_whole_table(loss):
    whole, rows = gradients(network(False), loss), gradients(network(True), loss)
    assert rows.is_sparse and not whole.is_sparse
    torch.testing.assert_close(rows.to_dense(), whole)


def test_a_row_that_no_step_touches_neither_moves_nor_costs():
    made = network(True, items=1000)  # the log has 20 of them
    before = made.items.weight.detach().clone()
    train(made, epochs=1)
    moved = (made.items.weight.detach() != before).any(dim=1)
    assert moved[1:21].all() and moved.sum() < 500 and not moved[0]


def test_it_learns_the_rest_of_the_network_too():
    made = network(True)
    first = train(made, epochs=12)
    assert first.log[-1]["loss"] < 0.7 * first.log[0]["loss"]


def test_clipping_counts_sparse_and_dense_gradients_together():
    dense, table = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(3, 1))
    dense.grad = torch.tensor([3.0, 0.0])
    table.grad = torch.sparse_coo_tensor([[1, 1]], [[1.0], [3.0]], (3, 1), check_invariants=True)
    # the row's gradient is 4, not 1 and 3
    clip([dense, table], 1.0)
    assert dense.grad.tolist() == pytest.approx([0.6, 0.0], abs=1e-5)
    assert table.grad.to_dense().flatten().tolist() == pytest.approx([0.0, 0.8, 0.0], abs=1e-5)


def test_a_gradient_short_enough_is_left_alone():
    dense = torch.nn.Parameter(torch.zeros(2))
    dense.grad = torch.tensor([0.3, 0.4])
    clip([dense], 1.0)
    assert dense.grad.tolist() == pytest.approx([0.3, 0.4])


def test_stop_and_resume_by_touched_rows_gives_the_weights_of_an_uninterrupted_training(tmp_path):
    whole, parts, again = network(True), network(True), network(True)
    train(whole, epochs=4)
    train(parts, epochs=2, folder=tmp_path)
    train(again, epochs=4, folder=tmp_path, resume=True)
    assert torch.equal(whole.items.weight, again.items.weight)


def test_the_state_comes_back_as_it_was():
    made = network(True)
    optimiser = make_optimiser(made, 0.01, 0.0)
    for parameter in made.parameters():
        parameter.grad = torch.zeros_like(parameter)
    made.items.weight.grad = torch.sparse_coo_tensor(
        [[2]], torch.ones(1, 8), made.items.weight.shape, check_invariants=True
    )
    optimiser.step()
    other = make_optimiser(made, 0.01, 0.0)
    other.load_state(optimiser.state())
    assert other.state().keys() == optimiser.state().keys()
    assert all(torch.equal(other.state()[name], value) for name, value in optimiser.state().items())


def test_the_mean_is_worked_by_hand():
    weight = torch.nn.Parameter(torch.tensor([0.0]))
    average, expected = Average([weight], steps=4), 0.0
    for step in range(1, 60):
        with torch.no_grad():
            weight.fill_(float(step))
        average.add()
        expected += (step - expected) * max(1 / 4, 9 / (10 + step))
    assert average.mean[0].item() == pytest.approx(expected, rel=1e-5)
    assert expected == pytest.approx(59 - 3, abs=0.01)  # a mean over 4 steps lags 3 behind a line


def test_the_mean_is_judged_and_kept_while_training_goes_on_from_the_weights():
    plain, averaged = network(False), network(False)
    settings = {"batch_tokens": 128, "learning_rate": 0.02}
    seen = []
    for made, steps in ((plain, 0), (averaged, 10)):
        train_network(
            made, objective(made), SEQUENCES, LoopSettings(epochs=2, average_steps=steps, **settings),
            validate=lambda made=made: seen.append(made.items.weight.detach().clone()) or {"ndcg@10": len(seen)},
            seed=3, progress=Quiet(),
        )  # fmt: skip
    assert torch.equal(seen[1], plain.items.weight) and torch.equal(seen[3], averaged.items.weight)
    assert not torch.equal(seen[1], seen[3])
    assert (seen[3] - seen[1]).norm() < 0.5 * seen[1].norm()


def test_stop_and_resume_with_a_mean_gives_the_weights_of_an_uninterrupted_training(tmp_path):
    made = [network(False) for _ in range(3)]
    for one, epochs, where in ((0, 4, {}), (1, 2, {"folder": tmp_path}), (2, 4, {"folder": tmp_path, "resume": True})):
        settings = LoopSettings(epochs=epochs, average_steps=20, batch_tokens=128, learning_rate=0.02)
        where = {"validate": None, "seed": 3, "progress": Quiet(), **where}
        train_network(made[one], objective(made[one]), SEQUENCES, settings, **where)
    assert torch.equal(made[0].items.weight, made[2].items.weight)


@pytest.mark.parametrize("touched", [False, True])
def test_a_step_is_counted_by_every_weight_so_that_no_search_takes_old_vectors_for_fresh(touched):
    made = network(touched)
    optimiser = make_optimiser(made, 0.01, 0.0)
    versions = [weight._version for weight in made.parameters()]
    gradients(made, "sampled_softmax")
    optimiser.step()
    assert all(now._version > before for now, before in zip(made.parameters(), versions, strict=True))
