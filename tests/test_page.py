"""A page is one file that works offline, shows every text as it is, and is the same each time."""

import json
import re
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from horae.errors import StoreError
from horae.page import Column, Page, number

EVIL = "<script>alert('1')</script> & \"q\" <img src=https://evil.example/x.png>"


def full_page() -> Page:
    page = Page(EVIL, EVIL)
    page.lead(EVIL)
    for _ in range(3):
        page.heading(EVIL)
    page.text(EVIL)
    page.bullets([EVIL])
    page.code(EVIL)
    page.warning(EVIL)
    page.callout(EVIL, "good")
    page.tiles([(EVIL, EVIL), ("n", 3, EVIL)])
    page.table([EVIL, "n"], [[EVIL, 1]], EVIL)
    page.columns(EVIL, [Column(EVIL, [EVIL], frozenset({0})), Column("none", [])])
    page.plot(go.Figure(go.Bar(x=[EVIL, "b"], y=[1, 2], name=EVIL, text=[EVIL, EVIL])), EVIL)
    page.plot(go.Figure(go.Scatter(x=np.array([1.0, 2.0]), y=np.array([2.0, float("nan")]))))
    return page


def without_plotly(html: str) -> str:
    from plotly.offline import get_plotlyjs

    return html.replace(get_plotlyjs(), "")


def test_every_text_is_escaped() -> None:
    own = without_plotly(full_page().html())
    assert "<script>alert" not in own
    assert "<img" not in own
    assert "&lt;script&gt;alert" in own


def test_nothing_is_loaded_from_the_network() -> None:
    page = full_page()
    own = without_plotly(page.html())
    assert not re.search(r"<(link|img|iframe|object|embed|script)\b[^>]*\b(src|href)\s*=", own)
    assert not re.search(r"(url\(|@import)", own)
    assert "default-src 'none'" in own
    assert not re.search(r'href="(?!#section-\d+")', own)


def test_the_plotly_bundle_is_there_once_and_only_with_a_plot() -> None:
    from plotly.offline import get_plotlyjs

    assert full_page().html().count(get_plotlyjs()) == 1
    plain = Page("plain")
    plain.text("no plot")
    assert len(plain.html()) < 20_000
    assert "<script" not in plain.html()


def test_the_same_calls_give_the_same_bytes() -> None:
    assert full_page().html() == full_page().html()


def test_plot_documents_are_json_without_markup() -> None:
    specs = re.findall(r'<script type="application/json" class="spec">(.*?)</script>', full_page().html())
    bar, line = (json.loads(spec) for spec in specs)
    assert bar["data"][0]["x"][0].startswith("&lt;script>")  # plotly reads markup; the page shows it as text
    assert bar["layout"]["yaxis"]["automargin"] is True
    assert "template" not in bar["layout"]
    assert line["data"][0]["type"] == "scatter"
    assert all("<" not in spec for spec in specs)


def test_what_the_caller_sets_in_a_layout_wins() -> None:
    page = Page("p")
    page.plot(go.Figure(layout={"hovermode": "x", "xaxis": {"automargin": False}}), height=200)
    spec = json.loads(re.findall(r'class="spec">(.*?)</script>', page.html())[0])
    assert spec["layout"]["hovermode"] == "x"
    assert spec["layout"]["xaxis"]["automargin"] is False
    assert spec["layout"]["height"] == 200


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (1234567, "1,234,567"), (0.123456, "0.1235"), (54321.7, "54,322"), (float("nan"), "–"),
     ("007", "007"), (True, "yes"), (False, "no"), (0, "0")],
)  # fmt: skip
def test_numbers_are_printed_for_readers(value: object, text: str) -> None:
    assert number(value) == text


def test_columns_of_figures_stand_right_and_texts_left() -> None:
    page = Page("p")
    page.table(["name", "n", "share"], [["a", 1, "+1.5%"], ["b", None, "–"]])
    assert '<th>name</th><th class="n">n</th><th class="n">share</th>' in page.html()


def test_a_short_page_has_no_contents_line() -> None:
    page = Page("p")
    page.heading("one")
    assert "<nav>" not in page.html()
    assert "<nav>" in full_page().html()


def test_write_leaves_one_whole_file(tmp_path: Path) -> None:
    path = full_page().write(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == full_page().html()
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_write_says_where_it_could_not(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="missing"):
        Page("p").write(tmp_path / "missing" / "report.html")
    (tmp_path / "file").touch()
    for place in (tmp_path, Path(), tmp_path / "file" / "report.html"):
        with pytest.raises(StoreError, match="Cannot write the page"):
            Page("p").write(place)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
