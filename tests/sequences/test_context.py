"""Context as numbers: codes by hand, what callers say, where it stands in histories and batches, what is refused."""

import json
import math
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from tests.logs import events_of

import horae
from horae.errors import RecipeError
from horae.schema import Events, HistoryEvent
from horae.sequences.batch import encode
from horae.sequences.context import MOST_VALUES, ContextColumns
from horae.sequences.history import Sequences
from horae.sequences.prepared import prepare_large
from horae.sequences.vocabulary import Vocabulary

NAN = math.nan
ROWS = [("a", "i1", 10), ("a", "i2", 20), ("a", "i3", 30), ("b", "i2", 15), ("b", "i1", 25)]


def log(**context) -> Events:
    return Events(events_of(ROWS).frame.with_columns(**{name: pl.Series(values) for name, values in context.items()}))


def same(one, other) -> bool:
    return np.array_equal(np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64), equal_nan=True)


DEVICES = ["phone", "laptop", None, "phone", "None"]
PRICES = [1.5, None, 3.0, 4.0, math.inf]


def test_text_has_codes_by_frequency_and_numbers_stay_and_the_rest_is_unknown():
    events = log(device=DEVICES, price=PRICES)
    columns = ContextColumns.learned(events, ["device", "price"])
    assert columns.as_dict() == {"device": ["phone", "None", "laptop"], "price": None}
    assert same(columns.of_frame(events.frame), [[1, 1.5], [3, NAN], [NAN, 3], [1, 4], [2, NAN]])
    again = ContextColumns.from_dict(json.loads(json.dumps(columns.as_dict())))
    assert same(again.of_frame(events.frame), columns.of_frame(events.frame))
    assert str(columns) == "Context: device (3 values), price (numbers)."


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (pl.Series(["1", "2.5", None, "4", "5"]), [1, 2.5, NAN, 4, 5]),  # a CSV's columns are all text
        (pl.Series([True, False, None, True, True]), [1, 2, NAN, 1, 1]),
        (pl.Series(["x", "y", "y", None, "y"], dtype=pl.Enum(["x", "y"])), [2, 1, 1, NAN, 1]),
        (pl.Series(["x", "y", "y", None, "y"], dtype=pl.Categorical), [2, 1, 1, NAN, 1]),
        (pl.Series([7, 8, 9, None, 2**40], dtype=pl.Int64), [7, 8, 9, NAN, 2**40]),
        (pl.Series([None, "x", None, None, "x"]), [NAN, 1, NAN, NAN, 1]),  # one value that some lack says something
    ],
)
def test_every_kind_of_column(values, numbers):
    events = log(c=values)
    assert same(ContextColumns.learned(events, ["c"]).of_frame(events.frame)[:, 0], numbers)


def test_what_callers_say_meets_what_the_log_says():
    columns = ContextColumns.learned(
        log(device=DEVICES, price=PRICES, on=[True, True, False, None, True]), ["device", "price", "on"]
    )
    told = [
        {"device": "laptop", "price": 2, "on": True},
        {"price": "2.5"},
        {"device": "\ud800", "price": "dear", "on": False, "colour": ["red"]},
    ]
    assert same(columns.of_told(told), [[3, 2, 1], [NAN, 2.5, NAN], [NAN, NAN, 2]])
    assert columns.of_told([]).shape == (0, 3) and ContextColumns().of_told(told).shape == (3, 0)
    assert same(columns.of_frame(log(price=PRICES).frame)[:, 0], [NAN] * 5)  # a log without the column


def test_only_the_most_frequent_values_have_a_code():
    names = [f"v{n:03}" for n in range(400)]
    frame = pl.DataFrame({"city": names + names[100:] * 2})
    wide = events_of([("u", "i", n) for n in range(frame.height)])
    columns = ContextColumns.learned(Events(wide.frame.with_columns(frame)), ["city"])
    known = columns.as_dict()["city"]
    assert known == names[100 : 100 + MOST_VALUES]
    assert same(columns.of_told([{"city": "v000"}, {"city": "v100"}, {"city": "v399"}])[:, 0], [NAN, 1, NAN])


