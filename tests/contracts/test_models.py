"""What every model must keep, opponents and networks alike: the design's contracts."""

import importlib.util
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from tests.contents import content_for
from tests.logs import chain_log, events_of

from horae.models.compose import compose
from horae.models.ensemble import Ensemble
from horae.models.network import Network
from horae.models.opponents import OPPONENTS
from horae.schema import Events
from horae.sequences.batch import encode
from horae.sequences.context import ContextColumns
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.loop import LoopSettings, train_network
from horae.training.objectives import make_objective
from horae.training.progress import Quiet


def in_context(events):
    """The same log, with a device that is sometimes unknown and a price."""
    place = pl.int_range(pl.len()).over("user_id")
    device = pl.when(place % 3 == 0).then(pl.lit("phone")).when(place % 3 == 1).then(pl.lit("laptop"))
    return Events(events.frame.with_columns(device=device, price=(place % 4).cast(pl.Float64)))


LOG = in_context(chain_log(users=150, items=12, length=10))
ITEMS = Vocabulary.of(LOG.frame["item_id"])
CONTEXT = ContextColumns.learned(LOG, ["device", "price"])
SEQUENCES = Sequences.from_events(LOG, ITEMS, None, CONTEXT)
CONTENT = content_for(ITEMS, unknown=("i003",))

NETWORKS = {
    "sasrec": {"encoder": "transformer", "num_layers": 1, "num_heads": 2},
    "esasrec": {"encoder": "ligr", "num_layers": 1, "num_heads": 2},
    "bsarec": {"encoder": "low_pass", "num_layers": 1, "num_heads": 2},
    "bert4rec": {"encoder": "transformer", "num_layers": 1, "num_heads": 2, "framing": "masked", "mask_share": 0.3},
    "gru": {"encoder": "gru"},
    "gru-attention": {"encoder": "gru", "attention": "additive"},
    "lstm": {"encoder": "lstm"},
    "lstm-attention": {"encoder": "lstm", "attention": "additive"},
    "hstu": {"encoder": "hstu"},
    "which-what-when": {"encoder": "hstu", "also": ["behavior", "time", "value"]},
    "lru": {"encoder": "linear_recurrence"},
}
FEATURES = ["count_7d", "rate_7d", "distinct_items_n3", "repeat_share_all", "decayed_count_1d", "session_position"]
NETWORKS |= {
    f"{name}-features": {**NETWORKS[name], "features": FEATURES}
    for name in ("sasrec", "bert4rec", "gru", "hstu", "lru")
}
TOLD = {"context": ["device", "price"], "request_context": ["device"]}
NETWORKS |= {f"{name}-context": {**NETWORKS[name], **TOLD} for name in ("sasrec", "bert4rec")}
NETWORKS |= {
    fusion: {**NETWORKS["sasrec"], "fusion": fusion} for fusion in ("content", "sum", "gate", "concat", "attention")
}
SAID = {"encoder": "lstm", "fusion": "content", "behavior_embedding": True}
NETWORKS |= {"lstm-bert": {**SAID, "head": "pair", "pair_hidden": 32}, "lstm-bert-softmax": SAID}
ORDER_BLIND = {
    "popularity",
    "new_popularity",
    "recent_popularity",
    "item_knn",
    "user_knn",
    "session_knn",
    "ease",
    "ials",
    "content_neighbours",
}


def tables():
    for name in OPPONENTS:
        yield name, {"opponent": name}
    for name, table in NETWORKS.items():
        yield name, {**table, "dim": 16, "max_len": 8, "dropout": 0.0}
    network = {**NETWORKS["gru"], "dim": 16, "max_len": 8, "dropout": 0.0}
    yield "ensemble", {"ensemble": [{"model": network}, {"model": {"opponent": "markov"}}]}


_trained: dict = {}


def trained(name, table, seed=0):
    if name == "ials" and importlib.util.find_spec("implicit") is None:
        pytest.skip("the extra `classic` is not installed")
    if (name, seed) not in _trained:
        _trained[name, seed] = fit(table, seed)
    return _trained[name, seed]


def fit(table, seed):
    torch.manual_seed(seed)
    if "ensemble" in table:
        return Ensemble([fit(member["model"], seed) for member in table["ensemble"]], len(ITEMS))
    model = compose(table, len(ITEMS), 1, CONTENT)
    if not isinstance(model, Network):
        return model.fit(SEQUENCES)
    if model.features is not None:
        model.features.look_at(SEQUENCES, model.max_len)
    if model.context is not None:
        model.context.look_at(SEQUENCES)
    loss, drawn = ("softmax", None) if model.by_product else ("binary", 8)
    objective = make_objective(model, loss, drawn, count_I=torch.ones(len(ITEMS) + 1), seed=seed)
    settings = LoopSettings(epochs=25, batch_tokens=256, learning_rate=0.01)
    train_network(model, objective, SEQUENCES, settings, validate=None, seed=seed, progress=Quiet())
    return model


@pytest.fixture(params=list(tables()), ids=lambda pair: pair[0])
def named(request):
    return request.param


def score(model, batch, items=None):
    with torch.no_grad():
        return model.score(batch, items)


