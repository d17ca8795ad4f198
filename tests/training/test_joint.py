import math

import numpy as np
import pytest
import torch
from scipy import stats
from tests.logs import chain_log, events_of

import horae
from horae.errors import RecipeError
from horae.models.compose import compose
from horae.models.upcoming.gaps import Gaps
from horae.models.upcoming.scale import ValueScale
from horae.recipe import load_recipe
from horae.sequences.batch import encode
from horae.sequences.framing import Next, windows
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.check import check
from horae.training.joint import Joint, behavior_loss, time_loss, value_loss
from horae.training.loop import LoopSettings, train_network
from horae.training.objectives import make_objective
from horae.training.progress import Quiet
from horae.training.train import Options

NAN = float("nan")


def one_log_normal(median, spread, same=0.25, rows=1):
    columns = ([math.log(same / (1 - same))], [[0.0]], [[math.log(median)]], [[spread]])
    return Gaps(*(torch.tensor(column).double().repeat_interleave(rows, 0) for column in columns))


# --- losses, by hand ---


def test_a_gap_counts_by_its_density_and_an_open_one_by_its_survival():
    gaps = one_log_normal(100.0, 1.0, rows=4)
    loss = time_loss(gaps, torch.tensor([100.0, 0.0, NAN, NAN]), torch.tensor([NAN, NAN, 100.0, NAN]))
    density = math.log(0.75) + stats.norm.logpdf(0.0)
    by_hand = -(density + math.log(0.25) + math.log(0.75 * 0.5)) / 3  # the fourth says nothing
    assert loss.item() == pytest.approx(by_hand)


def test_left_out_open_gaps_make_everybody_return_too_soon():
    # Gaps of ten days at the median, watched for ten: half are never seen to end. The likelihood finds the truth only
    # where these count.
    rng = np.random.default_rng(0)
    gap = np.exp(rng.normal(math.log(10.0 * 86_400), 1.0, 4_000))
    seen = torch.tensor(np.where(gap <= 864_000, gap, NAN))
    silent = torch.tensor(np.where(gap <= 864_000, NAN, 864_000.0))

    def loss(median_days, spread, open_gaps):
        gaps = one_log_normal(median_days * 86_400, spread, same=1e-6, rows=4_000)
        return time_loss(gaps, seen, open_gaps).item()

    grid = [(median, spread) for median in (2, 3, 5, 7, 10, 14) for spread in (0.6, 0.8, 1.0, 1.2)]
    assert min(grid, key=lambda at: loss(*at, silent)) == (10, 1.0)
    assert min(grid, key=lambda at: loss(*at, torch.full((4_000,), NAN)))[0] <= 5


def test_pinball_and_huber_by_hand_with_unknown_values_left_out():
    told = torch.tensor([[-1.0, 0.0, 1.0], [0.0, 0.5, 1.0], [0.0, 0.0, 0.0]])
    loss = value_loss(told, torch.tensor([0.0, 3.0, NAN]), ValueScale())
    huber = (0 + (2.5 - 0.5)) / 2
    low = (0.1 * 1.0 + 0.1 * 3.0) / 2
    high = (0.1 * 1.0 + 0.9 * 2.0) / 2
    assert loss.item() == pytest.approx(huber + low + high)


def test_the_quantiles_of_a_value_are_those_of_the_sample_where_the_loss_is_least():
    values = torch.tensor(stats.norm.ppf((np.arange(2_000) + 0.5) / 2_000)).float()

    def loss(low, high):
        return value_loss(torch.tensor([low, 0.0, high]).expand(len(values), 3), values, ValueScale()).item()

    grid = np.arange(0.8, 1.8, 0.04)
    assert -min(-grid, key=lambda low: loss(low, 1.0)) == pytest.approx(1.2816, abs=0.04)
    assert min(grid, key=lambda high: loss(-1.0, high)) == pytest.approx(1.2816, abs=0.04)


def test_an_unknown_behavior_is_left_out():
    logits = torch.tensor([[0.0, 1.0], [5.0, 0.0]])
    assert behavior_loss(logits, torch.tensor([2, 0])).item() == pytest.approx(math.log(1 + math.exp(-1)))


# --- weighing ---

ROWS = [("u", "abc"[n % 3], 1_000 * n, ("view", "buy")[n % 2], float(n)) for n in range(8)]


