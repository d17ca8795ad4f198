"""Numbers of histories as vectors: bins by hand, what a network learns from them, and what is refused."""

import math

import numpy as np
import polars as pl
import pytest
import torch
from tests.logs import chain_log, events_of
from tests.models.test_history_numbers import DAY, HOUR, UNKNOWN, one_row
from torch import nn

import horae
from horae.errors import RecipeError
from horae.models.compose import compose
from horae.models.history_features import NUM_BINS, HistoryFeatures
from horae.models.history_numbers import features_of
from horae.models.moments import without_some_times
from horae.sequences.batch import SequenceBatch, encode
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.loop import LoopSettings, train_network
from horae.training.objectives import make_objective
from horae.training.progress import Quiet
from horae.training.train import Options

DIM = 4
ROWS = NUM_BINS + 1
UNSAID = NUM_BINS


def made(names, sequences=None, dim=DIM, max_len=50):
    torch.manual_seed(0)
    features = HistoryFeatures(features_of(names), dim)
    nn.init.normal_(features.vector_ND)
    if sequences is not None:
        features.look_at(sequences, max_len)
    return features


def sequences_of(rows):
    events = events_of(rows)
    return Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))


def line(times, values=None):
    return sequences_of([("u", f"i{n}", t, "view", values and values[n]) for n, t in enumerate(times)])


def test_few_different_numbers_have_a_vector_each_and_the_question_has_its_own():
    features = made(["count_1h"], line([0, HOUR, 2 * HOUR, 9 * HOUR]))  # 1 2 2 as of events, 1 1 0 as of questions
    assert features.edge_FE[0, :3].tolist() == [1, 2, math.inf]
    told_LD = features(one_row([0, HOUR, 9 * HOUR], asked=[HOUR, 9 * HOUR, UNKNOWN]))[0]
    vector = features.vector_ND
    wanted = [vector[1] + vector[ROWS + 1], vector[2] + vector[ROWS + 0], vector[1] + vector[ROWS + UNSAID]]
    torch.testing.assert_close(told_LD, torch.stack(wanted))


def test_many_different_numbers_fall_into_bins_of_equal_share():
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(0, 3, 3_000)).tolist()
    features = made(["last_all"], line(range(3_000), values), max_len=4_000)
    bins = features._bins(one_row([0.0] * 2_999, values=values[:-1]))[:, 0].bincount(minlength=NUM_BINS)
    assert len(bins) == NUM_BINS and bins.min() > 0.8 * 3_000 / NUM_BINS and bins.max() < 1.2 * 3_000 / NUM_BINS
    beyond = features._bins(one_row([0, 1, 2], values=[-5.0, 1e30, UNKNOWN]))[:, 0].tolist()
    assert beyond == [0, NUM_BINS - 1, NUM_BINS - 1]


def test_what_time_does_not_change_is_told_once():
    features = made(["mean_n3", "count_all", "count_7d"])
    assert len(features.vector_ND) == 4 * ROWS and features.timed
    assert not made(["mean_n3", "distinct_items_all"]).timed


def test_values_without_variance_share_one_vector():
    features = made(["mean_all"], line(range(6), [5.0] * 6))
    assert torch.isinf(features.edge_FE).all()
    told_LD = features(one_row([0, 1], values=[5.0, 7.0]))[0]
    assert torch.equal(told_LD[0], features.vector_ND[0]) and torch.equal(told_LD[1], features.vector_ND[0])


def test_it_starts_at_nothing_and_can_learn():
    features = HistoryFeatures(features_of(["count_1h", "session_position"]), DIM)
    told = features(one_row([0, HOUR, UNKNOWN]))
    assert (told == 0).all()
    told.sum().backward()
    assert features.vector_ND.grad is not None and features.vector_ND.grad.any()


def test_lost_times_make_the_timed_ones_unknown_and_the_others_stay():
    features = made(["count_1h", "count_n2"], line([0, HOUR, 2 * HOUR]))
    lost = features._bins(without_some_times(one_row([0, HOUR, 2 * HOUR]), 0.999_999)).T
    assert (lost[[0, 2]] % ROWS == UNSAID).all() and (lost[1] % ROWS != UNSAID).all()


def test_a_network_drops_times_only_where_a_feature_needs_them():
    table = {"encoder": "gru", "dim": 8, "dropout": 0.0, "time_dropout": 0.5}
    assert compose({**table, "features": ["count_7d"]}, 5, 1).time_dropout == 0.5
    with pytest.raises(RecipeError, match="looks at no times"):
        compose({**table, "features": ["count_n3"]}, 5, 1)


def network(encoder, **more):
    table = {"encoder": encoder, "dim": 8, "max_len": 12, "dropout": 0.0, **more}
    table["features"] = ["count_1h", "distinct_items_1d", "decayed_count_1d", "session_position", "repeat_share_all"]
    torch.manual_seed(0)
    one = compose(table, 20, 1).eval()
    log = chain_log(users=20, items=20, length=8)
    one.features.look_at(Sequences.from_events(log, Vocabulary.of(log.frame["item_id"])), 12)
    nn.init.normal_(one.features.vector_ND)
    return one


