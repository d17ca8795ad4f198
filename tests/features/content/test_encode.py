from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

import horae
from horae.errors import DataError
from tests.features.content.counting import Letters

CATALOG = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "title": ["Red shoes", "<i>Red</i> shoes", None, "Coffee"],
        "launch_time": ["2024-01-01", "2024-06-01", None, None],
    }
)


def test_a_partial_catalog_gives_vectors_a_mask_and_counted_holes():
    letters = Letters()
    content = horae.encode_catalog(CATALOG, encoder=letters, cache=False)
    assert letters.seen == ["Red shoes", "Coffee"]
    assert content.known["text"].tolist() == [False, True, True, False, True]
    assert content.vectors["text"][1:3].tolist() == [[82, 101, 100]] * 2 and content.encoders == {"text": "letters"}
    made, missing = content.report.steps
    assert (made.rows, missing.rows, missing.examples) == (3, 1, ("c",))
    assert content.coverage["filled"].to_list() == [3] and "3 of 4 items" in str(content)
    assert content.as_of(datetime(2024, 3, 1, tzinfo=UTC)).known["text"].tolist() == [False, True, False, False, True]


def test_the_same_title_a_thousand_times_is_encoded_once():
    letters = Letters()
    many = pl.DataFrame({"item_id": range(1000), "title": ["Same"] * 1000})
    content = horae.encode_catalog(many, ["title"], letters, cache=False)
    assert letters.seen == ["Same"] and content.known["text"].sum() == 1000


def test_nothing_to_say_at_all_is_no_error():
    empty = CATALOG.with_columns(title=pl.lit(None, dtype=pl.String))
    content = horae.encode_catalog(empty, ["title"], "hashed", cache=False)
    assert not content.known["text"].any() and content.width("text") == 128
    assert horae.encode_texts([], "hashed").shape == (0, 128)


def test_launch_times_are_no_text_and_hashed_is_never_cached(tmp_path):
    horae.encode_catalog(CATALOG, encoder="hashed", cache=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("vector", "said"),
    [(np.full((1, 3), np.nan, np.float32), "NaN or infinity"), (np.zeros((1, 2), np.float32), r"shape \(1, 2\)")],
)
def test_an_encoder_that_breaks_its_word_is_refused(vector, said, monkeypatch):
    letters = Letters()
    monkeypatch.setattr(letters, "encode", lambda given, advance: vector)
    with pytest.raises(DataError, match=said):
        horae.encode_texts(["a"], letters, cache=False)


def test_ids_must_be_there_once():
    for catalog, said in (
        (CATALOG.rename({"item_id": "id"}), "no column item_id"),
        (CATALOG.with_columns(item_id=pl.lit("a")), "'a' in several rows"),
        (CATALOG.with_columns(item_id=pl.lit(None, dtype=pl.String)), "4 rows of the catalog have no item_id"),
    ):
        with pytest.raises(DataError, match=said):
            horae.encode_catalog(catalog, encoder="hashed")


def test_pictures_stand_beside_texts_or_alone():
    pytest.importorskip("PIL.Image", reason="needs the extra image")
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "PNG")
    pictured = CATALOG.with_columns(pl.Series("poster", [out.getvalue(), b"broken", None, b""]))
    content = horae.encode_catalog(pictured, ["title"], "hashed", images="poster", cache=False)
    assert content.modalities == ["text", "image"] and content.encoders["image"] == "colors"
    assert content.known["image"].tolist() == [False, True, False, False, False]
    broken = content.report.steps[-1]
    assert broken.message == "1 of 2 pictures that are named are missing or broken"
    assert broken.examples == ("b: no picture that can be read",)
    assert horae.encode_catalog(pictured, [], images="poster", cache=False).modalities == ["image"]
    with pytest.raises(DataError, match="no column 'cover'"):
        horae.encode_catalog(pictured, ["title"], "hashed", images="cover")


def test_a_picture_that_is_not_where_its_path_says_is_told_with_the_folder(tmp_path, monkeypatch):
    pytest.importorskip("PIL.Image", reason="needs the extra image")
    monkeypatch.chdir(tmp_path)
    pictured = CATALOG.with_columns(pl.Series("poster", ["pics/a.png", None, None, None]))
    broken = horae.encode_catalog(pictured, [], images="poster", cache=False).report.steps[-1]
    assert broken.rows == 1 and broken.examples == (f"a: pics/a.png (no such file from {tmp_path})",)


def test_progress_is_told_in_lines_to_a_log(monkeypatch, capsys):
    monkeypatch.setattr("horae.features.content.telling.PAUSE_SECONDS", -1.0)
    horae.encode_texts(["a", "b", "b"], Letters(), cache=False, progress=True)
    assert capsys.readouterr().err.splitlines()[-1] == "letters: texts: 3 of 3"
    horae.encode_texts(["a"], Letters(), cache=False)
    assert capsys.readouterr().err == ""
