import numpy as np
import polars as pl
import pytest

from horae.errors import DataError, RecipeError
from horae.features.content.of_items import ItemContent, Reduction, content_of
from horae.features.content.settings import ContentSettings
from horae.features.content.vectors import read_vectors
from horae.sequences.vocabulary import Vocabulary

ITEMS = Vocabulary(pl.Series(["a", "b", "c", "d"]))
CATALOG = pl.DataFrame(
    {
        "item_id": ["b", "a", "x", "d"],
        "title": ["red wool scarf", "red wool hat", "blue jeans", ""],
        "launch_time": ["2024-01-01", None, "2024-02-01", "2024-03-01"],
    }
)
HASHED = ContentSettings(text="hashed", width=2)


def test_components_are_those_of_a_reference_and_equally_loud():
    rng = np.random.default_rng(0)
    whole = rng.standard_normal((200, 6)).astype(np.float32) @ np.diag([5, 4, 3, 2, 1, 0.5]).astype(np.float32)
    made = Reduction.fitted(whole, 3)
    z = made.of(whole)
    left, _, _ = np.linalg.svd(whole - whole.mean(axis=0), full_matrices=False)
    reference = left[:, :3] * np.sqrt(200) / np.sqrt(3)
    inside = np.abs(reference) < 2  # not cut off
    assert np.allclose(np.abs(z)[inside], np.abs(reference)[inside], atol=0.02)
    assert np.allclose(z.std(axis=0), 1 / np.sqrt(3), atol=0.02)


def test_one_odd_vector_is_cut_off():
    whole = np.zeros((100, 1), dtype=np.float32)
    whole[0] = 100.0
    assert Reduction.fitted(whole, 4).of(whole).max() == pytest.approx(4.0)


def test_vectors_stand_at_the_items_indices_and_holes_are_told():
    content = content_of(ITEMS, HASHED, CATALOG)
    assert content.known["text"].tolist() == [False, True, True, False, False]
    assert content.vectors["text"].shape[0] == 5 and not content.vectors["text"][[0, 3, 4]].any()
    assert str(content).startswith("Content known: text: 2 of 4 items")
    assert {step.name for step in content.report.steps} >= {"unknown_items", "text_missing"}


def test_saved_and_read_it_makes_the_same_of_a_new_item():
    content = content_of(ITEMS, HASHED, CATALOG)
    again = ItemContent.of_arrays(content.arrays(), content.as_dict())
    assert again.settings == content.settings and again.settings.columns == ("title",)
    fresh = pl.DataFrame({"item_id": ["new"], "title": ["red wool scarf"]})
    grown = again.grown(["new", "other"], again.encode(fresh))
    assert np.allclose(grown.vectors["text"][5], content.vectors["text"][2])  # b says the same
    assert grown.known["text"].tolist() == [False, True, True, False, False, True, False]
    assert content.num_items == 4 and grown.num_items == 6


def test_files_of_vectors_are_modalities_of_their_own(tmp_path):
    file = tmp_path / "sound.parquet"
    pl.DataFrame({"item_id": ["a", "c"], "sound": [[1.0, 0.0], [0.0, 1.0]]}).write_parquet(file)
    content = content_of(ITEMS, ContentSettings(vectors=(str(file),)), None)
    assert content.known["sound"].tolist() == [False, True, False, True, False]
    both = content_of(ITEMS, ContentSettings(text="hashed", vectors=(str(file),)), CATALOG)
    assert list(both.vectors) == ["text", "sound"]
    assert both.known_any().tolist() == [False, True, True, True, False]
    wide = read_vectors(pl.DataFrame({"item_id": ["n"], "sound": [[1.0, 0.0, 2.0]]}))
    with pytest.raises(DataError, match="3 numbers wide; the run's are 2"):
        both.grown(["n"], wide)


def test_a_catalog_of_other_items_or_none_is_refused_in_words():
    with pytest.raises(DataError, match="there is no catalog"):
        content_of(ITEMS, HASHED, None)
    with pytest.raises(DataError, match="nothing about any item of the log"):
        content_of(Vocabulary(pl.Series(["q"])), HASHED, CATALOG)
    assert content_of(ITEMS, ContentSettings(), CATALOG) is None


@pytest.mark.parametrize(
    "keys", [{"width": 0}, {"columns": ("title",)}, {"image_column": "photo"}, {"text": "hashed", "max_chars": 0}]
)
def test_impossible_settings_are_refused(keys):
    with pytest.raises(RecipeError, match=r"\[content\]"):
        ContentSettings(**keys)


def test_a_catalog_that_calls_everything_the_same_is_told_of():
    same = pl.DataFrame({"item_id": ["a", "b", "c"], "title": ["one and the same"] * 3})
    content = content_of(ITEMS, HASHED, same)
    assert content is not None and content.widths == {"text": 0}
    assert "the same text: it tells none of them apart" in str(content)
    assert [step.rows for step in content.report.steps if step.name == "text_alike"] == [3]
    different = content_of(ITEMS, HASHED, CATALOG)
    assert different is not None and "apart" not in str(different)
