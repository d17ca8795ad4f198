"""`horae compare` from the command line."""

import pytest

from tests.cli.conftest import SETTINGS


@pytest.fixture
def items(tmp_path):
    file = tmp_path / "items.csv"
    file.write_text(
        "item_id,title\n" + "".join(f"i{n:02},thing of kind {'abcdefghijklmno'[n] * 3}\n" for n in range(15))
    )
    return file


def test_recipes_with_content_stand_beside_others(horae, log, items):
    asked = ("--recipes", "popularity,content-neighbours", "--set", "content.text=hashed", "--catalog", items)
    document = horae("compare", log, *asked, "--json").json
    assert set(document["order"]) == {"popularity", "content-neighbours"}


def test_without_a_catalog_it_says_what_to_add(horae, log):
    ended = horae("compare", log, "--recipes", "markov,text-sasrec", *SETTINGS[:2], code=3)
    assert "--catalog items.csv" in " ".join(ended.err.split()) and "epoch" not in ended.err


def test_content_of_a_recipe_that_has_none_is_left_out(horae, log, items):
    """A width is for those that read content; alone beside others that do not, it says what is wrong."""
    content = ("--set", "content.text=hashed", "--set", "content.width=4")
    horae("compare", log, "--recipes", "popularity,content-neighbours", *content, "--catalog", items, "--json")
    ended = horae("compare", log, "--recipes", "popularity,markov", "--set", "content.width=4", code=2)
    assert "content" in ended.err and "no effect" in " ".join(ended.err.split())
