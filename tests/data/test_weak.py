"""What an event counts is a share of a declared amount; skipped ones are history; a weighted log is learned better."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

import horae
from horae.data.settings import DataSettings
from horae.data.split import split_by_time
from horae.errors import DataError, RecipeError
from horae.schema import TARGET, TARGET_WEIGHT, Events

START = datetime(2024, 1, 1, tzinfo=UTC)


def log_of(**columns: list) -> pl.DataFrame:
    """One user, a day between events, an item each."""
    rows = len(next(iter(columns.values())))
    return pl.DataFrame(
        {
            "user_id": ["u"] * rows,
            "item_id": [f"i{n}" for n in range(rows)],
            "timestamp": [START + timedelta(days=n) for n in range(rows)],
            **columns,
        }
    )


def cleaned(frame: pl.DataFrame, **settings: object) -> Events:
    return horae.read_events(frame, settings=DataSettings(**settings))


def test_a_weight_is_the_share_of_what_counts_in_full():
    events = cleaned(log_of(dwell=[0.0, 15.0, 30.0, 900.0, -5.0, None]), weak_labels={"dwell": 30.0})
    assert events.frame[TARGET_WEIGHT].to_list() == [0.0, 0.5, 1.0, 1.0, 0.0, 1.0]
    assert events.frame[TARGET].to_list() == [False, True, True, True, False, True]
    step = next(step for step in events.report.steps if step.name == "weak_labels")
    assert step.rows == 2 and "1 others count in part" in step.message
    assert TARGET_WEIGHT not in events.context and "dwell" in events.context


def test_of_several_columns_the_least_counts_and_a_skip_counts_nothing():
    frame = log_of(dwell=[30.0, 15.0, 30.0], share=["0.2", "0.9", ""], skipped=["no", "No", "TRUE"])
    events = cleaned(frame, weak_labels={"dwell": 30.0, "share": 0.8}, skips="skipped")
    assert events.frame[TARGET_WEIGHT].to_list() == pytest.approx([0.25, 0.5, 0.0])
    assert cleaned(frame, skips="skipped").frame[TARGET].to_list() == [True, True, False]


def test_without_settings_nothing_is_weighed_and_a_column_of_that_name_is_the_logs_own():
    events = cleaned(log_of(dwell=[0.0, 1.0], target_weight=[0.5, 0.5]))
    assert TARGET_WEIGHT not in events.frame.columns and "target_weight_in_log" in events.frame.columns
    assert events.frame[TARGET].all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weak_labels": {"gone": 1.0}}, "which the log does not have"),
        ({"skips": "gone"}, "which the log does not have"),
        ({"weak_labels": {"note": 1.0}}, "holds 'soon'; expected numbers"),
        ({"skips": "dwell"}, "expected true or false"),
    ],
)
def test_columns_that_cannot_say_it_are_refused(settings, words):
    with pytest.raises(DataError, match=words):
        cleaned(log_of(dwell=[3.0, 4.0], note=["soon", "later"]), **settings)


@pytest.mark.parametrize("full", [0.0, -1.0, float("inf"), float("nan")])
def test_impossible_amounts_are_refused(full):
    with pytest.raises(RecipeError, match=r"weak_labels\.dwell"):
        DataSettings(weak_labels={"dwell": full})


def accidental(users: int = 150, seed: int = 0) -> pl.DataFrame:
    """Everybody walks i00 -> i01 -> ...; after each step a slip onto a trap that many share, which is left at once."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        item, time = int(rng.integers(12)), 60.0 * user
        for _ in range(8):
            rows.append((f"u{user:03}", f"i{item:02}", time, 40.0 + rng.random()))
            if rng.random() < 0.5:
                rows.append((f"u{user:03}", f"i{(item + 6) % 12:02}", time + 400, 1.0 + rng.random()))
            item, time = (item + 1) % 12, time + 86_400
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "second", "dwell"], orient="row")
    return frame.with_columns(timestamp=pl.from_epoch(pl.col("second") + 1.7e9, "s")).drop("second")


SMALL = (
    *("model.dim=16", "model.max_len=10", "model.num_layers=1", "model.num_heads=1", "model.dropout=0.0"),
    *("train.epochs=12", "train.batch_tokens=512", "train.learning_rate=0.01", "train.relearn=false"),
    "train.patience=12",
)


def test_accidental_clicks_are_learned_away_by_weights():
    """Judged on the walk alone: requests whose next real event is known; the run of the plain log foretells slips."""
    frame = accidental()

    def reached(settings: DataSettings) -> float:
        events = horae.read_events(frame, settings=settings)
        run = horae.train(split_by_time(events, test=0.1), "sasrec", overrides=SMALL)
        histories = [[f"i{start:02}", f"i{(start + 1) % 12:02}", f"i{(start + 2) % 12:02}"] for start in range(12)]
        lists = run.recommend(histories=histories, k=1, seen=True).frame["item_id"].to_list()
        scores = run.score(
            horae.Requests(histories=[[horae.HistoryEvent(i) for i in line] for line in histories]),
            [[f"i{(start + 3) % 12:02}", f"i{(start + 8) % 12:02}"] for start in range(12)],
        )["score"].to_numpy()
        assert len(lists) == 12
        return float((scores[::2] - scores[1::2]).mean())  # how far the real next stands above the slip

    weighted = reached(DataSettings(weak_labels={"dwell": 30.0}, repeat_targets=True))
    plain = reached(DataSettings(repeat_targets=True))
    assert weighted > plain + 1.0
