"""A batch taken in pieces, blocks computed anew, an encoder in half precision: the gradient stays what it was."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from tests.logs import events_of
from tests.models.batches import framed

from horae.errors import RecipeError
from horae.models.compose import compose
from horae.models.encoders import ENCODERS
from horae.models.encoders.recompute import recompute
from horae.recipe import Recipe, load_recipe
from horae.sequences.framing import Next, windows
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.check import check
from horae.training.joint import Joint
from horae.training.loop import LoopSettings, train_network
from horae.training.objectives import make_objective
from horae.training.progress import Quiet

LINES = [[1, 2, 3, 4], [2, 1, 4], [5, 3], [3, 3, 1, 2], [4, 5, 5]]
COUNTS = torch.tensor([0, 5, 3, 1, 1, 1])
ABLE = ["transformer", "ligr", "low_pass", "decay_gru", "decay_lstm", "hstu", "linear_recurrence"]


def network_of(encoder="transformer", **table):
    torch.manual_seed(0)
    more = {"low_frequencies": 1} if encoder == "low_pass" else {}
    keys = {"encoder": encoder, "dim": 8, "max_len": 4, "num_layers": 2, "dropout": 0.0}
    return compose({**keys, **more, **table}, 5, 2).train()


def slopes(network, losses):
    network.zero_grad()
    total = 0.0
    for loss in losses:
        loss.backward()
        total += loss.item()
    return total, {
        name: p.grad.to_dense() if p.grad is not None else torch.zeros_like(p) for name, p in network.named_parameters()
    }


def same_in_pieces(network, make, data, many):
    """The gradient of the whole batch, and of its pieces together; each objective draws from the same seed."""
    whole, pieces = make(), make()
    total, one = slopes(network, [loss for _, loss in whole.steps(network, data)])
    parts = [loss for piece in data.pieces(many) for _, loss in pieces.steps(network, piece, data)]
    added, several = slopes(network, parts)
    assert len(parts) > 1 and added == pytest.approx(total, rel=1e-5)
    assert any(grad.abs().max() > 1e-4 for grad in one.values())
    for name, grad in one.items():
        torch.testing.assert_close(several[name], grad, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: name + text)


@pytest.mark.parametrize("many", [2, 3, 9])
@pytest.mark.parametrize("loss", ["softmax", "sampled_softmax", "gbce", "binary"])
def test_pieces_of_a_batch_add_up_to_its_gradient(loss, many):
    network, draws = network_of(), None if loss == "softmax" else 4
    data = framed(LINES)
    data.target_BL[2] = 0  # a piece without a target
    same_in_pieces(network, lambda: make_objective(network, loss, draws, count_I=COUNTS, seed=0, l1=0.01), data, many)


def test_pieces_whose_targets_count_differently_add_up():
    network, data = network_of(), framed(LINES)
    behavior_BL = 1 + (torch.arange(data.target_BL.numel()) % 2).view_as(data.target_BL)
    data = replace(data, target_behavior_BL=behavior_BL)
    weights = torch.tensor([1.0, 0.0, 5.0])
    same_in_pieces(
        network, lambda: make_objective(network, "softmax", count_I=COUNTS, seed=0, weight_of=weights), data, 3
    )
    own_BL = torch.linspace(0.2, 3.0, data.target_BL.numel()).view_as(data.target_BL)
    data = replace(data, target_weight_BL=own_BL)
    for by_behavior in (weights, None):
        make = partial(make_objective, network, "softmax", count_I=COUNTS, seed=0, weight_of=by_behavior)
        same_in_pieces(network, make, data, 3)


@pytest.mark.parametrize("loss", ["mean_squared_error", "binary"])
def test_pieces_with_values_unknown_in_some_add_up(loss):
    network, data = network_of(head="value"), framed(LINES)
    value_BL = torch.linspace(0, 1, data.target_BL.numel()).view_as(data.target_BL).clone()
    value_BL[0] = torch.nan
    data = replace(data, target_value_BL=value_BL)
    same_in_pieces(network, lambda: make_objective(network, loss, count_I=COUNTS, seed=0), data, 5)


@pytest.mark.parametrize("framing", ["next", "masked"])
def test_pieces_of_pairs_add_up_though_one_only_refuses(framing):
    more = {"mask_share": 0.2} if framing == "masked" else {}
    network, data = network_of(framing=framing, head="pair", **more), framed(LINES)
    data.target_BL[3], data.target_behavior_BL[3] = 0, 0
    data.batch.behavior_BL[3] = 2  # what stands after a position is an answer only where it is not seen
    refuses = torch.tensor([False, False, True])
    make = partial(make_objective, network, "binary", 2, count_I=COUNTS, l1=0.5, refuses_C=refuses)
    penalty = 0.5 * sum(weight.abs().sum().item() for weight in network.encoder.parameters() if weight.ndim > 1)
    shares = []
    for piece in data.pieces(5):
        bare = make_objective(network, "binary", 2, count_I=COUNTS, seed=0, refuses_C=refuses)
        taken = [goal.steps(network, piece, data) for goal in (make(seed=0), bare)]
        shares += [(full - alone).item() / penalty for (_, full), (_, alone) in zip(*taken, strict=True)]
    assert len(shares) == (5 if framing == "next" else 4) and sum(shares) == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("weighing", ["fixed", "uncertainty"])
def test_pieces_of_several_questions_add_up(weighing):
    rows = [(f"u{n % 5}", f"i{n % 4}", 1e9 + 3600.0 * n**1.5, "abc"[n % 2], [1.0, None, 7.0][n % 3]) for n in range(23)]
    log = events_of(rows, behaviors=("a", "b"))
    sequences = Sequences.from_events(log, Vocabulary.of(log.frame["item_id"]))
    network = network_of("hstu", also=["behavior", "time", "value"], time_dropout=0.0)
    network.upcoming.look_at(sequences, True)
    network.upcoming.eval()  # else it hides some of the gaps at random
    torch.nn.init.normal_(network.upcoming.log_variance_T)
    data = Next(True).frame(windows(sequences, 4, "all", None, sequences.newest), np.random.default_rng(0))
    inner = make_objective(network, "softmax", count_I=torch.ones(6), seed=0)
    weights = {"time": 0.5} if weighing == "fixed" else {}
    same_in_pieces(network, lambda: Joint(inner, weighing, weights), data, 3)


def test_training_in_pieces_gives_the_weights_of_training_on_whole_batches():
    rows = [(f"u{n % 12}", f"i{n * n % 7}", 1e9 + n) for n in range(90)]
    log = events_of(rows)
    sequences = Sequences.from_events(log, Vocabulary.of(log.frame["item_id"]))
    ends = []
    for accumulate in (1, 3):
        torch.manual_seed(1)
        network = compose({"encoder": "gru", "dim": 8, "max_len": 8, "dropout": 0.0, "framing": "next"}, 7, 1)
        objective = make_objective(network, "sampled_softmax", 4, count_I=torch.ones(8), seed=0)
        settings = LoopSettings(epochs=2, batch_tokens=48, accumulate=accumulate)
        trained = train_network(network, objective, sequences, settings, validate=None, seed=0, progress=Quiet())
        ends.append((trained.log[-1]["loss"], torch.cat([p.detach().flatten() for p in network.parameters()])))
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-4)
    torch.testing.assert_close(ends[0][1], ends[1][1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("encoder", ABLE)
def test_blocks_computed_anew_have_the_same_gradient(encoder, dropout):
    network, data = network_of(encoder, dropout=dropout), framed(LINES)
    found = []
    for wanted in (False, True):
        recompute(network.encoder, wanted)
        torch.manual_seed(3)  # the same is dropped, and again in the backward pass
        [(_, loss)] = make_objective(network, "softmax", count_I=COUNTS, seed=0).steps(network, data)
        found.append(slopes(network, [loss]))
    assert found[0][0] == found[1][0]
    for name, grad in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], grad, rtol=1e-5, atol=1e-7)


def kept_bytes(network, data):
    """What autograd holds between the two passes, beside the parameters."""
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept = {}

    def pack(tensor):
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network.states(data.batch).sum()
    return sum(kept.values())


@pytest.mark.parametrize("encoder", ["transformer", "hstu"])
def test_blocks_computed_anew_keep_a_small_part_of_the_memory(encoder):
    torch.manual_seed(0)
    network = compose({"encoder": encoder, "dim": 32, "max_len": 32, "num_layers": 8, "dropout": 0.2}, 5, 1).train()
    data = framed([[1, 2, 3, 4, 5] * 5] * 8)
    whole = kept_bytes(network, data)
    recompute(network.encoder, True)
    assert kept_bytes(network, data) < whole / 5


def test_an_encoder_without_blocks_refuses_checkpointing_and_says_which_have_some():
    for name in ENCODERS:
        recipe = Recipe(name="x", model={"encoder": name}, train={"checkpointing": True})
        if name in ABLE:
            assert check(recipe).train["checkpointing"] is True
        else:
            with pytest.raises(RecipeError, match="checkpointing has no effect") as raised:
                check(recipe)
            assert raised.value.hint == f"Remove it, or choose encoder from {', '.join(ABLE)}."


def test_no_pieces_are_refused():
    with pytest.raises(RecipeError, match=r"\[train\] accumulate = 0: expected at least 1"):
        check(load_recipe("sasrec", ["train.accumulate=0"]))


@pytest.mark.parametrize("encoder", [*ABLE, "gru", "lstm"])
def test_an_encoder_in_half_precision_learns_about_the_same_gradient(encoder):
    network, data = network_of(encoder, dim=16), framed(LINES)
    objective = make_objective(network, "softmax", count_I=COUNTS, seed=0)
    _, exact = slopes(network, [objective.steps(network, data)[0][1]])
    network.autocast = torch.bfloat16
    [(_, loss)] = objective.steps(network, data)
    _, half = slopes(network, [loss])
    assert loss.dtype == torch.float32
    one, other = (torch.cat([grad.flatten() for grad in found.values()]) for found in (exact, half))
    assert torch.cosine_similarity(one, other, dim=0) > 0.99
    assert not torch.equal(one, other)
    network.eval()
    with torch.inference_mode():
        answers = network.score(data.batch)
        network.autocast = None
        assert torch.equal(answers, network.score(data.batch))  # answers are not touched
