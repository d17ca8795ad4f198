import unicodedata

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from horae.errors import DataError
from horae.features.content.texts import coverage, plain_text, text_columns, texts_of

SPOKEN = ["sofa", "Größe", "français", "español", "Привет", "你好世界", "こんにちは", "안녕하세요", "สวัสดี", "مرحبا"]


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("", ""),
        (None, ""),
        (float("nan"), ""),
        ("  a\t b\r\nc ", "a b c"),
        ("<p>Soft &amp; <b>warm</b></p>", "Soft & warm"),
        ("&lt;b&gt;bold&lt;/b&gt; 5 &lt; 6", "bold 5 < 6"),
        ("a<script>alert('x')</script>b<!-- note -->c", "a b c"),
        ("a<!-- never closed", "a"),
        ("x < 5 and y", "x < 5 and y"),
        ("Beauty>Makeup>Nails|Beauty>Tools", "Beauty, Makeup, Nails, Tools"),
        (["b", "a", None, "b"], "b, a"),
        ([["A>B"], "C"], "A, B, C"),
        ("ＦＵＬＬ ﬁt", "FULL fit"),
        ("zero\u200bwidth\x00nul\ufeff", "zero width nul"),
        ("CafÃ© crÃ¨me", "Café crème"),
        ("Café crème".encode("latin-1"), "Café crème"),
        ("Café".encode(), "Café"),
        (1999, "1999"),
        ("lone \ud800 surrogate", "lone surrogate"),
    ],
)
def test_a_cell_becomes_plain_words(raw, plain):
    assert plain_text(raw) == plain


@pytest.mark.parametrize("word", SPOKEN)
def test_no_language_loses_a_letter(word):
    assert plain_text(f"<i>{word}</i>") == unicodedata.normalize("NFKC", word)


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "<!--" * 250_000, "<" * 1_000_000, "a>" * 500_000, "&amp;" * 200_000]
)
def test_a_megabyte_is_cut_and_takes_no_time(text):
    assert len(plain_text(text, 100)) <= 100


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_whatever_comes_what_goes_out_can_be_encoded(text):
    plain = plain_text(text, 50)
    assert len(plain) <= 50 and plain == " ".join(plain.split())
    assert not any(unicodedata.category(letter) == "Cc" for letter in plain)
    plain.encode()


CATALOG = pl.DataFrame(
    {
        "item_id": [1, 2, 3, 4],
        "title": ["Red <b>shoes</b>", "Blue shoes", "", None],
        "tags": [["a", "b"], ["Blue shoes"], [], None],
    }
)


def test_columns_are_joined_and_nothing_is_said_twice():
    assert texts_of(CATALOG, ["title", "tags"]) == ["Red shoes. a, b", "Blue shoes", "", ""]


def test_the_coverage_of_each_column_is_counted():
    title, tags = coverage(CATALOG, ["title", "tags"]).rows(named=True)
    assert (title["column"], title["items"], title["filled"], title["share"]) == ("title", 4, 2, 0.5)
    assert (title["distinct"], title["characters"], title["markup"], title["cut"]) == (2, 9.5, 1, 0)
    assert (tags["filled"], tags["distinct"], tags["markup"]) == (2, 2, 0)


def test_columns_are_found_by_their_usual_names_or_refused():
    assert text_columns(CATALOG, None) == ["title", "tags"]
    with pytest.raises(DataError, match="no column 'titel'") as raised:
        text_columns(CATALOG, ["titel"])
    assert "Did you mean title?" in raised.value.hint
    with pytest.raises(DataError, match="no column of text"):
        text_columns(CATALOG.select("item_id"), None)
