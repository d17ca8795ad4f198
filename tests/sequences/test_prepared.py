"""A prepared log is the log in memory, number for number; what is not whole is refused."""

import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import horae
from horae.data.settings import DataSettings
from horae.data.split import split_by_time
from horae.data.streaming import parquet, parts
from horae.errors import DataError, RecipeError, StoreError
from horae.sequences.batch import encode
from horae.sequences.context import ContextColumns
from horae.sequences.history import Sequences
from horae.sequences.prepared import PreparedLog, open_large, prepare_large
from horae.sequences.vocabulary import Vocabulary

BASE = 1_600_000_000


def in_memory(file: Path, context: tuple[str, ...] = (), **how) -> Sequences:
    events = horae.read_events(file, **how)
    columns = ContextColumns.learned(events, context)
    return Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]), None, columns)


def in_small_parts(source: Path, folder: Path, part_rows: int = 6, **how) -> PreparedLog:
    """As on a machine with memory for six events: many parts, many chunks."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(parts, "_rows_in", lambda memory, log: part_rows))
        stack.enter_context(patch.object(parts.CleanedParts, "_check_room", lambda self, rows: None))
        stack.enter_context(patch.object(parts, "SMALLEST_CHUNK", 5))
        return prepare_large(source, folder, **how)


def assert_same(one: Sequences, other: Sequences) -> None:
    assert one.flat.weight_N is other.flat.weight_N is None
    assert one.flat.shown_NS is other.flat.shown_NS is None
    for name, array in vars(one.flat).items():
        if name in ("weight_N", "shown_NS"):
            continue
        mine = getattr(other.flat, name)
        assert mine.dtype == array.dtype, name
        assert np.array_equal(array, mine, equal_nan=array.dtype.kind == "f"), name
    assert one.offset_U1.tolist() == other.offset_U1.tolist()
    assert one.users.all.to_list() == other.users.all.to_list() and one.users.all.dtype == other.users.all.dtype
    assert one.items.all.to_list() == other.items.all.to_list() and one.items.all.dtype == other.items.all.dtype
    assert one.behaviors == other.behaviors
    assert one.context.as_dict() == other.context.as_dict()


rows = st.tuples(
    st.one_of(st.none(), st.integers(0, 5)),
    st.one_of(st.none(), st.sampled_from("abcd")),
    st.one_of(st.none(), st.integers(0, 5), st.just(-BASE)),  # -BASE is 1970: set aside
    st.sampled_from(["view", "buy", " buy", "cancel", None, ""]),
    st.one_of(st.none(), st.sampled_from([1.0, 2.0, float("nan"), float("inf")])),
    st.sampled_from(["shop", "app", None]),
)


def frame_of(log, text: bool) -> pl.DataFrame:
    users, items, times, behaviors, values, places = zip(*log, strict=True)
    frame = pl.DataFrame(
        {
            "user_id": pl.Series(users, dtype=pl.Int64),
            "item_id": pl.Series(items, dtype=pl.String),
            "timestamp": pl.Series([None if t is None else BASE + t for t in times], dtype=pl.Int64),
            "behavior": pl.Series(behaviors, dtype=pl.String),
            "value": pl.Series(values, dtype=pl.Float64),
            "channel": pl.Series(places, dtype=pl.String),
        }
    )
    number = pl.lit(9, pl.Int64)
    anchor = frame.head(1).with_columns(user_id=number, item_id=pl.lit("z"), timestamp=number + BASE)
    frame = pl.concat([frame, anchor])
    return frame.with_columns(pl.col("user_id").cast(pl.String)) if text else frame


policies = st.sampled_from(
    [
        DataSettings(max_bad=0.999),
        DataSettings(max_bad=0.999, duplicates="keep", repeat_targets=True),
        DataSettings(max_bad=0.999, missing="forward_fill"),
        DataSettings(max_bad=0.999, repeats="last", repeat_window_seconds=2, min_history=2),
        DataSettings(max_bad=0.999, target_behaviors=("view",), min_user_events=2),
    ]
)


@given(log=st.lists(rows, min_size=1, max_size=40), text=st.booleans(), policy=policies, files=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_any_log_in_any_number_of_parts_is_the_log_in_memory(log, text, policy, files):
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "log").mkdir()
        frame = frame_of(log, text)
        for number, piece in enumerate(np.array_split(np.arange(frame.height), min(files, frame.height))):
            frame[piece].write_parquet(folder / "log" / f"{number}.parquet")
        try:
            how = {"settings": policy, "context": ("channel",) if frame["channel"].n_unique() > 1 else ()}
            whole = in_memory(folder / "log", **how)
        except (DataError, RecipeError) as refused:
            with pytest.raises(type(refused)):
                in_small_parts(folder / "log", folder / "out", **how)
            return
        assert_same(whole, in_small_parts(folder / "log", folder / "out", **how).sequences)
        assert_same(whole, prepare_large(folder / "log", folder / "one", **how).sequences)


@given(
    log=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.integers(0, 4), st.integers(0, 9)), min_size=1),
    unknown=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_the_logs_own_order_and_its_gaps_count_as_in_memory(log, unknown):
    users, items, times, positions = zip(*log, strict=True)
    columns = {"user_id": users, "item_id": items, "timestamp": [BASE + t for t in times], "position": positions}
    with TemporaryDirectory() as name:
        file = Path(name) / "log.parquet"
        frame = pl.DataFrame(columns)
        if unknown:
            frame = frame.with_columns(pl.when(pl.col("position") > 0).then("position").alias("position"))
        frame.write_parquet(file)
        assert_same(in_memory(file), in_small_parts(file, Path(name) / "out").sequences)


def test_what_a_small_sample_cannot_show_is_understood_all_the_same(tmp_path):
    rng = np.random.default_rng(0)
    count = 3_000
    frame = pl.DataFrame(
        {
            "customer": rng.integers(0, 90, count).astype(str),
            "sku": rng.integers(0, 40, count),
            "event": rng.choice(["view", "buy"], count),
            "ts": (BASE + rng.integers(0, 500, count)) * 1000,
        }
    )
    frame.write_parquet(tmp_path / "log.parquet")
    with patch.multiple(parquet, HEAD_ROWS=50, SPREAD_BLOCKS=5, BLOCK_ROWS=10):
        small = in_small_parts(tmp_path / "log.parquet", tmp_path / "out", 1200)
    assert_same(in_memory(tmp_path / "log.parquet"), small.sequences)


def test_events_that_are_written_and_read_again_are_the_same(tmp_path):
    shop = horae.simulate(horae.ShopSettings(users=30, items=16, events=600, days=120, categories=3), seed=5)
    events = horae.read_events(shop.frame)
    events.frame.write_parquet(tmp_path / "events.parquet")
    prepared = in_small_parts(tmp_path / "events.parquet", tmp_path / "out", 100)
    assert_same(Sequences.from_events(events, Vocabulary.of(events.frame["item_id"])), prepared.sequences)


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    log = horae.simulate(horae.ShopSettings(users=60, items=30, events=2_000, days=90, categories=3), seed=1)
    log.frame.write_parquet(folder / "log.parquet")
    prepare_large(folder / "log.parquet", folder / "prepared")
    return folder


def test_the_report_counts_what_was_dropped(tmp_path):
    users = ["u", None, "u", "v", "", "v"] * 200
    frame = pl.DataFrame({"user_id": users, "item_id": range(1200), "timestamp": [BASE] * 1199 + [5]})
    frame.write_parquet(tmp_path / "log.parquet")
    prepared = in_small_parts(tmp_path / "log.parquet", tmp_path / "out", 100)
    steps = {step.name: step for step in prepared.report.steps}
    assert prepared.report.rows_read == 1200 and prepared.report.rows_kept == len(prepared) == 799
    assert steps["null_ids"].rows == 400 and steps["impossible_times"].rows == 1
    assert steps["impossible_times"].examples[0].startswith("row 1200:")
    assert open_large(tmp_path / "out").report == prepared.report


def test_batches_are_cut_from_the_maps_as_from_memory(shop):
    prepared, memory = open_large(shop / "prepared"), in_memory(shop / "log.parquet")
    assert isinstance(prepared.sequences.flat.item_N.base, np.memmap)
    ids = memory.users.all.head(20)
    at = np.full(20, float(np.median(memory.flat.time_N)))
    for one, other in zip(
        *(
            (s.of_users(s.users.indices(ids)), s.of_users(s.users.indices(ids), at), s.before_rows(np.arange(9, 99, 7)))
            for s in (prepared.sequences, memory)
        ),
        strict=True,
    ):
        mine, theirs = encode(one, 8), encode(other, 8)
        for name, tensor in vars(mine).items():
            assert np.array_equal(tensor.numpy(), vars(theirs)[name].numpy(), equal_nan=True), name


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_before_a_share_is_the_train_part_of_a_split_by_time(shop, share):
    events = horae.read_events(shop / "log.parquet")
    split = split_by_time(events, test=1 - share, validation=0.01)
    earlier = events.filter(split.part != "test")
    train = Sequences.from_events(earlier, Vocabulary.of(events.frame["item_id"]))
    before = open_large(shop / "prepared").before(share)
    there = np.diff(before.offset_U1) > 0
    assert before.users.all.filter(pl.Series(there)).to_list() == train.users.all.to_list()
    for name, array in vars(train.flat).items():
        if array is None:
            continue
        assert np.array_equal(array, getattr(before.flat, name), equal_nan=array.dtype.kind == "f"), name


def test_dates_and_durations_cut_too(shop):
    prepared = open_large(shop / "prepared")
    last = datetime.fromtimestamp(prepared.sequences.flat.time_N.max(), UTC)
    week = len(prepared.before(timedelta(days=7)))
    assert week == len(prepared.before(last - timedelta(days=7))) == len(prepared.before(str(last - timedelta(days=7))))
    for empty in (0.0, 1.0, "1999-01-01", "2050-01-01"):
        with pytest.raises(DataError, match="empty part"):
            prepared.before(empty)


def fill(tmp_path: Path, columns: dict) -> Path:
    pl.DataFrame(columns).write_parquet(tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


def test_a_log_of_one_user_and_one_event(tmp_path):
    file = fill(tmp_path, {"user_id": [7], "item_id": ["a"], "timestamp": [BASE]})
    prepared = prepare_large(file, tmp_path / "out")
    assert len(prepared) == 1 and prepared.sequences.users.all.to_list() == [7]
    with pytest.raises(DataError):
        prepared.before(0.5)


def test_one_user_too_long_for_the_memory_is_refused_with_what_it_takes(tmp_path):
    file = fill(tmp_path, {"user_id": [1] * 900 + [2] * 100, "item_id": [1] * 1000, "timestamp": [BASE] * 1000})
    with patch.object(parts, "_rows_in", lambda memory, log: 500), pytest.raises(DataError, match="900 events") as told:
        prepare_large(file, tmp_path / "out")
    assert "--memory-gb" in told.value.hint and sorted(entry.name for entry in tmp_path.iterdir()) == ["log.parquet"]
    with pytest.raises(DataError, match="memory_gb"):
        prepare_large(file, tmp_path / "out", memory_gb=0.1)


@pytest.mark.parametrize("name", ["time.npy", "offset.npy", "users.parquet", "log.json", "manifest.json"])
def test_a_damaged_file_is_refused_by_name(shop, tmp_path, name):
    import shutil

    copy = Path(shutil.copytree(shop / "prepared", tmp_path / "copy"))
    content = bytearray((copy / name).read_bytes())
    content[-5] ^= 0xFF
    (copy / name).write_bytes(content)
    with pytest.raises(StoreError, match=name):
        open_large(copy)
    (copy / name).unlink()
    with pytest.raises(StoreError, match=name):
        open_large(copy, verify=False)


def test_what_a_killed_process_left_is_swept_and_what_stands_there_is_not_lost(shop, tmp_path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    left = tmp_path / f".out.writing-{int(dead.stdout)}"
    (left / "parts").mkdir(parents=True)
    prepare_large(shop / "log.parquet", tmp_path / "out")
    assert not left.exists()
    with pytest.raises(StoreError, match="exists already"):
        prepare_large(shop / "log.parquet", tmp_path / "out")
    with pytest.raises(DataError):
        prepare_large(tmp_path / "missing.parquet", tmp_path / "out", overwrite=True)
    again = prepare_large(shop / "log.parquet", tmp_path / "out", overwrite=True)
    assert len(open_large(tmp_path / "out")) == len(again)
    (tmp_path / "mine").mkdir()
    with pytest.raises(StoreError, match="will not be replaced"):
        prepare_large(shop / "log.parquet", tmp_path / "mine", overwrite=True)
    assert sorted(os.listdir(tmp_path)) == ["mine", "out"]


def test_a_disk_too_small_is_refused_before_anything_is_written(shop, tmp_path):
    usage = type("Usage", (), {"free": 1000})
    with patch("shutil.disk_usage", lambda path: usage), pytest.raises(StoreError, match="GB are free"):
        prepare_large(shop / "log.parquet", tmp_path / "out")
    assert not os.listdir(tmp_path)


def test_what_cannot_be_done_in_parts_is_refused(shop, tmp_path):
    for policy in (DataSettings(outliers="drop"), DataSettings(missing="mean"), DataSettings(min_item_events=3)):
        with pytest.raises(RecipeError, match="all events at once"):
            prepare_large(shop / "log.parquet", tmp_path / "out", settings=policy)
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\n1,2,3\n")
    with pytest.raises(DataError, match="only Parquet"):
        prepare_large(tmp_path / "log.csv", tmp_path / "out")
    file = fill(tmp_path, {"user_id": [1, 1], "timestamp": [BASE, BASE + 1], "value": [1.5, 2.5]})
    with pytest.raises(DataError, match="items"):
        prepare_large(file, tmp_path / "out")


def test_context_is_kept_where_it_is_asked_for_and_refused_before_an_hour_of_work(tmp_path):
    rng = np.random.default_rng(0)
    columns = {
        "user_id": rng.integers(0, 40, 600),
        "item_id": rng.integers(0, 9, 600),
        "timestamp": BASE + np.arange(600),
        "city": [f"c{n}" for n in rng.zipf(1.3, 600) % 400],  # more than have codes
        "discount": rng.random(600),
        "day": pl.Series([datetime(2020, 1, 1, tzinfo=UTC)] * 600),
        "same": ["x"] * 600,
    }
    file = fill(tmp_path, columns)
    small = in_small_parts(file, tmp_path / "out", 100, context=["discount", "city"])
    assert_same(in_memory(file, ("discount", "city")), small.sequences)
    opened = open_large(tmp_path / "out").sequences
    assert isinstance(opened.flat.feature_NF.base, np.memmap) and opened.context.names == ("discount", "city")
    assert opened.all().take(slice(0, 3)).request_feature_BF.shape == (3, 2)
    assert not (prepare_large(file, tmp_path / "none").folder / "feature.npy").exists()
    for name, told in (("town", "no column"), ("day", "holds dates")):
        with patch.object(parts.CleanedParts, "_spread") as spread, pytest.raises(RecipeError, match=told):
            prepare_large(file, tmp_path / "bad", context=[name])
        assert not spread.called
    with pytest.raises(RecipeError, match="same is the same in every event"):
        prepare_large(file, tmp_path / "bad", context=["same"])


def test_times_in_two_units_are_refused(tmp_path):
    times = [BASE + n for n in range(500)] + [(BASE + n) * 1000 for n in range(3000)]
    file = fill(tmp_path, {"user_id": [1, 2] * 1750, "item_id": [1] * 3500, "timestamp": times})
    with patch.multiple(parquet, HEAD_ROWS=400, SPREAD_BLOCKS=1, BLOCK_ROWS=1), pytest.raises(DataError):
        in_small_parts(file, tmp_path / "out", 3000)
