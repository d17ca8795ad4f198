"""The page says the answer first, shows the pictures, and takes its numbers from the document."""

import json
import re

import pytest
from tests.evaluation.backtest.drifting import judged

from horae.evaluation.backtest import figures
from horae.evaluation.backtest.report import backtest_page


@pytest.fixture(scope="module")
def document() -> dict:
    return {**judged().as_dict(), "run": "chain"}


def test_the_page_begins_with_the_answer_and_shows_every_picture(document) -> None:
    html = backtest_page(document, source="events.csv", commands=["horae evaluate chain --backtest"]).html()
    plain = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    lead = re.search(r'<p class="lead">(.*?)</p>', plain)
    assert lead is not None and lead[1] == document["answer"]
    assert html.count('class="spec"') == 5  # folds, three lead times, decay
    for said in ("Window after window", "How far ahead", "What is lost without retraining", "events.csv", "passed"):
        assert said in plain
    assert "horae evaluate chain --backtest" in plain and "within 30 days was not measured" in plain


def test_a_failed_audit_is_the_first_thing_said(document) -> None:
    failed = json.loads(json.dumps(document))
    failed["folds"][0]["leak_audit"]["passed"] = False
    failed["folds"][0]["leak_audit"]["findings"][0]["changed"] = 3
    html = backtest_page(failed).html()
    assert html.index("Do not use these numbers") < html.index('class="lead"')


def test_a_document_without_decay_or_intervals_makes_a_page(document) -> None:
    bare = json.loads(re.sub(r'"(low|high)": [-\d.e]+', r'"\1": null', json.dumps(document)))
    bare["decay"] |= {"rows": [], "retrain_every": None}
    bare["folds"] = bare["folds"][:1]
    assert "Window after window" in backtest_page(bare).html()


def test_the_picture_of_ages_has_the_loss_and_what_may_be_lost(document) -> None:
    figure = figures.by_age(document)
    points, limit, trend = figure["data"]
    assert points["x"] == [3, 6, 9, 12]  # days: windows of three
    assert points["y"] == [row["loss"]["mean"] for row in document["decay"]["rows"]]
    assert set(limit["y"]) == {0.05}
    slope = document["decay"]["loss_per_window"]["mean"]
    assert trend["y"][1] == pytest.approx(slope * trend["x"][1] / 3)


def test_marks_of_opponents_stand_where_they_are(document) -> None:
    row = document["lead_time"]["since_boundary"][0]
    figure = figures.by_lead(document["lead_time"]["since_boundary"], "ndcg@10", "chain")
    frozen = next(one for one in figure["data"] if one["name"] == "windowed popularity")
    own, minus = row["metrics"]["ndcg@10"]["mean"], row["against"]["recent_popularity"]["ndcg@10"]["difference"]
    assert frozen["y"][0] == pytest.approx(own - minus)
