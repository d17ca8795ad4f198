"""The judge and the clock that all peers share."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks.peers import told
from benchmarks.peers.handed import hand_over

import horae
from horae.training.progress import Quiet
from horae.training.train import Options


@pytest.fixture
def log(tmp_path: Path) -> told.Log:
    """Three users; the second has no test event, the third's is of an item that training does not know."""
    file = tmp_path / "log.npz"
    np.savez(
        file,
        item_N=np.array([3, 0, 1, 2, 4, 1, 0, 2, -1]),
        part_N=np.array([0, 0, 1, 2, 0, 1, 0, 1, 2]),
        offset_U=np.array([0, 4, 6, 9]),
        num_items=np.int64(5),
    )
    return told.Log(str(file))


def test_a_history_holds_what_stands_before_its_part(log: told.Log):
    assert [row.tolist() for row in log.histories(told.VALIDATION)] == [[3, 0], [4], [0]]
    assert [row.tolist() for row in log.histories(told.TEST)] == [[3, 0, 1], [4, 1], [0, 2]]
    assert [row.tolist() for row in log.histories(told.TEST + 1)] == [[3, 0, 1, 2], [4, 1], [0, 2]]


def test_targets_stand_beside_their_users_and_unknown_ones_are_misses(log: told.Log):
    assert log.targets(told.VALIDATION).tolist() == [1, 1, 2]
    assert log.targets(told.TEST).tolist() == [2, -1, -1]
    assert log.asked(told.TEST).tolist() == [0, 2]


def test_lists_leave_out_what_was_seen_and_break_ties_by_index():
    score_BI = np.array([[9.0, 1.0, 1.0, 5.0, 1.0], [0.0, 2.0, 2.0, 2.0, 3.0]])
    top_BK = told.top_unseen(score_BI, [np.array([0]), np.array([1])], k=3)
    assert top_BK.tolist() == [[3, 1, 2], [4, 2, 3]]


def test_ndcg_and_recall_are_as_worked_by_hand():
    top_UK = np.array([[7, 1, 2, 3], [4, 5, 6, 9], [1, 2, 3, 4]])
    judged = told.judged(top_UK, np.array([7, 6, 9]))
    assert judged["recall@10"] == pytest.approx(2 / 3)
    assert judged["ndcg@10"] == pytest.approx((1 + 1 / math.log2(4)) / 3)


def test_an_epoch_is_the_median_step_times_the_steps():
    steps = told.Steps()
    steps.cpu = [0.0, 9.0, 18.0, 27.0, 28.0, 30.0, 33.0]  # three steps of warm-up, then 1, 2 and 3 seconds
    steps.wall = [2 * one for one in steps.cpu]
    said = steps.told(steps_per_epoch=10)
    assert said["timed_steps"] == 3
    assert (said["epoch_cpu_seconds"], said["epoch_seconds"]) == (20.0, 40.0)


def test_a_curve_stops_when_nothing_was_better_for_long_enough(tmp_path: Path):
    qualities = iter([0.1, 0.3, 0.2, 0.2, 0.9])
    curve = told.Curve(str(tmp_path / "curve.json"), 2, 1e9, lambda: {"validation_ndcg@10": next(qualities)})
    assert [curve.epoch() for _ in range(4)] == [False, False, False, True]
    kept = json.loads((tmp_path / "curve.json").read_text())
    assert kept["ended"] == "early stopping" and len(kept["points"]) == 4


def test_a_peer_is_judged_as_we_judge_ourselves(tmp_path: Path):
    """Our own lists, through the peers' judge: the figures of `horae.evaluate`."""
    rng = np.random.default_rng(0)
    rows = {
        "user_id": np.repeat(np.arange(40), 8),
        "item_id": rng.integers(0, 30, 320),
        "timestamp": range(10**9, 10**9 + 320),
    }
    log_of_all = pl.DataFrame(rows).unique(["user_id", "item_id"], maintain_order=True)
    split = horae.split_leave_one_out(horae.read_events(log_of_all))
    recommender = horae.train(
        split, "popularity", overrides=['recommend.seen="exclude"'], options=Options(progress=Quiet())
    )
    log = told.Log(str(hand_over(split, tmp_path / "log.npz")))
    count_I = np.bincount(np.concatenate(log.histories(told.TEST)), minlength=log.num_items).astype(float)

    def top_of(histories: list[np.ndarray], users: np.ndarray) -> np.ndarray:
        return told.top_unseen(np.tile(count_I, (len(histories), 1)), histories)

    theirs = told.judged_both(log, top_of)
    ours = horae.evaluate(recommender, split).as_dict()["metrics"]
    for metric in ("recall@10", "ndcg@10"):
        assert theirs[f"test_{metric}"] == pytest.approx(ours[metric]["mean"])