def joint(weighing, weights=None, rows=ROWS, seed=0):
    events = events_of(rows, behaviors=("view", "buy"))
    sequences = Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))
    torch.manual_seed(seed)
    table = {"encoder": "gru", "dim": 8, "max_len": 8, "dropout": 0.0, "also": ["behavior", "time", "value"]}
    network = compose(table, sequences.num_items, 2).eval()
    inner = make_objective(network, "softmax", count_I=torch.ones(4), seed=0)
    network.upcoming.look_at(sequences, watched=True)
    cut = windows(sequences, 8, "all", None, network.upcoming.watched_until.item())
    data = Next(coming=True).frame(cut, np.random.default_rng(0))
    return network, Joint(inner, weighing, weights or {}), inner, data


def test_fixed_weights_add_up_and_a_weight_of_nothing_leaves_the_items_loss():
    network, all_of_it, inner, data = joint("fixed")
    [(_, item)] = inner.steps(network, data)
    [(parameters, total)] = all_of_it.steps(network, data)
    nothing = Joint(inner, "fixed", {"behavior": 0.0, "time": 0.0, "value": 0.0})
    only = Joint(inner, "fixed", {"behavior": 0.0, "time": 2.0, "value": 0.0})
    time = Joint(inner, "fixed", {"behavior": 0.0, "time": 1.0, "value": 0.0})
    assert {id(p) for p in parameters} == {id(p) for p in network.parameters()}
    assert nothing.steps(network, data)[0][1].item() == pytest.approx(item.item())
    twice, once = (one.steps(network, data)[0][1].item() - item.item() for one in (only, time))
    assert twice == pytest.approx(2 * once, rel=1e-5) and total.item() != pytest.approx(item.item())


def test_learned_weights_are_those_of_the_formula_and_find_their_level():
    network, learned, inner, data = joint("uncertainty")
    [(_, fixed)] = Joint(inner, "fixed", {}).steps(network, data)
    least = network.upcoming.least_time_loss()
    [(_, even)] = learned.steps(network, data)  # all log variances are 0
    assert even.item() == pytest.approx(fixed.item() - least, rel=1e-5)
    with torch.no_grad():
        network.upcoming.log_variance_T[0] = math.log(4.0)
    [(_, item)] = inner.steps(network, data)
    [(_, less)] = learned.steps(network, data)
    assert less.item() == pytest.approx(even.item() - 0.75 * item.item() + math.log(2.0), rel=1e-5)
    less.backward()
    slope = network.upcoming.log_variance_T.grad[0].item()
    assert slope == pytest.approx(-item.item() / 4 + 0.5, rel=1e-4)  # zero where the variance is twice the loss


def test_a_user_who_came_once_teaches_the_time_alone():
    network, objective, inner, data = joint("fixed", rows=[("u", "a", 0), ("v", "b", 5), ("w", "c", 9)])
    assert inner.steps(network, data) == []
    [(_, loss)] = objective.steps(network, data)
    loss.backward()
    assert network.upcoming.heads["time"][-1].weight.grad.abs().sum() > 0
    assert network.upcoming.heads["value"][-1].weight.grad is None


def test_the_heads_state_is_told_no_time_that_the_item_may_know():
    network, objective, _, data = joint("fixed")
    changed = data.batch.request_time_BL + 5e6
    later = type(data)(
        type(data.batch)(*(vars(data.batch) | {"request_time_BL": changed}).values()), *list(vars(data).values())[1:]
    )
    assert objective.steps(network, later)[0][1].item() == pytest.approx(objective.steps(network, data)[0][1].item())


# --- what only order shows ---