def batch_of(*lines, at=2_000_000_000.0, max_len=None):
    """Histories of items, a day between events, the newest a day before the request."""
    rows = []
    for number, line in enumerate(lines):
        rows += [(f"v{number:02}", item, at - 86_400 * (len(line) - n)) for n, item in enumerate(line)]
    sequences = Sequences.from_events(in_context(events_of(rows)), ITEMS, None, CONTEXT)
    return encode(sequences.of_users(np.arange(1, len(lines) + 1), np.full(len(lines), at)), max_len)


def line(start, length):
    return [f"i{(start + n) % 12:03}" for n in range(length)]


def test_column_zero_is_never_recommended_and_the_rest_is_finite(named):
    scores = score(trained(*named), batch_of(line(0, 3), line(5, 7)))
    assert scores.shape == (2, len(ITEMS) + 1) and scores.dtype == torch.float32
    assert torch.isinf(scores[:, 0]).all() and (scores[:, 0] < 0).all()
    assert torch.isfinite(scores[:, 1:]).all()


def test_scores_are_the_callers_to_change(named):
    model, batch = trained(*named), batch_of(line(0, 3))
    before = score(model, batch).clone()
    score(model, batch).fill_(7.0)
    assert torch.equal(score(model, batch), before)


def test_padding_and_company_never_change_a_score(named):
    model = trained(*named)
    lines = [line(0, 2), line(3, 8), line(6, 5)]
    together = score(model, batch_of(*lines))
    for number, alone in enumerate(lines):
        assert torch.allclose(together[number], score(model, batch_of(alone))[0], atol=1e-4, rtol=1e-4)


def test_chosen_items_have_the_scores_of_their_columns(named):
    model, batch = trained(*named), batch_of(line(0, 3), line(4, 4))
    chosen = torch.tensor([5, 1, 12])
    assert torch.allclose(score(model, batch, chosen), score(model, batch)[:, chosen], atol=1e-5)


def test_loaded_again_it_scores_the_same_to_the_last_bit(named):
    name, table = named
    model, batch = trained(name, table), batch_of(line(0, 3), line(4, 4))
    copies = {key: value.clone() for key, value in model.arrays().items()}
    again = compose(table, len(ITEMS), 1, CONTENT).load_arrays(copies, len(ITEMS))
    if isinstance(again, torch.nn.Module):
        again.eval()
    assert torch.equal(score(again, batch), score(model, batch))


def test_the_same_seed_gives_the_same_model(named):
    name, table = named
    batch = batch_of(line(0, 3))
    model = trained(name, table)
    assert torch.equal(score(fit(table, 0), batch), score(model, batch))


def test_an_empty_history_is_scored_without_a_crash(named):
    scores = score(trained(*named), encode(SEQUENCES.of_users(np.array([0]), np.array([2e9]))))
    assert scores.shape[0] == 1 and not torch.isnan(scores[:, 1:]).any()


def test_a_pattern_that_only_order_shows_is_learned_by_all_that_look_at_order(named):
    name, table = named
    if name in ORDER_BLIND:
        pytest.skip("looks at what was met, not in which order")
    scores = score(trained(name, table), batch_of(*[line(start, 5) for start in range(12)]))
    wanted = torch.tensor([(start + 5) % 12 + 1 for start in range(12)])
    assert (scores.argmax(dim=1) == wanted).float().mean() >= 0.75


def test_events_at_or_after_a_request_never_move_its_scores(named):
    model = trained(*named)
    rows = np.arange(0, 150 * 10, 37)
    rows = rows[rows % 10 > 0]
    rng = np.random.default_rng(0)
    frame = LOG.frame
    one = score(model, encode(SEQUENCES.before_rows(rows), model.max_len))
    for number, row in enumerate(rows[:6]):
        item = frame["item_id"].to_numpy().copy()
        last = (row // 10 + 1) * 10
        item[row:last] = rng.permutation(item[row:last])
        item[row] = "i000" if item[row] != "i000" else "i001"
        later = pl.int_range(pl.len()).is_between(row, last - 1)
        price = pl.when(later).then(99.0).otherwise("price").alias("price")  # of what came: not known when asking
        device = pl.when(later & (pl.int_range(pl.len()) > row)).then(pl.lit("tv")).otherwise("device").alias("device")
        edited = SEQUENCES.alike(Events(frame.with_columns(price, device, item_id=item)))
        other = score(model, encode(edited.before_rows(rows[number : number + 1]), model.max_len))
        assert torch.allclose(other[0], one[number], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_later_positions_never_move_an_earlier_state(name):
    model = trained(name, {**NETWORKS[name], "dim": 16, "max_len": 8, "dropout": 0.0})
    assert model.causal is ("framing" not in NETWORKS[name])
    if not model.causal:
        pytest.skip("looks both ways; what a request may see is tested above")
    batch = batch_of(line(0, 7))
    with torch.no_grad():
        states = model.states(batch)
        for cut in range(1, 7):
            item = batch.item_BL.clone()
            item[:, cut:] = torch.randint(1, 13, item[:, cut:].shape)
            feature, asked_in = batch.feature_BLF.clone(), batch.request_feature_BLF.clone()
            feature[:, cut:], asked_in[:, cut:], asked_in[..., 1] = 2.0, 2.0, 99.0  # no question tells a price
            changed = replace(batch, item_BL=item, feature_BLF=feature, request_feature_BLF=asked_in)
            assert torch.allclose(model.states(changed)[:, :cut], states[:, :cut], atol=1e-5)
