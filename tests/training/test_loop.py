import json

import numpy as np
import polars as pl
import pytest
import torch
from safetensors import SafetensorError
from tests.logs import chain_log

from horae.errors import NotTrainedError, RecipeError, RunError, StoreError
from horae.models.compose import compose
from horae.schema import Events
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.loop import LoopSettings, train_network
from horae.training.objectives import make_objective
from horae.training.progress import Quiet

LOG = chain_log(users=60)
ITEMS = Vocabulary.of(LOG.frame["item_id"])
SEQUENCES = Sequences.from_events(LOG, ITEMS)


def network_and_objective(seed=0, **keys):
    torch.manual_seed(seed)
    network = compose({"encoder": "transformer", "dim": 16, "max_len": 8, "num_layers": 1, **keys}, len(ITEMS), 1)
    count = torch.ones(len(ITEMS) + 1)
    return network, make_objective(network, "sampled_softmax", 8, count_I=count, seed=seed)


def run(network, objective, epochs, **where):
    settings = LoopSettings(epochs=epochs, batch_tokens=128)
    where = {"validate": None, "seed": 3, "progress": Quiet(), **where}
    return train_network(network, objective, SEQUENCES, settings, **where)


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_the_same_seed_gives_the_same_weights():
    pair = [network_and_objective() for _ in range(2)]
    for network, objective in pair:
        torch.rand(7)  # somebody else's draws do not matter
        run(network, objective, 2)
    assert torch.equal(weights(pair[0][0]), weights(pair[1][0]))


def test_stop_and_resume_gives_the_weights_of_an_uninterrupted_training(tmp_path):
    whole, objective = network_and_objective()
    run(whole, objective, 4)
    network, objective = network_and_objective()
    run(network, objective, 2, folder=tmp_path)
    again, objective = network_and_objective(seed=9)  # its own start does not matter: the checkpoint's does
    trained = run(again, objective, 4, folder=tmp_path, resume=True)
    assert [line["epoch"] for line in trained.log] == [1, 2, 3, 4]
    assert torch.equal(weights(whole), weights(again))
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4]


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    run(*network_and_objective(), 1, folder=tmp_path)
    with pytest.raises(RunError, match="another training"):
        run(*network_and_objective(), 2, folder=tmp_path, resume=True, seed=4)


def test_the_best_epoch_is_kept_and_training_stops_when_patience_ends():
    network, objective = network_and_objective()
    kept = []
    quality = iter([0.1, 0.5, 0.4, 0.3, 0.9])

    def validate():
        kept.append(weights(network).clone())
        return {"ndcg@10": next(quality)}

    settings = LoopSettings(epochs=9, batch_tokens=128, patience=2)
    trained = train_network(network, objective, SEQUENCES, settings, validate=validate, seed=0, progress=Quiet())
    assert (trained.best_epoch, len(trained.log)) == (2, 4)
    assert torch.equal(weights(network), kept[1])


def test_stopped_by_hand_keeps_the_best_so_far():
    network, objective = network_and_objective()
    calls = []

    def validate():
        calls.append(weights(network).clone())
        if len(calls) == 2:
            raise KeyboardInterrupt
        return {"ndcg@10": 0.2}

    settings = LoopSettings(epochs=9, batch_tokens=128)
    trained = train_network(network, objective, SEQUENCES, settings, validate=validate, seed=0, progress=Quiet())
    assert trained.interrupted and trained.best_epoch == 1
    assert torch.equal(weights(network), calls[0])


def test_a_loss_that_is_no_number_stops_with_advice():
    network, objective = network_and_objective()
    with torch.no_grad():
        network.items.weight[3] = float("nan")
    with pytest.raises(NotTrainedError, match=r"no longer a number[\s\S]*learning_rate"):
        run(network, objective, 2)


def test_impossible_settings_are_refused():
    for table in ({"epochs": 0}, {"learning_rate": 0.0}, {"clip_norm": -1.0}, {"weight_decay": float("inf")}):
        with pytest.raises(RecipeError):
            LoopSettings.from_table(table)


def test_padding_and_positions_are_counted():
    trained = run(*network_and_objective(), 1)
    assert trained.padding >= 0
    assert trained.positions - trained.padding == int(np.sum(SEQUENCES.all().lengths - 1)) == 60 * 11


def test_a_checkpoint_of_another_recipe_or_log_is_refused(tmp_path):
    run(*network_and_objective(), 1, folder=tmp_path, made_of="dropout 0.1")
    with pytest.raises(RunError, match="another training"):
        run(*network_and_objective(), 2, folder=tmp_path, resume=True, made_of="dropout 0.2")
    later = pl.col("timestamp") + pl.duration(days=1)
    for edited in (LOG.frame.with_columns(target=pl.col("item_id") != "i001"), LOG.frame.with_columns(later)):
        sequences = Sequences.from_events(Events(edited), ITEMS)
        where = {"validate": None, "seed": 3, "progress": Quiet(), "folder": tmp_path, "resume": True}
        settings = LoopSettings(epochs=2, batch_tokens=128)
        with pytest.raises(RunError, match="another training"):
            train_network(*network_and_objective(), sequences, settings, made_of="dropout 0.1", **where)


def test_a_damaged_checkpoint_and_a_full_disk_are_said_in_words(tmp_path, monkeypatch):
    run(*network_and_objective(), 1, folder=tmp_path)
    file = tmp_path / "last.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(RunError, match="damaged"):
        run(*network_and_objective(), 2, folder=tmp_path, resume=True)

    def full(*_):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("horae.training.checkpoint.safetensors.torch.save_file", full)
    with pytest.raises(StoreError, match="disk is full"):
        run(*network_and_objective(), 1, folder=tmp_path)


class Failing:
    """An objective whose device fails at the first step of an epoch."""

    def __init__(self, objective, error, epoch):
        self.objective, self.error, self.left = objective, error, epoch

    def __getattr__(self, name):
        return getattr(self.objective, name)

    def steps(self, network, framed):
        if self.left == 0:
            raise self.error
        self.left -= 1
        return self.objective.steps(network, framed)


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "ran out of memory", "batch_tokens"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "ran out of memory", "batch_tokens"),
        (torch.AcceleratorError("CUDA error: device lost"), "failed in epoch 2", "horae doctor"),
    ],
)
def test_a_device_that_fails_mid_run_leaves_a_whole_checkpoint_and_says_so(tmp_path, error, said, hint):
    whole, objective = network_and_objective()
    run(whole, objective, 3)
    network, objective = network_and_objective()
    steps_of_one_epoch = 7
    with pytest.raises(NotTrainedError, match=said) as raised:
        run(network, Failing(objective, error, steps_of_one_epoch), 3, folder=tmp_path)
    assert hint in raised.value.hint and "checkpoint of epoch 1 is whole" in raised.value.hint
    again, objective = network_and_objective(seed=5)
    run(again, objective, 3, folder=tmp_path, resume=True)
    assert torch.equal(weights(whole), weights(again))


def test_any_other_error_passes_unchanged():
    network, objective = network_and_objective()
    with pytest.raises(RuntimeError, match="shapes"):
        run(network, Failing(objective, RuntimeError("shapes do not fit"), 0), 1)


def test_a_history_longer_than_the_batch_budget_makes_a_batch_of_its_own():
    network, objective = network_and_objective()
    trained = train_network(
        network, objective, SEQUENCES, LoopSettings(epochs=1, batch_tokens=1), validate=None, seed=0, progress=Quiet()
    )
    assert trained.log[0]["targets"] == sum(SEQUENCES.all().lengths - 1) and trained.padding == 0
