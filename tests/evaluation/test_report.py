"""The report says what the evaluation found, shows real people, and stands alone."""

import re
from dataclasses import replace

import polars as pl
import pytest
from tests.evaluation.shop import recommender, split

from horae.data.checks import describe
from horae.evaluation.examples import Example, examples_of
from horae.evaluation.protocol import Evaluation, evaluate
from horae.evaluation.report import report_page
from horae.evaluation.table import standing
from horae.evaluation.words import comparison, headline, interval

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    beside = {"popularity": recommender("popularity"), "ease": "too many items for it"}
    return evaluate(recommender(), split(), opponents=beside, bootstrap=100)


def html_of(judged: Evaluation, **more: object) -> str:
    from plotly.offline import get_plotlyjs

    card = {"run": "markov", "seed": 0, "versions": {"horae": "0.1.0"}, "training": {"epochs": 3}}
    page = report_page(card, judged.as_dict(), **more)  # type: ignore[arg-type]
    return page.html().replace(get_plotlyjs(), "")


def test_every_part_is_there(judged: Evaluation) -> None:
    log = [{"epoch": n, "loss": 3.0 / n, "validation": {"ndcg@10": 0.1 * n}} for n in (1, 2, 3)]
    html = html_of(
        judged,
        description=describe(split().events).as_dict(),
        history=log,
        examples=examples_of(recommender(), split()),
    )
    for heading in ("Beside simple methods", "Four people", "Where it is good", "New users and new items",
                    "Can a score be read", "Training", "The data", "Can these numbers be trusted", "All metrics",
                    "how to get this again"):  # fmt: skip
        assert heading in html
    assert "too many items for it" in html
    assert "horae evaluate RUN --json" in html
    assert "best in epoch 3" in html


def test_the_catalogs_holes_are_told(judged: Evaluation) -> None:
    message = "2 of 60 items have none that can be used"
    steps = [
        {
            "name": "text_missing",
            "kind": "warning",
            "rows": 2,
            "message": message,
            "examples": ["p12", EVIL],
            "hint": "",
        }
    ]
    card = {"run": "markov", "content": {"known": {"text": 58}, "report": {"steps": steps}}}
    html = report_page(card, judged.as_dict()).html()
    assert "What items say" in html and "items with text" in html and "2 of 60 items have none" in html
    assert EVIL not in html and "What items say" not in html_of(judged)


def test_a_failed_audit_stands_at_the_top(judged: Evaluation) -> None:
    failed = replace(judged, leak_audit=replace(judged.leak_audit, trained_on=7))
    html = html_of(failed)
    assert "Do not use these numbers" in html
    assert html.index("Do not use these numbers") < html.index('class="lead"')
    assert "Do not use these numbers" not in html_of(judged)


def test_titles_from_a_catalog_are_shown_as_text(judged: Evaluation) -> None:
    ids = recommender().items.all.to_list()
    titled = replace(recommender(), catalog=pl.DataFrame({"item_id": ids, "title": [EVIL] * len(ids)}))
    html = html_of(judged, examples=examples_of(titled, split(), count=2))
    assert EVIL not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_examples_tell_the_past_the_list_and_what_came() -> None:
    for one in examples_of(recommender(), split(), count=4):
        assert isinstance(one, Example)
        assert 0 < len(one.history) <= 8 and one.events >= len(one.history)
        assert len(one.listed) == 10
        assert {one.listed[n] for n in one.hits} == {one.came[n] for n in one.found}
        assert "day" in one.history[0]
    people = [one.user for one in examples_of(recommender(), split(), count=4)]
    assert len(set(people)) == 4
    assert people == [one.user for one in examples_of(recommender(), split(), count=4)]


def test_the_headline_speaks_of_a_hundred_cases(judged: Evaluation) -> None:
    text = headline(judged.as_dict())
    assert re.search(r"among the 10 items that markov recommended in \d+(\.\d)? of 100 cases \(between", text)


def test_the_comparison_goes_by_intervals() -> None:
    def document(low: float, high: float) -> dict[str, object]:
        difference = {"ndcg@10": {"difference": (low + high) / 2, "low": low, "high": high}}
        return {"metrics": {"ndcg@10": {}}, "against": {"popularity": difference}}

    assert "clearly ahead of popularity" in comparison(document(0.1, 0.2))
    assert "clearly behind popularity: use that instead" in comparison(document(-0.2, -0.1))
    assert "cannot tell" in comparison(document(-0.1, 0.1))
    assert standing(None) == "unknown"


def test_an_interval_without_width_shows_no_bounds() -> None:
    assert interval({"mean": 0.0, "low": 0.0, "high": 0.0}) == "0.000"
    assert interval({"difference": 0.1234, "low": 0.1, "high": 0.2}) == "0.123 (0.100 to 0.200)"
    assert interval({"mean": None, "low": None, "high": None}) == "–"


def test_the_page_is_the_same_each_time(judged: Evaluation) -> None:
    assert html_of(judged) == html_of(judged)