def cycle_log(users=60, length=16, seed=0):
    """After `a` comes a purchase of 9 within the minute, after `b` a view of 1 a day later; which of them, a coin says.

    Counts are alike for all: half of the events are purchases, half of the gaps are a day.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        time, kind, value = user * 100.0, "view", 1.0
        for _ in range(length):
            item = "ab"[rng.integers(2)]
            rows.append((f"u{user:03}", item, time, kind, value))
            kind, value, gap = ("buy", 9.0, 60.0) if item == "a" else ("view", 1.0, 86_400.0)
            time += gap * float(np.exp(rng.normal(0, 0.1)))
    return events_of(rows, behaviors=("view", "buy"))


@pytest.mark.parametrize("encoder", ["gru", "hstu"])
def test_what_when_and_how_much_are_learned_where_counting_sees_nothing(encoder):
    events = cycle_log()
    sequences = Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))
    table = {"encoder": encoder, "dim": 16, "max_len": 16, "dropout": 0.0, "also": ["behavior", "time", "value"]}
    torch.manual_seed(0)
    network = compose({**table, "value_scale": "standard"}, 2, 2)
    objective = Joint(make_objective(network, "softmax", count_I=torch.ones(3), seed=0), "fixed", {})
    network.upcoming.look_at(sequences, watched=True)
    settings = LoopSettings(epochs=12, batch_tokens=256, learning_rate=0.01)
    train_network(network, objective, sequences, settings, validate=None, seed=0, progress=Quiet())
    after_a = [("x", "b", 0, "view", 1.0), ("x", "a", 86_400, "view", 1.0)]
    after_b = [("y", "a", 0, "view", 1.0), ("y", "b", 60, "buy", 9.0)]
    asked = events_of([*after_a, *after_b], behaviors=("view", "buy"))
    lines = Sequences.from_events(asked, sequences.items, sequences.behaviors)
    with torch.no_grad():
        told = network.told(encode(lines.all()))
    chance = told.behavior_NC.softmax(-1)
    assert chance[0, 1] > 0.9 and chance[1, 0] > 0.9
    value = network.upcoming.scale.restored(told.value_N3[:, 1])
    assert value.tolist() == pytest.approx([9.0, 1.0], abs=1.5)
    gaps = told.gaps.double()
    middle = gaps.at_level(torch.zeros(2).double(), torch.full((2,), 0.5).double(), torch.full((2,), 1e6).double())
    assert 30 < middle[0] < 120 and 43_200 < middle[1] < 172_800


# --- recipes ---


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        (["train.head_weights={time = 0.5}"], r'head_weights.time has no effect.*does not name "time"'),
        (['model.also=["time"]', "train.head_weights={when = 0.5}"], 'does not name "when"'),
        (["train.task_weights=uncertainty"], "without"),
        (['model.also=["time"]', "train.head_weights={time = -1.0}"], "0 or more"),
        (['model.also=["time"]', "train.head_weights={time = inf}"], "0 or more"),
        (['model.also=["time"]', "train.head_weights=0.5"], "expected a table"),
        (['model.also=["time"]', "train.head_weights={time = 1.0}", "train.task_weights=uncertainty"], "no effect"),
    ],
)
def test_a_weight_without_effect_is_refused(keys, match):
    with pytest.raises(RecipeError, match=match) as error:
        check(load_recipe("sasrec", keys))
    assert error.value.hint


def test_a_recipe_that_asks_nothing_more_is_written_as_it_was():
    known = check(load_recipe("sasrec"))
    assert not {"also", "time_components", "value_scale"} & set(known.model)
    assert not {"task_weights", "head_weights"} & set(known.train)
    asked = check(load_recipe("sasrec", ['model.also=["time"]', "train.head_weights={time = 1}"]))
    assert asked.train["head_weights"] == {"time": 1.0}


@pytest.mark.parametrize("name", ["behavior", "time", "value"])
def test_a_key_that_is_called_otherwise_now_says_how(name):
    with pytest.raises(RecipeError, match=f"{name}_weight") as error:
        check(load_recipe("which-what-when", [f"train.{name}_weight=0.5"]))
    assert f"head_weights = {{{name} = 1.0}}" in str(error.value.hint)


def test_a_written_weight_is_the_weight_of_its_loss():
    """The weights of a run are those of its recipe: twice the weight, another model; 1 said or left out, the same."""
    log = chain_log(users=30, items=6, length=8)
    small = ["model.dim=8", "model.max_len=8", "train.epochs=1", 'model.also=["time"]']

    def trained(*keys):
        return horae.train(log, "gru", overrides=[*small, *keys], options=Options(progress=Quiet())).model.arrays()

    usual, said, twice = (
        trained(*keys) for keys in ((), ["train.head_weights={time = 1.0}"], ["train.head_weights={time = 2.0}"])
    )
    assert all(torch.equal(usual[name], said[name]) for name in usual)
    assert any(not torch.equal(usual[name], twice[name]) for name in usual)