@pytest.mark.parametrize("encoder", ["transformer", "gru", "hstu", "linear_recurrence", "decay_lstm"])
def test_the_state_of_a_training_place_is_that_of_a_request_there(encoder):
    one = network(encoder)
    times = [0, HOUR, 1.2 * HOUR, DAY, 2 * DAY, 2 * DAY]
    with torch.no_grad():
        states = one.states(one_row(times, items=[1, 2, 1, 4, 2, 4]))
        for place in range(1, 6):
            asked = one_row(times[:place], items=[1, 2, 1, 4, 2, 4][:place], asked=times[1 : place + 1])
            torch.testing.assert_close(one.last(asked), states[:, place - 1], atol=1e-5, rtol=1e-5)


def test_one_step_at_a_time_gives_the_states_of_the_whole():
    one = network("linear_recurrence")
    batch = one_row([0, HOUR, DAY, 2 * DAY], items=[3, 4, 3, 5])
    with torch.no_grad():
        x_BLD, whole, state = one._input(batch)[0], one.states(batch), one.encoder.start(1)
        for place in range(4):
            state, h_BD = one.encoder.step(state, x_BLD[:, place])
            torch.testing.assert_close(h_BD, whole[:, place], atol=1e-5, rtol=1e-5)


def counted_log(users, seed):
    """Noise, ten minutes or a day and a half apart; the last item says how many came in the day before it."""
    rng = np.random.default_rng(seed)
    rows, targets = [], []
    for user in range(users):
        gaps = np.where(rng.random(7) < 0.6, 600.0, 1.5 * DAY)
        times = 1_600_000_000 + np.concatenate([[0.0], np.cumsum(gaps)])
        count = int((times[:-1] >= times[-1] - DAY).sum())
        items = [*(f"noise{n}" for n in rng.integers(0, 6, 7)), f"came{min(count, 3)}"]
        rows += [(f"u{user:04}", item, time) for item, time in zip(items, times, strict=True)]
        targets += [False] * 7 + [True]
    return events_of(rows, targets=targets)


LEARNED = Vocabulary.of(pl.Series([f"came{n}" for n in range(4)] + [f"noise{n}" for n in range(6)]))


@pytest.mark.parametrize(
    ("features", "at_least", "at_most"),
    [((), 0.0, 0.55), (("count_1d",), 0.95, 1.0), (("session_position",), 0.95, 1.0)],
)
def test_what_hangs_on_a_count_is_learned_with_the_count_only(features, at_least, at_most):
    table = {"encoder": "transformer", "num_layers": 1, "num_heads": 1, "dim": 16, "max_len": 8, "dropout": 0.0}
    table["features"] = list(features)
    torch.manual_seed(0)
    one = compose(table, len(LEARNED), 1)
    sequences = Sequences.from_events(counted_log(300, 0), LEARNED)
    if one.features is not None:
        one.features.look_at(sequences, 8)
    settings = LoopSettings(epochs=25, batch_tokens=512, learning_rate=0.01)
    objective = make_objective(one, "softmax", count_I=torch.ones(len(LEARNED) + 1), seed=0)
    train_network(one, objective, sequences, settings, validate=None, seed=0, progress=Quiet())
    asked = Sequences.from_events(counted_log(200, 1), LEARNED)
    last_B = asked.offset_U1[1:] - 1
    with torch.no_grad():
        best_B = one.eval().score(encode(asked.before_rows(last_B))).argmax(1).numpy()
    right = float((best_B == asked.flat.item_N[last_B]).mean())
    assert at_least <= right <= at_most, right


SMALL = ["model.dim=8", "model.max_len=8", "model.num_layers=1", "train.epochs=1", "train.batch_tokens=256"]


def train(events, features):
    return horae.train(
        events, "sasrec", overrides=[*SMALL, f"model.features={features}"], options=Options(progress=Quiet())
    )


def test_features_that_the_log_has_nothing_for_are_refused():
    log = chain_log(users=30, items=8, length=8)
    with pytest.raises(RecipeError, match="mean_7d needs values, which the log does not have"):
        train(log, '["count_7d", "mean_7d"]')
    untimed = events_of([(f"u{u}", f"i{(u + n) % 6}", None) for u in range(30) for n in range(6)])
    split = horae.split_leave_one_out(untimed)
    with pytest.raises(RecipeError, match="count_7d needs times"):
        train(split, '["count_n3", "count_7d"]')
    assert train(split, '["count_n3"]').model.features is not None


def test_users_of_one_event_and_empty_questions_do_no_harm():
    sequences = sequences_of([(f"u{n}", "i", 10.0 * n) for n in range(5)])
    features = made(["count_1d"], sequences)
    assert torch.isinf(features.edge_FE).all()
    nobody = encode(sequences.of_users(np.array([0])))
    assert isinstance(nobody, SequenceBatch) and features(nobody).isfinite().all()


def test_a_model_that_cannot_take_features_says_so():
    with pytest.raises(RecipeError, match='features has no effect with opponent = "markov"'):
        compose({"opponent": "markov", "features": ["count_7d"]}, 5, 1)
    with pytest.raises(RecipeError, match="there is no"):
        compose({"encoder": "gru", "features": ["counts"]}, 5, 1)
    with pytest.raises(RecipeError, match="expected a list"):
        compose({"encoder": "gru", "features": "count_7d"}, 5, 1)
