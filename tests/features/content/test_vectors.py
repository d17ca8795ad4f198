from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from horae.errors import DataError
from horae.features.content.vectors import read_vectors
from horae.sequences.vocabulary import Vocabulary

NAN, INF = float("nan"), float("inf")


def table(ids=("a", "b", "c"), **columns) -> pl.DataFrame:
    return pl.DataFrame({"item_id": list(ids), **(columns or {"vector": [[1.0, 2.0], [3.0, 4.0], None]})}, strict=False)


def test_vectors_take_the_places_of_the_runs_items():
    vocabulary = Vocabulary(pl.Series(["x", "c", "a", "b"]))
    content = read_vectors(table(("a", "b", "stranger"))).aligned(vocabulary)
    assert content.vectors["vector"].tolist() == [[0, 0], [0, 0], [0, 0], [1, 2], [3, 4]]
    assert content.known["vector"].tolist() == [False, False, False, True, True]
    dropped, without = content.report.steps
    assert (dropped.name, dropped.rows, dropped.examples) == ("unknown_items", 1, ("stranger",))
    assert (without.name, without.rows, without.examples) == ("without_content", 2, ("x", "c"))


def test_ids_that_are_numbers_are_found_as_text():
    content = read_vectors(table(("7", "8", "9"))).aligned(Vocabulary(pl.Series([9, 8])))
    assert content.vectors["vector"].tolist() == [[0, 0], [0, 0], [3, 4]]


def test_several_columns_of_lists_are_modalities_and_columns_of_numbers_are_one():
    both = read_vectors(table(audio=[[1], [2], [3]], llm=[[1, 2, 3], [4, 5, 6], [7, 8, 9]], title=["x", "y", "z"]))
    assert both.modalities == ["audio", "llm"] and both.width("llm") == 3
    numbers = read_vectors(table(v0=[1, 2, 3], v1=[4, 5, 6], title=["x", "y", "z"]), name="mine")
    assert numbers.vectors["mine"].tolist() == [[0, 0], [1, 4], [2, 5], [3, 6]]
    assert read_vectors(table(v0=[1, 2, 3], v1=[4, 5, 6]), ["v1"]).width("vector") == 1


REFUSED = {
    "another width": (table(vector=[[1, 2], [1], [3, 4]]), "another width than 2, such as 1 of b"),
    "NaN": (table(vector=[[1, NAN], [1, 2], [3, INF]]), "2 items hold NaN or infinity: a, c"),
    "NaN in columns": (table(v0=[1.0, None, NAN]), "2 items hold NaN or infinity: b, c"),
    "an id twice": (table(("a", "a", "b")), "'a' stands in several rows"),
    "no id": (table(("a", None, "b")), "row 2 has no id"),
    "no vectors": (table(title=["x", "y", "z"]), "has no vectors"),
    "all empty": (table(vector=pl.Series([None, [], None], dtype=pl.List(pl.Float32))), "every vector is empty"),
    "no ids": (pl.DataFrame({"thing": [1], "vector": [[1.0]]}), "expected one column item_id"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_vectors_that_cannot_be_are_refused_with_their_ids(fault):
    frame, said = REFUSED[fault]
    with pytest.raises(DataError, match=said):
        read_vectors(frame)


def test_a_column_that_is_not_there_or_no_vector_is_refused():
    with pytest.raises(DataError, match="no column 'x'"):
        read_vectors(table(), ["x"])
    with pytest.raises(DataError, match="neither numbers nor lists"):
        read_vectors(table(title=["x", "y", "z"]), ["title"])


LAUNCHED = table(vector=[[1, 2], [3, 4], [5, 6]], launch_time=["2024-01-01", "2024-05-01", None])


def test_as_of_a_time_later_items_are_unknown():
    content = read_vectors(LAUNCHED).as_of(datetime(2024, 4, 30, tzinfo=UTC))
    assert content.known["vector"].tolist() == [False, True, False, True]
    assert content.vectors["vector"].tolist() == [[0, 0], [1, 2], [0, 0], [5, 6]]
    at_launch = read_vectors(LAUNCHED).as_of(datetime(2024, 5, 1, tzinfo=UTC))
    assert at_launch.known["vector"].all() or at_launch.known["vector"].tolist() == [False, True, True, True]
    aligned = (
        read_vectors(LAUNCHED).aligned(Vocabulary(pl.Series(["b", "new"]))).as_of(datetime(2024, 4, 1, tzinfo=UTC))
    )
    assert aligned.known["vector"].tolist() == [False, False, False]
    with pytest.raises(DataError, match="no launch times"):
        read_vectors(table()).as_of(datetime(2024, 1, 1, tzinfo=UTC))
    with pytest.raises(DataError, match="row 1"):
        read_vectors(LAUNCHED.with_columns(launch_time=pl.lit("soon")))


def test_modalities_are_joined_by_item():
    joined = read_vectors(table(), name="text").join(read_vectors(table(("c", "z"), vector=[[9], [8]]), name="audio"))
    assert joined.vectors["audio"].tolist() == [[0], [0], [0], [9]] and joined.modalities == ["text", "audio"]
    assert [step.name for step in joined.report.steps] == ["unknown_items", "without_content"]
    with pytest.raises(DataError, match="named 'audio'"):
        joined.join(joined)


def test_what_is_written_is_read(tmp_path):
    content = read_vectors(LAUNCHED, name="mine").join(read_vectors(table(), name="other"))
    content.write(tmp_path / "deep" / "vectors.parquet")
    again = read_vectors(tmp_path / "deep" / "vectors.parquet")
    assert again.modalities == ["mine", "other"] and again.launch_time.equals(content.launch_time)
    for name in again.modalities:
        assert np.array_equal(again.vectors[name], content.vectors[name])
        assert np.array_equal(again.known[name], content.known[name])
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["vectors.parquet"]
