"""Training from a prepared log is training on the same log in memory, number for number."""

import numpy as np
import polars as pl
import pytest
import torch
from tests.logs import chain_log

import horae
from horae.errors import DataError
from horae.evaluation.validation import validation_cut
from horae.sequences.before import repeat_share
from horae.sequences.prepared import open_large, prepare_large
from horae.sequences.prepared_split import split_prepared
from horae.training.progress import Quiet
from horae.training.train import Options, refit

QUIET = Options(progress=Quiet())
SMALL = ["model.dim=8", "model.max_len=8", "train.epochs=2", "train.batch_tokens=256"]
LOG = horae.read_events(chain_log(users=60, items=12, length=10).frame)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    LOG.frame.write_parquet(folder / "log.parquet")
    return prepare_large(folder / "log.parquet", folder / "arrays")


@pytest.mark.parametrize(
    ("recipe", "overrides"),
    [
        ("sasrec", SMALL),
        ("sasrec", [*SMALL, 'model.features=["count_7d", "session_position"]', 'model.time_inputs=["gap", "hour"]']),
        ("markov", []),
        ("recent-popularity", []),
        ("item-knn", []),
    ],
)
def test_a_prepared_log_trains_the_very_model_that_the_log_in_memory_does(prepared, recipe, overrides):
    there = horae.train(prepared, recipe, overrides=overrides, options=QUIET)
    here = horae.train(LOG, recipe, overrides=overrides, options=QUIET)
    for model in ("model", "fallback"):
        arrays, others = getattr(there, model).arrays(), getattr(here, model).arrays()
        assert arrays.keys() == others.keys()
        assert all(torch.equal(array, others[name]) for name, array in arrays.items())
    for key in ("repeat_share", "include_seen", "fallback", "behaviors", "items"):
        assert there.card[key] == here.card[key], key
    assert there.card["training"]["validation"] == here.card["training"]["validation"]
    assert there.calibration == here.calibration and there.recipe == here.recipe
    asked = {"users": [LOG.frame["user_id"][0]], "k": 5}
    assert there.recommend(**asked).frame.equals(here.recommend(**asked).frame)


def test_a_context_network_of_a_prepared_log_is_that_of_the_log_in_memory_and_answers_the_same(tmp_path):
    rng = np.random.default_rng(0)
    device = pl.Series("device", rng.choice(["phone", "laptop", "tv"], LOG.frame.height))
    frame = LOG.frame.with_columns(device, fee=pl.Series(rng.lognormal(0, 1, LOG.frame.height)))
    frame.write_parquet(tmp_path / "log.parquet")
    prepared = prepare_large(tmp_path / "log.parquet", tmp_path / "arrays", context=["device", "fee"])
    told = [*SMALL, 'model.context=["device", "fee"]', 'model.request_context=["device"]']
    there = horae.train(open_large(prepared.folder), "sasrec", overrides=told, options=QUIET)
    here = horae.train(horae.read_events(frame), "sasrec", overrides=told, options=QUIET)
    arrays, others = there.model.arrays(), here.model.arrays()
    assert arrays.keys() == others.keys() and all(torch.equal(one, others[name]) for name, one in arrays.items())
    there.save(tmp_path / "run")
    again = horae.load(tmp_path / "run")
    lists = []
    for context in ({"device": "phone"}, {"device": "tv"}, {}):
        history = [horae.HistoryEvent("i003", context={"device": "tv", "fee": 2.0}), horae.HistoryEvent("i004")]
        asked = {"histories": [history], "k": 5, "context": context or None}
        lists.append(there.recommend(**asked).frame["score"].to_list())
        assert lists[-1] == again.recommend(**asked).frame["score"].to_list()
        assert lists[-1] == here.recommend(**asked).frame["score"].to_list()
    assert lists[0] != lists[1]  # the question's context is heard


