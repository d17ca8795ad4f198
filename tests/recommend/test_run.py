import json
import os
import signal
import subprocess
import sys
import time

import pytest

import horae
from horae.errors import HoraeError, RunError, StoreError
from horae.recommend.run import update, verify


@pytest.fixture
def run(recommender, tmp_path):
    return recommender.save(tmp_path / "run")


def test_a_loaded_run_answers_as_before(recommender, run):
    again = horae.load(run)
    asked = {"users": ["u0001", "stranger"], "k": 6}
    assert again.recommend(**asked).frame.equals(recommender.recommend(**asked).frame)
    assert again.recipe == recommender.recipe
    assert again.include_seen == recommender.include_seen and again.calibration == recommender.calibration
    assert again.split.part.equals(recommender.split.part)
    assert str(again.events.report) == str(recommender.events.report)


def test_the_folder_holds_what_the_design_says_and_no_pickle(run):
    names = {entry.name for entry in run.iterdir()}
    assert names >= {
        "recipe.toml", "weights.safetensors", "vocabulary.parquet", "events.parquet", "split.json", "card.json",
        "log.jsonl", "manifest.json",
    }  # fmt: skip
    assert not list(run.parent.glob(".run*"))


def test_without_events_it_still_answers_histories(recommender, tmp_path):
    run = recommender.save(tmp_path / "light", events=False)
    again = horae.load(run)
    assert again.events is None and not (run / "events.parquet").exists()
    histories = [["i003", "i004"]]
    assert again.recommend(histories=histories).frame.equals(recommender.recommend(histories=histories).frame)


@pytest.mark.parametrize("name", ["weights.safetensors", "recipe.toml", "vocabulary.parquet", "card.json"])
def test_a_damaged_file_is_refused_by_name(run, name):
    with (run / name).open("r+b") as stream:
        stream.truncate(max(1, (run / name).stat().st_size - 3))
    with pytest.raises(RunError, match=name):
        horae.load(run)
    (run / name).unlink()
    with pytest.raises(RunError, match=f"{name} is missing"):
        horae.load(run)


def test_no_run_a_broken_manifest_and_a_newer_format_are_told_apart(run, tmp_path):
    with pytest.raises(RunError, match="There is no run"):
        horae.load(tmp_path / "nowhere")
    (tmp_path / "mine").mkdir()
    with pytest.raises(RunError, match="is not a run"):
        horae.load(tmp_path / "mine")
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(RunError, match="newer Horae"):
        horae.load(run)
    (run / "manifest.json").write_text("{")
    with pytest.raises(RunError, match=r"manifest.json is damaged"):
        horae.load(run)


def test_an_existing_run_is_not_replaced_unless_asked(recommender, run):
    with pytest.raises(RunError, match="exists already"):
        recommender.save(run)
    recommender.save(run, overwrite=True)
    verify(run)


def test_a_folder_that_is_no_run_is_never_replaced(recommender, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="not a run"):
        recommender.save(tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_an_update_replaces_files_and_keeps_the_rest(run):
    before = verify(run)["files"]
    update(run, {"report.html": "<p>new</p>"})
    after = verify(run)["files"]
    assert (run / "report.html").read_text() == "<p>new</p>"
    assert {k: v for k, v in after.items() if k != "report.html"} == before


def test_storage_that_refuses_is_a_store_error_and_leaves_nothing(recommender, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("horae.recommend.run.os.fsync", full)
    with pytest.raises(StoreError, match="disk is full"):
        recommender.save(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys, horae
from pathlib import Path
recommender = horae.load(sys.argv[1])
print("ready", flush=True)
while True:
    recommender.save(Path(sys.argv[1]), overwrite=True)
"""


def test_killed_while_replacing_a_run_the_run_is_whole(run):
    for wait in (0.05, 0.11, 0.23):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(run)], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline().strip() == "ready"
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        verify(run)


def test_a_device_is_chosen_or_refused_in_words(run):
    assert horae.load(run, device="auto").device.type in ("cpu", "cuda")
    for name in ("toaster", "cuda:99"):
        with pytest.raises(HoraeError, match=name):
            horae.load(run, device=name)


def test_an_update_works_where_files_cannot_have_a_second_name(run, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("horae.recommend.run.os.link", refuse)
    update(run, {"report.html": "<p>new</p>"})
    verify(run)


def test_what_a_killed_writer_left_is_swept_away(recommender, run):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, alive = (run.parent / f".run.writing-{process}" for process in (gone.pid, os.getppid()))
    for folder in (left, alive):
        folder.mkdir()
    recommender.save(run, overwrite=True)
    assert not left.exists() and alive.exists()


def test_a_manifest_that_leaves_out_a_needed_file_is_refused(run):
    manifest = json.loads((run / "manifest.json").read_text())
    del manifest["files"]["split.json"]
    (run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=r"split\.json"):
        verify(run)


def test_an_update_that_is_refused_names_its_files_and_leaves_the_run(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = verify(run)
    monkeypatch.setattr("horae.recommend.run._sync", full)
    with pytest.raises(StoreError, match=r"report\.html in .* was not written"):
        update(run, {"report.html": "<p>new</p>"})
    assert verify(run) == before and [entry.name for entry in run.parent.iterdir()] == ["run"]
