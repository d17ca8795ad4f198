"""What the pages of results do with what benchmarks wrote."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"
sys.path.insert(0, str(DOCS))
generate = importlib.import_module("generate")
results = importlib.import_module("making.results")
results_page = importlib.import_module("making.results_page")
picture = importlib.import_module("making.picture")

MACHINE = {"cpu": "Some CPU", "cores": 2, "memory_gib": 8.0, "python": "3.11.7", "torch": "2.13.0"}
WHOLE = {
    "claim": "simulate",
    "command": "python -m benchmarks simulate",
    "commit": "0123456789abcdef",
    "machine": MACHINE,
    "threads": 1,
    "runs": [{"seed": 0}, {"seed": 3}],
    "seconds": {"min": 1.0, "median": 1.25, "max": 2.0},
}


def written(folder: Path, document: Any, name: str = "simulate") -> Path:
    file = folder / f"{name}.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (json.dumps(WHOLE)[:60], "expected JSON"),
        ("", "expected JSON"),
        ("[1, 2]", "expected an object, got list"),
        ({name: value for name, value in WHOLE.items() if name != "commit"}, "no commit"),
        ({**WHOLE, "claim": "start"}, "it is the result of 'start'"),
    ],
)
def test_a_result_that_is_not_whole_names_its_file_and_what_to_do(tmp_path: Path, document: Any, said: str):
    file = written(tmp_path, document)
    with pytest.raises(results.BrokenResultError, match=said) as raised:
        results.result_of(file)
    message = str(raised.value)
    assert "benchmarks/results/simulate.json" in message
    assert "python -m benchmarks simulate" in message and "git checkout" in message


def test_a_result_without_the_figures_that_are_shown_is_broken_too(tmp_path: Path):
    for seconds in (None, {"median": "fast"}):
        written(tmp_path, {**WHOLE, "seconds": seconds})
        with pytest.raises(results.BrokenResultError, match=r"simulate\.json"):
            list(results_page.results_page(tmp_path))


def test_generate_writes_nothing_when_a_result_is_broken(tmp_path: Path, monkeypatch, capsys):
    written(tmp_path, "{")
    monkeypatch.setattr(generate, "RESULTS", tmp_path)
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(generate, "results_page", lambda: results_page.results_page(tmp_path))
    monkeypatch.setattr(sys, "argv", ["generate.py"])
    assert generate.main() == 3
    assert "simulate.json" in capsys.readouterr().err


def test_the_page_says_where_each_figure_comes_from(tmp_path: Path):
    written(tmp_path, WHOLE)
    page = "\n".join(results_page.results_page(tmp_path))
    assert "| simulate a shop's log of 1M events | 1.2 s | seconds |" in page
    for said in (
        "`python -m benchmarks simulate`",
        "commit 0123456789;",
        "2 cores, Some CPU",
        "1 thread;",
        "seeds 0, 3.",
    ):
        assert said in page


def test_a_claim_whose_figures_nobody_chose_shows_its_numbers(tmp_path: Path):
    written(tmp_path, {**WHOLE, "claim": "new", "deep": {"a": {"b": 0.123456, "runs": {"c": 1}}}}, "new")
    page = "\n".join(results_page.results_page(tmp_path))
    assert "| deep a b | 0.1235 |" in page and "| seconds median | 1.25 |" in page and "runs" not in page


def test_a_bar_stands_beside_the_figure_that_it_is_for():
    bar_of = importlib.import_module("making.bars").bar_of
    assert bar_of("ml100k_quality", "ml-100k, leave-one-out, SASRec: ndcg@10") == ("0.087", "0.100")
    assert bar_of("ml100k_quality", "something else") == ("", "")


def ratio(value: float) -> dict[str, float]:
    return {"ratio": value, "low": value / 2, "high": value * 2}


def test_the_fastest_peer_of_each_kind_is_the_one_named():
    sides = {
        "horae": {"epoch_cpu_seconds": {"min": 9.0, "median": 10.0, "max": 12.0}, "peak_memory_mb": {"median": 500}}
    }
    fast = {
        "a, as installed": ratio(9.0),
        "b, as installed": ratio(30.0),
        "b, tuned": ratio(4.0),
        "a, tuned": ratio(6.0),
    }
    one = {"sides": sides, "cpu_ratio": fast, "memory_ratio": {"a, as installed": ratio(2.0), "b, tuned": ratio(3.0)}}
    told = {what[0]: figure for what, figure in results.FIGURES["peers_training"]({"sets": {"Beauty": one}})}
    assert told["Beauty: ratio to the fastest peer as installed"] == "9.0x [4.5, 18.0] (a, as installed)"
    assert told["Beauty: ratio to the fastest peer tuned"] == "4.0x [2.0, 8.0] (b, tuned)"
    assert told["Beauty: peak memory of that training"] == "0.50 GB; leanest peer 2.0x [1.0, 4.0] (a, as installed)"


def curve(*values: float) -> dict[str, Any]:
    points = [{"cpu_seconds": 3.0 * 4**n, "validation_ndcg@10": value} for n, value in enumerate(values)]
    return {"points": points}


def test_the_picture_shows_every_curve_of_every_set_and_its_best():
    one = {"horae": [curve(0.05, 0.11, 0.10)], "peers": {"replay": curve(0.02, 0.03, 0.09), "rectools": curve(0.01)}}
    drawn = picture.quality_against_cpu({"sets": {"ml-100k": one, "a <set>": one}})
    tree = ElementTree.fromstring(drawn)
    lines = tree.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 6
    assert "a &lt;set&gt;" in drawn and "Horae: 0.1100 after 12 s" in drawn
    ends = [point.split(",") for point in lines[0].attrib["points"].split()]
    assert [float(x) for x, _ in ends] == sorted(float(x) for x, _ in ends)
    assert float(ends[1][1]) < float(ends[2][1]) < float(ends[0][1])  # the better, the higher: y counts from the top
    assert "prefers-color-scheme" in drawn


def test_a_page_links_the_picture_as_soon_as_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = tmp_path / "page.md"
    page.write_text("<!-- picture -->\nold\n<!-- /picture -->\n", encoding="utf-8")
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(results, "PICTURE", tmp_path / "images" / "a.svg")
    assert results.with_results(page, "en", short=True) == "<!-- picture -->\n<!-- /picture -->\n"
    monkeypatch.setattr(results, "SHORT", ())
    written(tmp_path, {**WHOLE, "claim": "peers_quality"}, "peers_quality")
    assert "](images/a.svg)" in results.with_results(page, "en", short=True)


def test_a_backtest_tells_its_gap_its_loss_and_how_long_a_model_may_serve():
    gap = {"difference": 0.02, "low": 0.01, "high": 0.03}
    run = {
        "backtest": {"folds": 8, "window": "7d"},
        "pooled": {
            "metrics": {"ndcg@10": {"mean": 0.25, "low": 0.2, "high": 0.3}},
            "against": {"recent_popularity": {"ndcg@10": gap}},
        },
        "decay": {
            "loss_per_window": {"mean": 0.022, "low": 0.017, "high": 0.027},
            "retrain_every": 2,
            "longer_untested": False,
        },
    }
    told = {what[0]: figure for what, figure in results.FIGURES["backtests"]({"sets": {"deskdrop": {"auto": run}}})}
    assert told == {
        f"deskdrop, 8 windows of 7d, `auto`: {what}": figure
        for what, figure in (
            ("ndcg@10, and against", "0.2500; recent_popularity +0.0200 [+0.0100, +0.0300]"),
            ("lost in each window", "2.2% [1.7%, 2.7%]"),
            ("windows a model may serve", "2"),
        )
    }
