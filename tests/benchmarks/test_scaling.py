"""The scaling study's arithmetic: what a law is fitted to, and what a loss is."""

import importlib
import math
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
import torch

import horae
from benchmarks import scaling
from horae.evaluation.validation import validation_cut
from horae.recommend.recommender import Recommender
from horae.schema import Events
from horae.training.train import made_out, untrained

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "docs"))
making = importlib.import_module("making.scaling")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def events() -> Events:
    rng = np.random.default_rng(0)
    user, time = np.repeat(np.arange(30), 12), 1_700_000_000 + rng.permutation(360) * 3600
    frame = pl.DataFrame({"user_id": user, "item_id": rng.integers(0, 9, 360), "timestamp": time})
    return horae.read_events(frame)


@pytest.fixture(scope="module")
def asked(events: Events) -> tuple[Recommender, scaling.Cut]:
    recipe, _, split = made_out(horae.split_by_time(events), "sasrec", ["model.dim=8", "model.max_len=5"])
    recommender = untrained(recipe, split, None, 0, torch.device("cpu"))
    recommender.model.eval()
    return recommender, validation_cut(split, limit=1000, seed=0)


def test_a_law_is_found_again():
    sizes = np.array([1e3, 4e3, 2e4, 9e4, 4e5])
    floor, factor, exponent = scaling.power_law(sizes, 5.5 + 12.0 * sizes**-0.4)
    assert floor == pytest.approx(5.5, abs=1e-6) and factor == pytest.approx(12.0) and exponent == pytest.approx(0.4)


def test_points_of_a_law_foretell_the_largest_and_leave_nothing_over():
    sizes = [100.0, 200.0, 400.0, 800.0]
    told = scaling.fitted(sizes, [5.0 + 3.0 * size**-0.5 for size in sizes])
    assert np.allclose(told["residuals"], 0, atol=1e-6) and not told["at_an_end"]
    assert told["without_largest"]["foretold"] == pytest.approx(told["without_largest"]["measured"], abs=1e-6)
    assert told["exponents"] == pytest.approx([0.5, 0.5])


def test_points_that_bend_no_more_are_said_to_be_at_an_end():
    assert scaling.fitted([1.0, 10.0, 100.0], [6.0, 5.0, 5.0])["at_an_end"]
    assert scaling.fitted([1.0, 10.0, 100.0], [5.0, 5.0, 6.0])["factor"] == 0.0  # what grows is no law of this kind


def test_a_network_that_knows_nothing_loses_the_logarithm_of_the_items(asked: tuple[Recommender, scaling.Cut]):
    recommender, cut = asked
    before = recommender.model.items.weight.detach().clone()
    with torch.no_grad():
        recommender.model.items.weight.zero_()
    nats = scaling.loss_of(recommender, cut)
    with torch.no_grad():
        recommender.model.items.weight.copy_(before)
    assert nats == pytest.approx(math.log(len(recommender.items)))


def test_the_loss_is_that_of_the_scores_which_the_recommender_gives(asked: tuple[Recommender, scaling.Cut]):
    recommender, cut = asked
    with torch.no_grad():
        recommender.model.items.weight[1:].mul_(50)
    items = recommender.items.all.to_list()
    told = recommender.score(cut.requests, [items] * len(cut))["score"].to_numpy().reshape(len(cut), -1)
    targets = cut.targets(recommender.items)
    request = np.repeat(np.arange(len(cut)), np.diff(targets.offsets))
    logged = told - np.log(np.exp(told.astype(np.float64)).sum(axis=1, keepdims=True))
    assert scaling.loss_of(recommender, cut) == pytest.approx(-logged[request, targets.item - 1].mean(), rel=1e-5)


def test_a_smaller_share_of_users_is_a_part_of_a_larger_one(events: Events):
    shares = [set(scaling.some_users(events, share).frame["user_id"]) for share in (0.125, 0.25, 0.5, 1.0)]
    assert [len(one) for one in shares] == [4, 8, 15, 30]
    assert all(small < large for small, large in pairwise(shares))


def test_runs_are_chosen_by_name_and_by_series():
    assert scaling.chosen("depth, width 8") == ["width 8", "depth 1", "depth 4"]
    assert len(scaling.chosen(",".join(scaling.RUNS))) == 12


def test_what_lacks_a_run_is_not_fitted():
    run = {"loss": 6.0, "weights": 10, "weights_without_items": 5, "events": 7}
    runs = {name: {**run, "events": 7 * 2**n, "loss": 6.0 + 0.5**n} for n, name in enumerate(scaling.SHARES)}
    told = scaling.told(runs)
    assert list(told["fits"]) == ["events"] and told["seeds"] == {"runs": 1, "sd": None}


def study(names: tuple[str, ...] = tuple(scaling.RUNS)) -> dict[str, Any]:
    """What `measure` gives, of losses that follow laws."""
    runs = {}
    for name in names:
        size = scaling.RUNS[name]
        weights, events = 3_500 * size.width, round(400_000 * size.share)
        loss = 5.5 + 200 * weights**-0.5 + 30 * events**-0.4 + 0.002 * size.seed
        curve = [[1, 7.0, loss + 0.5], [2, 6.0, loss], [3, 5.9, loss + 0.1]]
        within = 12 * size.depth * size.width**2
        runs[name] = {"loss": loss, "weights": weights + within, "weights_without_items": within, "events": events,
            "best_epoch": 2, "curve": curve, "ndcg@10": 0.1, "cpu_seconds": 100.0}  # fmt: skip
    return scaling.told(runs)


def test_the_picture_shows_every_width_and_every_law_within_its_panel():
    drawn = ElementTree.fromstring(making.scaling_picture(study()))
    assert len(drawn.findall(f".//{SVG}polyline")) == 5 + 2
    dots = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in drawn.iter(f"{SVG}circle")]
    assert len(dots) == 5 + 5 + 4
    assert all(making.LEFT <= x <= making.WIDTH and making.TOP <= y <= making.HEIGHT - making.BOTTOM for x, y in dots)
    by_width = dots[5:10]
    assert [x for x, _ in by_width] == sorted(x for x, _ in by_width)  # more weights stand further right ...
    assert [y for _, y in by_width] == sorted(y for _, y in by_width)  # ... and a lower loss lower


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_has_the_runs_and_the_laws_and_says_when_there_is_nothing(tmp_path: Path, language: str):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- scaling -->\nold\n<!-- /scaling -->\nafter\n", encoding="utf-8")
    whole = making.with_scaling(page, language, study())
    assert "\nold\n" not in whole and whole.startswith("before") and whole.endswith("after\n")
    assert all(f"| {name} |" in whole for name in scaling.RUNS) and whole.count("images/scaling.svg") == 1
    assert whole.count(" to " if language == "en" else " 至 ") >= 3 and "0.0020" in whole
    assert making.NOTHING[language] in making.with_scaling(page, language, None)


def test_a_part_of_the_runs_has_a_page_and_a_picture_too():
    part = study(("depth 1", "depth 4"))
    assert [what for (what, _), _ in making.scaling(part)] == ["ml-1m, `sasrec`, 2 runs: loss, nats an event"]
    assert ElementTree.fromstring(making.scaling_picture(part)).tag == f"{SVG}svg"
