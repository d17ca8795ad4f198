"""Item vectors to begin with, against the formula in plain numbers, and what they are worth."""

import numpy as np
import pytest
import torch
from tests.logs import chain_log, events_of

import horae
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training import start
from horae.training.progress import Quiet
from horae.training.start import neighbour_vectors
from horae.training.train import Options


def sequences_of(*lines):
    events = events_of([(f"u{n}", item, None) for n, line in enumerate(lines) for item in line])
    return Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))


def information(lines, size):
    """The matrix of the docstring, pair by pair, every pair met from both of its ends."""
    near = np.zeros((size, size))
    for line in lines:
        for i, one in enumerate(line):
            for j, other in enumerate(line):
                if 0 < abs(i - j) <= 5 and (one != other or i < j):
                    near[one, other] += 1 / abs(i - j)
    count = near.sum(1)
    context = count**0.75
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(near * context.sum() / (count[:, None] * context[None]))
    return np.where(near > 0, value.clip(min=0), 0)


def test_the_vectors_are_the_leading_directions_of_the_formula():
    rng = np.random.default_rng(3)
    lines = [rng.integers(1, 9, size=length).tolist() for length in (12, 1, 7, 3, 20)]
    got = neighbour_vectors(sequences_of(*[[f"i{n}" for n in line] for line in lines]), 4).double().numpy()
    u, s, _ = np.linalg.svd(information(lines, 9))
    wanted = u[:, :4] * np.sqrt(s[:4])
    wanted *= 0.5 / np.linalg.norm(wanted[1:], axis=1).mean()
    np.testing.assert_allclose(got @ got.T, wanted @ wanted.T, atol=1e-3)  # directions have no sign of their own
    assert not got[0].any()


def test_lines_of_different_users_do_not_touch():
    vectors = neighbour_vectors(sequences_of(["a", "b"] * 3, ["c", "d"] * 3), 4)
    cosine = torch.nn.functional.cosine_similarity(vectors[1:, None], vectors[None, 1:], dim=-1)
    assert cosine[:2, 2:].abs().max() < 1e-3


@pytest.mark.parametrize("lines", [(["a"], ["b"]), (["a", "a", "a"],)], ids=["single events", "one item"])
def test_a_log_that_says_nothing_of_neighbours_gives_no_vectors(lines):
    assert neighbour_vectors(sequences_of(*lines), 4) is None


def test_a_log_too_large_to_count_is_left_to_the_training(monkeypatch):
    monkeypatch.setattr(start, "EVENTS_AT_MOST", 3)
    assert neighbour_vectors(sequences_of(["a", "b", "a", "c"]), 4) is None


def test_more_columns_than_items_are_zero():
    vectors = neighbour_vectors(sequences_of(["a", "b", "c", "a"]), 16)
    assert vectors.shape == (4, 16) and not vectors[:, 4:].any()


def trained(*overrides, seed=0):
    log = chain_log(users=60, items=40, length=12)
    shape = ["model.dim=16", "model.max_len=8", "model.num_layers=1", "train.epochs=1", "train.batch_tokens=256"]
    return horae.train(log, "sasrec", overrides=[*shape, *overrides], seed=seed, options=Options(progress=Quiet()))


def test_a_network_that_begins_near_its_neighbours_is_ahead_after_one_epoch():
    near, drawn = trained(), trained('train.item_start="random"')
    quality = [one.card["training"]["validation"]["ndcg@10"] for one in (near, drawn)]
    assert quality[0] > 1.5 * quality[1]


def test_the_same_seed_begins_alike():
    assert torch.equal(trained(seed=5).model.item_vectors(), trained(seed=5).model.item_vectors())


def test_an_item_that_is_near_no_other_keeps_what_it_was_drawn():
    sequences = sequences_of(["a", "b", "a", "b"], ["z"])
    network = trained().model
    network.items.num_items = 3
    before = network.items.vectors().detach().clone()
    assert start.begin_near_neighbours(network, sequences, 0)
    after = network.items.vectors()
    assert torch.equal(after[3], before[3]) and not torch.equal(after[1], before[1]) and not after[0].any()
