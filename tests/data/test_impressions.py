"""What was shown stands beside the target that came next, is a negative of it, and is nothing else."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import torch

import horae
from horae.errors import DataError, RecipeError
from horae.schema import SHOWN, TARGET, Events
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.losses import binary, gbce, sampled_softmax

START = datetime(2024, 1, 1, tzinfo=UTC)


def log_of(*rows: tuple[str, str, int | None], **columns: list) -> Events:
    """Rows of user, item, second."""
    times = [None if second is None else START + timedelta(seconds=second) for _, _, second in rows]
    data = {
        "user_id": [row[0] for row in rows],
        "item_id": [row[1] for row in rows],
        "timestamp": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
    }
    return horae.read_events(pl.DataFrame({**data, **columns}))


def shown(events: Events) -> list[list[str] | None]:
    return [None if text is None else json.loads(text) for text in events.frame[SHOWN].to_list()]


LOG = log_of(("u", "a", 100), ("u", "b", 200), ("v", "a", 150))


def test_an_impression_stands_beside_the_target_that_came_next_newest_first():
    given = log_of(("u", "x", 90), ("u", "y", 99), ("u", "z", 100), ("u", "y", 150), ("w", "x", 90), ("u", "x", 201))
    joined = horae.join_impressions(LOG, given)
    assert shown(joined) == [["z", "y", "x"], ["y"], None]
    assert joined.frame.drop(SHOWN).equals(LOG.frame)
    assert "4 of 6 impressions stand beside 2 targets; 2 are followed by none" in joined.report.steps[-1].message
    assert SHOWN not in joined.context and joined.report.steps[:-1] == LOG.report.steps


def test_what_was_taken_what_comes_twice_and_what_is_long_ago_is_left_out():
    given = log_of(("u", "a", 90), ("u", "x", 91), ("u", "y", 92), ("u", "x", 93), ("v", "x", 100))
    assert shown(horae.join_impressions(LOG, given, within_seconds=20)) == [["x", "y"], None, None]
    assert shown(horae.join_impressions(LOG, given, within_seconds=50))[2] == ["x"]


def test_events_that_are_no_targets_are_passed_over_and_of_equal_times_the_first_takes_it():
    log = log_of(("u", "a", 10), ("u", "a", 20), ("u", "b", 30), ("u", "c", 30))
    assert log.frame[TARGET].to_list() == [True, False, True, True]
    assert shown(horae.join_impressions(log, log_of(("u", "x", 15)))) == [None, None, ["x"], None]


def test_only_the_newest_twenty_are_kept():
    given = log_of(*(("u", f"x{n:02}", n) for n in range(30)))
    assert shown(horae.join_impressions(LOG, given))[0] == [f"x{n:02}" for n in reversed(range(10, 30))]


def test_later_impressions_and_events_never_change_what_stands_beside_an_earlier_one():
    rng = np.random.default_rng(0)
    rows = sorted((f"u{rng.integers(3)}", f"i{rng.integers(6)}", int(t)) for t in rng.integers(0, 5000, 60))
    seen = sorted((f"u{rng.integers(3)}", f"i{rng.integers(6)}", int(t)) for t in rng.integers(0, 5000, 200))
    whole = horae.join_impressions(log_of(*rows), log_of(*seen)).frame
    for cut in (1500, 3000):
        early = [row for row in rows if row[2] < cut]
        part = horae.join_impressions(log_of(*early), log_of(*(row for row in seen if row[2] < cut))).frame
        before = whole.filter(pl.col("timestamp") < START + timedelta(seconds=cut))
        assert part[SHOWN].to_list() == before[SHOWN].to_list()


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_file_of_events_with_impressions_is_read_again_as_it_is(tmp_path, ending):
    joined = horae.join_impressions(LOG, log_of(("u", 'x, "y', 90), ("u", "z", 95)))
    file = tmp_path / f"events.{ending}"
    getattr(joined.frame, {"jsonl": "write_ndjson"}.get(ending, f"write_{ending}"))(file)
    again = horae.read_events(file)
    assert again.frame[SHOWN].to_list() == joined.frame[SHOWN].to_list() and again.context == []


def test_a_column_of_that_name_is_the_logs_own_and_impressions_as_events_are_no_targets():
    assert log_of(("u", "a", 1), ("u", "b", 2), shown=["x", "y"]).context == ["shown_in_log"]
    log = log_of(("u", "a", 1), ("u", "b", 2), behavior=["impression", "click"])
    assert log.frame[TARGET].to_list() == [False, True]


@pytest.mark.parametrize(
    ("log", "given", "options", "words"),
    [
        (LOG, log_of(("w", "x", 90)), {}, "None of 1 impressions is followed"),
        (LOG, log_of(("u", "x", None), ("u", "y", None)), {}, "table of impressions has no times"),
        (LOG, LOG, {"within_seconds": 0.0}, "expected more than 0"),
        (LOG, LOG, {"within_seconds": float("nan")}, "expected more than 0"),
    ],
)
def test_what_says_nothing_is_refused(log, given, options, words):
    with pytest.raises(DataError, match=words):
        horae.join_impressions(log, given, **options)


def test_a_sequence_knows_what_was_shown_by_index_and_leaves_out_what_it_does_not_know():
    joined = horae.join_impressions(LOG, log_of(("u", "b", 90), ("u", "strange", 95), ("u", "a", 150), ("v", "b", 100)))
    sequences = Sequences.from_events(joined, Vocabulary(pl.Series(["a", "b"])))
    assert sequences.flat.shown_NS is not None
    assert sequences.flat.shown_NS.tolist() == [[2], [1], [2]]
    assert Sequences.from_events(LOG, Vocabulary(pl.Series(["a", "b"]))).flat.shown_NS is None


def test_losses_with_own_negatives_are_the_formulas():
    torch.manual_seed(0)
    h_ND, e_ID = torch.randn(3, 4, dtype=torch.float64, requires_grad=True), torch.randn(6, 4, dtype=torch.float64)
    target_N, drawn_S = torch.tensor([1, 2, 3]), torch.tensor([4, 5])
    own_NS = torch.tensor([[5, 2], [3, 2], [3, 3]])  # the second row's 2 and the third row's are the targets themselves
    logit = (h_ND @ e_ID.T).detach().numpy()
    own = [[5, 2], [3], []]
    soft, calibrated = [], []
    for n, (target, mine) in enumerate(zip([1, 2, 3], own, strict=True)):
        other = logit[n, [4, 5, *mine]]
        soft.append(np.log(np.exp([logit[n, target], *other]).sum()) - logit[n, target])
        calibrated.append((0.3 * np.log1p(np.exp(-logit[n, target])) + np.log1p(np.exp(other)).sum()) / 3)
    given = (h_ND, e_ID, target_N, drawn_S)
    assert sampled_softmax(*given, own_NS=own_NS).item() == pytest.approx(np.mean(soft))
    loss = gbce(*given, 0.3, own_NS=own_NS)
    assert loss.item() == pytest.approx(np.mean(calibrated))
    loss.backward()
    assert h_ND.grad is not None and h_ND.grad.isfinite().all()
    empty = own_NS[:, :0]
    assert torch.equal(sampled_softmax(*given, own_NS=empty), sampled_softmax(*given))
    assert torch.equal(gbce(*given, 0.3, own_NS=empty), gbce(*given, 0.3))
    assert binary(h_ND, e_ID, target_N, own_NS).isfinite()


SMALL = (
    *("model.dim=16", "model.max_len=6", "model.num_layers=1", "model.num_heads=1", "model.dropout=0.0"),
    *("train.epochs=15", "train.batch_tokens=512", "train.learning_rate=0.03", "train.relearn=false"),
    *("train.patience=15", "train.num_negatives=4", "train.loss=gbce", "train.item_start=random"),
)


def passed_over(users: int = 120) -> tuple[Events, Events]:
    """After `a` everybody takes `b`; `c` was in sight, `d` was not. After `e` both come, each as often."""
    events, given = [], []
    for user in range(users):
        name, at = f"u{user:03}", 100_000 * user
        for visit, (first, then) in enumerate([("a", "b"), ("e", "cd"[user % 2]), ("a", "b"), ("e", "dc"[user % 2])]):
            second = at + 20_000 * visit
            events += [(name, first, second), (name, then, second + 60)]
            if first == "a":
                given.append((name, "c", second + 30))
    return log_of(*events), log_of(*given)


def test_what_was_passed_over_sinks_below_what_was_never_shown():
    """Without impressions `c` and `d` are alike after `a`."""
    log, given = passed_over()
    events = horae.join_impressions(log, given)

    def above(negatives: int) -> float:
        chosen = (*SMALL, f"train.impression_negatives={negatives}")
        run = horae.train(horae.split_by_time(events, test=0.1), "sasrec", overrides=chosen)
        score = dict(run.recommend(histories=[["a"]], k=5, seen=True).frame.select("item_id", "score").iter_rows())
        return score["d"] - score["c"]

    assert above(2) > above(0) + 0.5


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("train.impression_negatives=-1", "train.loss=gbce"), "expected 0 or more"),
        (("train.impression_negatives=2", "train.loss=softmax"), "has no effect with loss"),
        (("train.impression_negatives=2", "train.loss=gbce"), "needs a log with impressions"),
        (("train.impression_negatives=2", "train.loss=binary", "model.head=value"), "has no effect with"),
    ],
)
def test_a_key_without_effect_is_refused(overrides, words):
    rows = [(f"u{u}", f"i{n}", 1000 * n + u, float(n % 2)) for u, n in itertools.product(range(8), range(6))]
    log = log_of(*(row[:3] for row in rows), value=[row[3] for row in rows])
    with pytest.raises(RecipeError, match=words):
        horae.train(horae.split_by_time(log, test=0.2), "sasrec", overrides=("train.epochs=1", *overrides))
