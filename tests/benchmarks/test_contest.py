"""Sides in turn, medians, ratios; and what stands where no environment was made."""

import importlib
from pathlib import Path

import pytest
from benchmarks.__main__ import CLAIMS, main
from benchmarks.peers import environments
from benchmarks.peers.contest import in_turn, ratios, spread
from benchmarks.peers_quality import reaches

from benchmarks import record


def test_sides_run_in_turn():
    order: list[str] = []

    def side(name: str):
        return lambda: (order.append(name), {"cpu_seconds": 1.0})[1]

    in_turn({name: side(name) for name in "ABC"}, 2)
    assert "".join(order) == "ABCABC"


def test_a_ratio_is_of_medians_with_its_extremes():
    told = {"horae": [{"s": 1.0}, {"s": 2.0}, {"s": 4.0}], "peer": [{"s": 10.0}, {"s": 12.0}, {"s": 30.0}]}
    assert ratios(told, "s")["peer"] == {"ratio": 6.0, "low": 2.5, "high": 30.0}
    more = {"horae": [{"s": 30.0}], "peer": [{"s": 10.0}]}
    assert ratios(more, "s", more_is_better=True)["peer"]["ratio"] == 3.0


def test_a_spread_keeps_what_is_no_number():
    told = [{"s": 3.0, "steps": [1]}, {"s": 1.0, "steps": [2]}, {"s": 2.0, "steps": [3]}]
    assert spread(told) == {"s": {"min": 1.0, "median": 2.0, "max": 3.0}, "steps": [3]}


def test_quality_is_reached_at_the_first_epoch_that_has_it():
    points = [{"cpu_seconds": 10.0 * n, "validation_ndcg@10": q} for n, q in enumerate([0.1, 0.3, 0.2, 0.4], start=1)]
    assert reaches(points, 0.3) == 20.0
    assert reaches(points, 0.35) == 40.0
    assert reaches(points, 0.5) is None


def test_a_peer_without_an_environment_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HORAE_PEERS", str(tmp_path))
    with pytest.raises(SystemExit, match="peers-setup replay"):
        environments.python("replay")
    with pytest.raises(SystemExit, match=r"known: .*rectools"):
        environments.python("nobody")


def test_a_peer_that_needs_a_newer_python_is_refused_without_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HORAE_PEERS_PYTHON", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match=r"needs Python 99\.1"):
        environments._python_for("lenskit", "# python >= 99.1\nlenskit")


@pytest.mark.parametrize("name", environments.PEERS)
def test_every_peer_is_pinned(name: str):
    lines = (environments.HERE / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins and all("==" in line or line == "torch>=2.9,<2.14" for line in pins)


def test_the_list_names_every_claim_and_peer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["benchmarks", "list"])
    main()
    shown = capsys.readouterr().out
    assert all(name in shown for name in (*CLAIMS, *environments.PEERS))
    assert all((Path(record.__file__).parent / f"{name}.py").exists() for name in CLAIMS)


def test_a_result_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    record.write("start", {"seconds": 1.0}, "0" * 40)
    before = (tmp_path / "start.json").read_text()
    with pytest.raises(ValueError, match="not JSON compliant"):
        record.write("start", {"seconds": float("nan")}, "0" * 40)
    assert (tmp_path / "start.json").read_text() == before


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_can_be_started(claim: str):
    assert callable(importlib.import_module(f"benchmarks.{claim}").measure)
