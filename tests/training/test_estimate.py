import math

import pytest
from tests.logs import chain_log

import horae
from horae.recipe import load_recipe
from horae.training import estimate as room
from horae.training import memory
from horae.training.check import check
from horae.training.estimate import Estimate, NetworkEstimate, Range, in_words
from horae.training.loop import LoopSettings
from horae.training.progress import Quiet
from horae.training.train import Options

SMALL = ["model.dim=16", "model.max_len=10", "model.num_layers=1", "train.batch_tokens=256"]
LARGE = ["model.dim=32", "model.max_len=10", "model.num_layers=3", "model.num_heads=2", "train.num_negatives=8"]
LARGE += ["train.batch_tokens=512", "train.accumulate=4"]


@pytest.fixture(scope="module")
def split():
    return horae.split_by_time(chain_log(users=120, items=15, length=12))


def estimated(split, *overrides, recipe="sasrec"):
    return horae.estimate(split, recipe, overrides=[*SMALL, *overrides], seconds=0.2)


def test_an_epoch_takes_about_as_long_as_was_said(split):
    told = estimated(split, "train.epochs=4")
    [one] = told.networks
    options = Options(progress=Quiet())
    recommender = horae.train(split, "sasrec", overrides=[*SMALL, "train.epochs=4"], options=options)
    assert one.steps == recommender.log[0]["steps"]
    taken = sorted(line["seconds"] for line in recommender.log)[1]
    assert one.epoch_seconds.low / 20 < taken < 20 * one.epoch_seconds.high  # a busy machine stretches either
    assert told.seconds.low < told.seconds.high and one.timed >= 3


def test_the_whole_is_the_fewest_to_the_most_epochs_with_validation_and_learning_again():
    one = NetworkEstimate("x", 10, 10, Range(4, 20), 7, Range(2.0, 3.0), 5.0, 1.0, again_share=1.5, timed=3)
    assert one.seconds == Range(10 + 4 * 3 + 1.5 * 2, 10 + 20 * 4 + 20 * 1.5 * 3)
    assert NetworkEstimate("x", 10, 10, Range(4, 4), 7, Range(2.0, 3.0)).seconds == Range(8.0, 12.0)
    assert NetworkEstimate("x", 10, 10, Range(4, 4)).seconds is None


def test_epochs_end_at_the_earliest_when_patience_does(split):
    assert estimated(split, "train.patience=3", "train.epochs=50").networks[0].epochs == Range(4, 50)
    assert estimated(split, "train.patience=30", "train.epochs=5").networks[0].epochs == Range(5, 5)


def test_weights_are_counted_and_memory_is_what_training_asks_for(split):
    told = estimated(split)
    recommender = horae.train(split, "sasrec", overrides=[*SMALL, "train.epochs=1"], options=Options(progress=Quiet()))
    assert told.networks[0].weights == sum(p.numel() for p in recommender.model.parameters())
    assert told.memory_bytes == memory.bytes_needed(recommender.recipe, 15, 1) and told.fits


def test_pieces_blocks_and_half_precision_need_less():
    def needed(*overrides):
        return memory.bytes_needed(check(load_recipe("hstu", ["train.batch_tokens=65536", *overrides])), 100, 1)

    plain = needed()
    layer = 40 * 64 + 2 * 2 * 50  # numbers for a position: 40 per unit, 2 scores per head and place
    assert plain - needed("train.accumulate=4") == pytest.approx(4 * 2 * layer * 65536 * 3 / 4)
    assert plain - needed("train.checkpointing=true") == pytest.approx(4 * 65536 * (layer - 2 * 64))
    assert plain - needed("train.encoder_precision=bfloat16") == pytest.approx(4 * 65536 * layer)


def test_nothing_is_written_and_training_afterwards_is_as_if_nothing_had_been(split, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = horae.train(split, "gru", overrides=[*SMALL, "train.epochs=1"], options=Options(progress=Quiet()))
    estimated(split, recipe="gru")
    after = horae.train(split, "gru", overrides=[*SMALL, "train.epochs=1"], options=Options(progress=Quiet()))
    assert list(tmp_path.iterdir()) == []
    assert before.log[0]["loss"] == after.log[0]["loss"]


def test_what_does_not_fit_is_told_and_not_refused(split, monkeypatch):
    monkeypatch.setattr(room, "bytes_there", lambda device: 2**16)
    told = estimated(split)
    assert not told.fits and told.seconds is None and told.networks[0].steps is None
    assert "NOT ENOUGH" in str(told) and "raise train.accumulate" in str(told)


def test_what_only_counts_says_so(split):
    told = horae.estimate(split, "popularity")
    assert told.networks == () and told.seconds is None and "only counts" in str(told)


def test_members_are_added_up(split):
    recipe = check(load_recipe("ensemble", ["train.epochs=2", "train.batch_tokens=256"]))
    told = horae.estimate(split, recipe, seconds=0.2)
    assert [one.recipe for one in told.networks] == ["sasrec", "gru4rec"]
    assert told.seconds.low == pytest.approx(sum(one.seconds.low for one in told.networks))
    assert told.memory_bytes == max(one.memory_bytes for one in told.networks)
    assert "only count" in told.notes[0]


def test_the_large_recipe_shrunk_is_trained_in_pieces_and_estimated(split):
    loop = LoopSettings.from_table(check(load_recipe("hstu-large", LARGE)).train)
    assert (loop.accumulate, loop.checkpointing, loop.encoder_precision) == (4, True, "bfloat16")
    told = horae.estimate(split, "hstu-large", overrides=LARGE, seconds=0.2)
    assert told.fits and told.networks[0].steps == math.ceil(told.networks[0].steps)
    quick = [*LARGE, "train.epochs=6", "train.learning_rate=0.01"]
    recommender = horae.train(split, "hstu-large", overrides=quick, options=Options(progress=Quiet()))
    assert recommender.card["training"]["validation"]["ndcg@10"] > 0.5  # the chain is learned


def test_the_large_recipe_as_it_stands_has_hundreds_of_millions_of_weights_and_room_on_a_gpu():
    recipe = check(load_recipe("hstu-large"))
    assert 190e6 < memory.num_weights(recipe, 1, 1) < 210e6
    assert 5 * 2**30 < memory.bytes_needed(recipe, 100_000, 3) < 20 * 2**30
    plain = check(load_recipe("hstu-large", ["train.accumulate=1", "train.checkpointing=false"]))
    assert memory.bytes_needed(plain, 100_000, 3) > 100 * 2**30


def test_times_are_told_in_their_unit():
    words = [in_words(seconds) for seconds in (0.0123, 12.34, 89.0, 91.0, 4_000.0, 7_000.0, 2.6e6)]
    assert words == ["0.012 s", "12 s", "89 s", "1.5 min", "67 min", "1.9 h", "30 days"]
    assert str(Range(3.0, 3.01)) == "3 s" and str(Range(3.0, 400.0)) == "3 s to 6.7 min"


def test_the_page_and_the_document_agree(split):
    told = estimated(split)
    document = told.as_dict()
    assert document["networks"][0]["seconds"] == document["seconds"] and document["fits"] is True
    assert isinstance(told, Estimate) and f"{told.networks[0].steps:,} steps" in str(told)
