import numpy as np
import polars as pl
import pytest

from horae.errors import DataError
from horae.features.content.attributes import attribute_vectors, attributes_of, encode_attributes
from horae.features.content.of_items import ItemContent, content_of
from horae.features.content.settings import ContentSettings
from horae.sequences.vocabulary import Vocabulary

CATALOG = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "categories": ["Sport>Shoes|Sport>Sale", " Sport > Shoes ", "Kitchen", None],
        "tags": [[7, 7, 9], [], None, None],
        "brand": ["Ånd & Co", "", "x > y", None],
    }
)


def test_levels_lists_and_plain_values_are_attributes_each_once():
    assert attributes_of(CATALOG, ["categories", "tags", "brand"]) == [
        ["categories=Sport", "categories=Shoes", "categories=Sale", "tags=7", "tags=9", "brand=Ånd & Co"],
        ["categories=Sport", "categories=Shoes"],
        ["categories=Kitchen", "brand=x", "brand=y"],
        [],
    ]
    with pytest.raises(DataError, match="no column 'tag'"):
        attributes_of(CATALOG, ["tag"])


def test_vectors_are_about_as_alike_as_the_rows_of_zeros_and_ones():
    rng = np.random.default_rng(0)
    whole = rng.random((40, 30)) < 0.2
    whole[:, 0] = True
    vector_NC = attribute_vectors([[f"a{place}" for place in np.flatnonzero(row)] for row in whole])
    rows = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    assert np.abs(vector_NC @ vector_NC.T - rows @ rows.T).max() < 0.2
    assert np.abs(vector_NC @ vector_NC.T - rows @ rows.T).mean() < 0.05
    assert not attribute_vectors([[]]).any()


def test_they_are_a_modality_and_a_new_item_comes_in_by_its_row():
    items = Vocabulary(pl.Series(["a", "b", "c", "d"]))
    content = content_of(items, ContentSettings(attributes=("categories",), width=2), CATALOG)
    assert content.known["attributes"].tolist() == [False, True, True, True, False]
    again = ItemContent.of_arrays(content.arrays(), content.as_dict())
    fresh = pl.DataFrame({"item_id": ["n"], "categories": ["Shoes>Sport"]})
    grown = again.grown(["n"], again.encode(fresh))
    assert np.allclose(grown.vectors["attributes"][5], content.vectors["attributes"][2], atol=1e-6)
    both = content_of(items, ContentSettings(text="hashed", columns=("brand",), attributes=("categories",)), CATALOG)
    assert list(both.vectors) == ["text", "attributes"]


def test_holes_are_told():
    made = encode_attributes(CATALOG, ["categories"])
    assert {step.name: step.rows for step in made.report.steps}["attributes_missing"] == 1