def test_parts_and_requests_are_those_of_a_split_by_time(prepared):
    ours, theirs = split_prepared(prepared), horae.split_by_time(LOG)
    assert (ours.boundary, ours.validation_boundary) == (theirs.boundary, theirs.validation_boundary)
    assert len(ours.fit) == len(theirs.fit) and int(ours.train.all().lengths.sum()) == len(theirs.train)
    for limit in (10_000, 7):
        one, other = validation_cut(ours, limit=limit, seed=3), validation_cut(theirs, limit=limit, seed=3)
        assert len(one) > 0 and one.item_T.to_list() == other.item_T.to_list()
        for name in ("row_B", "row_T", "offset_B1", "history_B"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
        assert one.users.gather(one.user_B).to_list() == other.users.gather(other.user_B).to_list()


def test_what_lies_in_the_test_part_moves_nothing(prepared, tmp_path):
    theirs = horae.split_by_time(LOG)
    items = LOG.frame["item_id"].to_numpy().copy()
    test = (theirs.part == "test").to_numpy()
    items[test] = items[test][::-1]
    LOG.frame.with_columns(item_id=pl.Series(items)).write_parquet(tmp_path / "log.parquet")
    edited = prepare_large(tmp_path / "log.parquet", tmp_path / "arrays")
    one, other = (
        horae.train(split_prepared(log), "sasrec", overrides=SMALL, options=QUIET) for log in (prepared, edited)
    )
    assert all(torch.equal(array, other.model.arrays()[name]) for name, array in one.model.arrays().items())
    assert one.calibration == other.calibration


def test_wishes_are_shares_dates_and_durations(prepared):
    last = LOG.frame["timestamp"].max()
    whole = split_prepared(prepared, test=None)
    assert whole.boundary == "" and whole.train is prepared.sequences
    by_days = split_prepared(prepared, test="1d", validation="1d")
    assert by_days.test_at == pytest.approx(last.timestamp() - 86_400)
    assert by_days.validation_at == pytest.approx(last.timestamp() - 2 * 86_400)
    same = split_prepared(prepared, test=by_days.boundary, validation=by_days.validation_boundary)
    assert (same.test_at, same.validation_at) == (by_days.test_at, by_days.validation_at)
    assert "validation from" in str(whole) and "test from" in str(same)
    for wishes in ({"test": 1.5}, {"test": 0.6, "validation": 0.5}, {"test": "9999d"}, {"validation": "2031-01-01"}):
        with pytest.raises(DataError):
            split_prepared(prepared, **wishes)


def test_the_share_of_repeats_is_that_of_the_log(prepared):
    from horae.data.checks import repeat_share as in_memory

    assert repeat_share(prepared.sequences) == in_memory(LOG)


@pytest.mark.parametrize(("recipe", "named"), [("auto", "--recipe auto"), ("which-what-when", r"\[model\] also")])
def test_what_looks_at_the_events_is_refused_with_what_to_do(prepared, recipe, named):
    with pytest.raises(DataError, match=named) as refused:
        horae.train(prepared, recipe, options=QUIET)
    assert "sasrec" in str(refused.value.hint)


def test_a_run_from_a_prepared_log_is_saved_and_judged_on_a_log_in_memory(prepared, tmp_path):
    split = split_prepared(prepared)
    trained = horae.train(split, "markov", options=QUIET)
    trained.save(tmp_path / "run")
    loaded = horae.load(tmp_path / "run")
    assert loaded.events is None and loaded.recommend(histories=[["i1"]], k=3).frame.height == 3
    whole = horae.split_by_time(LOG)
    judged = horae.evaluate(loaded, whole, opponents={}, bootstrap=0)
    same = horae.evaluate(horae.train(whole, "markov", options=QUIET), whole, opponents={}, bootstrap=0)
    assert judged.metrics["ndcg@10"].mean == same.metrics["ndcg@10"].mean
    with pytest.raises(DataError, match="no events to learn again from"):
        refit(trained)


def test_verbs_that_read_logs_say_what_a_prepared_log_is_for(prepared):
    with pytest.raises(DataError, match="is a prepared log") as refused:
        horae.read_events(prepared.folder)
    assert "horae train" in str(refused.value.hint)
    with pytest.raises(DataError, match="is a prepared log"):
        prepare_large(prepared.folder, prepared.folder.parent / "again")
    assert len(open_large(prepared.folder)) == len(LOG)
