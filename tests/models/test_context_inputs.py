"""Context as vectors: sums by hand, what the question tells, what a network learns from it, and what is refused."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from tests.logs import events_of
from torch import nn

from horae.errors import RecipeError
from horae.models.bins import NUM_BINS
from horae.models.compose import compose, context_of
from horae.models.context_inputs import ContextInputs, without_some_context
from horae.models.ensemble import newest
from horae.schema import Events
from horae.sequences.batch import SequenceBatch, encode
from horae.sequences.context import MOST_VALUES, ContextColumns
from horae.sequences.framing import Masked, Next, windows
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.loop import LoopSettings, train_network
from horae.training.objectives import make_objective
from horae.training.progress import Quiet

NAN = torch.nan
ROWS = MOST_VALUES + 1
UNKNOWN = MOST_VALUES


def laid_out(events, names):
    columns = ContextColumns.learned(events, names)
    return Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]), None, columns)


def shop(users=40, length=6, seed=0):
    rng = np.random.default_rng(seed)
    rows = [
        (f"u{user:03}", f"i{rng.integers(8)}", 1e9 + 3_600 * step) for user in range(users) for step in range(length)
    ]
    frame = events_of(rows).frame
    device = pl.Series(rng.choice(["phone", "laptop", "tv"], frame.height))
    return Events(frame.with_columns(device=device, price=pl.Series(rng.lognormal(0, 3, frame.height))))


def batch_of(feature, asked_in):
    feature_BLF, asked_in_BLF = torch.tensor([feature]), torch.tensor([asked_in])
    item_BL = torch.ones(feature_BLF.shape[:2], dtype=torch.int64)
    unknown_BL = torch.full(item_BL.shape, NAN)
    length_B = torch.tensor([item_BL.shape[1]])
    return SequenceBatch(
        item_BL, item_BL, unknown_BL.double(), unknown_BL, length_B, unknown_BL.double(), feature_BLF, asked_in_BLF
    )


def test_a_value_has_a_vector_a_number_its_bins_and_unknown_its_own():
    whole = laid_out(shop(), ["price", "device"])
    inputs = ContextInputs(["device", "price"], ["device"], 4)
    nn.init.normal_(inputs.vector_ND)
    inputs.look_at(whole)
    edges = inputs.edge_TE[1, : NUM_BINS - 1]
    assert edges.isfinite().all() and inputs.edge_TE[1, NUM_BINS - 1 :].isinf().all()
    between = float(edges[3] + edges[4]) / 2
    told = inputs(batch_of([[between, 3.0], [NAN, NAN]], [[99.0, 1.0], [0.0, NAN]]))[0]  # columns: price, device
    device, price, asked = inputs.vector_ND.view(3, ROWS, 4)
    torch.testing.assert_close(told[0], device[2] + price[4] + asked[0])
    torch.testing.assert_close(told[1], device[UNKNOWN] + price[UNKNOWN] + asked[UNKNOWN])


def test_it_starts_at_nothing_and_can_learn():
    inputs = ContextInputs(["device"], [], 4)
    told = inputs(batch_of([[1.0]], [[NAN]]))
    assert (told == 0).all()
    told.sum().backward()
    assert inputs.vector_ND.grad.any()


def test_some_histories_and_some_questions_lose_their_context_in_training():
    torch.manual_seed(0)
    batch = encode(laid_out(shop(users=2_000), ["device", "price"]).all())
    assert without_some_context(batch, 0.0) is batch
    less = without_some_context(batch, 0.25)
    lost = less.feature_BLF.isnan()
    assert torch.equal(lost.all(2), lost.any(2)) and torch.equal(lost.all(1), lost.any(1))
    assert 0.2 < lost.float().mean() < 0.3
    unasked = less.request_feature_BLF.isnan()[:, :-1]
    assert torch.equal(unasked.all(2), unasked.any(2)) and 0.2 < unasked.float().mean() < 0.3
    assert (unasked.all(2).any(1) & ~unasked.all(2).all(1)).any()


TABLE = {"encoder": "transformer", "num_layers": 1, "num_heads": 1, "dim": 16, "max_len": 8, "dropout": 0.0}
TOLD = {"context": ["device", "price"], "request_context": ["device"]}


def network(whole, **more):
    torch.manual_seed(0)
    one = compose({**TABLE, **TOLD, **more}, whole.num_items, 1).eval()
    one.context.look_at(whole)
    nn.init.normal_(one.context.vector_ND)
    return one


def test_the_state_of_a_training_place_is_that_of_a_request_there():
    whole = laid_out(shop(), ["device", "price"])
    one, cut = network(whole), windows(whole, 8, "all")
    with torch.no_grad():
        states = one.states(Next().frame(cut, np.random.default_rng(0)).batch)
        for place in range(1, 6):
            rows = cut.start_B + place
            torch.testing.assert_close(one.last(encode(whole.before_rows(rows), 8)), states[:, place - 1])


def test_a_hidden_event_shows_only_what_is_known_when_asking():
    whole = laid_out(shop(), ["device", "price"])
    masked = network(whole, framing="masked", mask_share=0.3)
    framed = Masked(8, 0.3).frame(windows(whole, 8, "all"), np.random.default_rng(0))
    slot_BL = (framed.batch.item_BL == 0) & (torch.arange(6) < framed.batch.length_B[:, None])
    assert slot_BL.any() and framed.batch.feature_BLF[slot_BL].isnan().all()
    dearer = framed.batch.request_feature_BLF.clone()
    dearer[..., 1] = 1e6
    with torch.no_grad():
        states = masked.states(framed.batch)
        torch.testing.assert_close(masked.states(replace(framed.batch, request_feature_BLF=dearer)), states)
        last_alone = slot_BL[:, -1] & (slot_BL.sum(1) == 1)
        rows = np.arange(5, 240, 6)
        torch.testing.assert_close(masked.last(encode(whole.before_rows(rows), 8))[last_alone], states[last_alone, -1])


def test_members_of_an_ensemble_find_their_own_columns_and_keep_their_newest():
    whole = laid_out(shop(), ["device", "price"])
    members = [{"model": {**TABLE, "request_context": ["price"]}}, {"model": {**TABLE, "context": ["device"]}}]
    table = {"ensemble": members}
    assert context_of(table, "context", "request_context") == ("price", "device")
    assert context_of(table, "request_context") == ("price",) and context_of({"opponent": "markov"}, "context") == ()
    one = compose(table, whole.num_items, 1).members[0]
    one.context.look_at(whole)
    assert one.context.column_T.tolist() == [1]
    batch = encode(whole.before_rows(np.array([5, 8])))
    cut = newest(batch, 3)
    assert torch.equal(cut.request_feature_BLF[0], batch.request_feature_BLF[0, 2:])
    assert torch.equal(cut.feature_BLF[1, :2], batch.feature_BLF[1, :2])


def device_log(users, seed):
    """Noise, and a last item that the device at that very moment decides, and nothing else."""
    rng = np.random.default_rng(seed)
    rows, targets, devices = [], [], []
    for user in range(users):
        device = rng.choice(["phone", "laptop", "tv"], 5)
        items = [*(f"noise{n}" for n in rng.integers(0, 6, 4)), f"on {device[-1]}"]
        rows += [(f"u{user:04}", item, 1e9 + 600 * step) for step, item in enumerate(items)]
        targets += [False] * 4 + [True]
        devices += device.tolist()
    return Events(events_of(rows, targets=targets).frame.with_columns(device=pl.Series(devices)))


@pytest.mark.parametrize(
    ("told", "at_least", "at_most"),
    [({}, 0.0, 0.5), ({"context": ["device"]}, 0.0, 0.5), ({"request_context": ["device"]}, 0.95, 1.0)],
)
def test_what_hangs_on_the_device_at_the_question_is_learned_only_by_who_is_told_it(told, at_least, at_most):
    log = device_log(300, 0)
    whole = laid_out(log, ["device"])
    torch.manual_seed(0)
    one = compose({**TABLE, **told}, whole.num_items, 1)
    if one.context is not None:
        one.context.look_at(whole)
    settings = LoopSettings(epochs=20, batch_tokens=512, learning_rate=0.01)
    objective = make_objective(one, "softmax", count_I=torch.ones(whole.num_items + 1), seed=0)
    train_network(one, objective, whole, settings, validate=None, seed=0, progress=Quiet())
    asked = whole.alike(device_log(200, 1))
    last_B = asked.offset_U1[1:] - 1
    with torch.no_grad():
        best_B = one.eval().score(encode(asked.before_rows(last_B))).argmax(1).numpy()
    right = float((best_B == asked.flat.item_N[last_B]).mean())
    assert at_least <= right <= at_most, right


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"encoder": "gru", "context": ["a", "a"]}, "context = .* names one twice"),
        ({"encoder": "gru", "context": "device"}, "expected a list"),
        ({"encoder": "gru", "context_dropout": 0.5}, "context_dropout has no effect"),
        ({"encoder": "gru", "context": ["a"], "context_dropout": 1.0}, "expected a share"),
        ({"opponent": "markov", "request_context": ["a"]}, 'request_context has no effect with opponent = "markov"'),
    ],
)
def test_impossible_recipes_are_refused(table, told):
    with pytest.raises(RecipeError, match=told):
        compose(table, 5, 1)


def test_a_log_laid_out_without_the_column_is_refused_by_name():
    whole = laid_out(shop(), ["price"])
    with pytest.raises(RecipeError, match='without the column "device"') as refused:
        ContextInputs(["device"], [], 4).look_at(whole)
    assert "It has price" in refused.value.hint