DAY = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("device", DEVICES, None),
        ("town", DEVICES, 'no column "town" of context'),
        ("behavior", DEVICES, 'no column "behavior"'),
        ("c", ["x"] * 5, "c is the same in every event"),
        ("c", [7] * 5, "c is the same in every event"),
        ("c", [None] * 5, "c is unknown in every event"),
        ("c", pl.Series([None] * 5, dtype=pl.Float64), "c is unknown in every event"),
        ("c", [DAY] * 5, "c holds dates"),
        ("c", [DAY.date()] * 5, "c holds dates"),
        ("c", ["2024-05-01", "2024-05-02 10:00", None, "2024-5-3", "2024-05-04T00:00Z"], "c holds dates"),
        ("c", [["x"], ["y"], ["x"], None, ["z"]], "expected text or numbers"),
    ],
)
def test_what_cannot_be_told_is_refused(name, values, told):
    events = log(device=DEVICES, c=values)
    if told is None:
        assert ContextColumns.learned(events, [name])
        return
    with pytest.raises(RecipeError, match=told) as refused:
        ContextColumns.learned(events, [name])
    assert "device" in refused.value.hint or name != "town"
    assert "behavior_embedding" in refused.value.hint or name != "behavior"


def test_a_column_that_was_read_as_something_else_is_named_with_what_it_became(tmp_path):
    frame = pl.DataFrame({"user_id": list("aabb"), "item_id": list("xyxy"), "price": [1, 2, 3, 4], "ts": range(4)})
    frame = frame.with_columns(pl.col("ts") + 1_600_000_000)
    events = horae.read_events(frame)
    assert events.report.read_as("price") == "value" and events.report.read_as("user_id") is None
    frame.write_parquet(tmp_path / "log.parquet")
    for ask in (
        lambda: ContextColumns.learned(events, ["price"]),
        lambda: prepare_large(tmp_path / "log.parquet", tmp_path / "out", context=["price"]),
    ):
        with pytest.raises(RecipeError, match='"price" was read as value') as refused:
            ask()
        assert "--columns value=" in refused.value.hint and "last_all" in refused.value.hint
    assert ContextColumns.learned(horae.read_events(frame, columns={"value": ""}), ["price"]).names == ("price",)


def test_an_id_of_each_event_is_refused():
    events = events_of([("u", "i", n) for n in range(100_000)])
    ids = pl.Series("trace", [f"t{n}" for n in range(100_000)])
    with pytest.raises(RecipeError, match="100,000 values; even the 255 most frequent are rare"):
        ContextColumns.learned(Events(events.frame.with_columns(ids)), ["trace"])


def sequences(items=("i1", "i2", "i3")) -> Sequences:
    events = log(device=DEVICES, price=[1.0, 2.0, 3.0, 4.0, 5.0])
    columns = ContextColumns.learned(events, ["device", "price"])
    return Sequences.from_events(events, Vocabulary(pl.Series(list(items))), None, columns)


def test_a_request_from_the_log_asks_in_the_context_of_its_row():
    whole = sequences()
    batch = encode(whole.before_rows(np.array([2, 3])))
    assert same(batch.feature_BLF, [[[1, 1], [3, 2]], [[NAN, NAN], [NAN, NAN]]])
    assert same(batch.request_feature_BLF, [[[3, 2], [NAN, 3]], [[1, 4], [NAN, NAN]]])


def test_events_on_unknown_items_leave_the_others_in_their_context():
    batch = encode(sequences(("i1", "i3")).before_rows(np.array([2, 4])))
    assert same(batch.feature_BLF, [[[1, 1]], [[NAN, NAN]]])
    assert same(batch.request_feature_BLF, [[[NAN, 3]], [[2, 5]]])


def test_events_that_come_later_and_histories_that_are_brought_have_context():
    whole = sequences()
    at = datetime.fromtimestamp(17, UTC)
    whole.append("b", HistoryEvent("i3", timestamp=at, context={"device": "laptop"}))
    batch = encode(whole.of_users(np.array([2])))
    assert same(batch.feature_BLF[0], [[1, 4], [3, NAN], [2, 5]])
    assert same(batch.request_feature_BLF[0, -1], [NAN, NAN])
    brought = [HistoryEvent("unknown", context={"price": 9}), HistoryEvent("i1", context={"price": 7, "colour": "red"})]
    assert same(encode(whole.brought([brought])).feature_BLF, [[[NAN, 7]]])


def test_where_nobody_asks_nothing_is_carried():
    events = log(device=DEVICES)
    plain = Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))
    assert plain.flat.feature_NF.shape == (5, 0) and plain.flat.feature_NF.nbytes == 0
    assert encode(plain.all()).feature_BLF.shape == (2, 3, 0)
