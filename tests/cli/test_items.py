"""`horae items add`: the run folder is updated, all or nothing, and its reports stay."""

import polars as pl
import pytest

import horae as package
from horae.recommend.run import update, verify
from tests.recommend.test_adding import CATALOG, HASHED, LOG, NEW, QUIET, SMALL


@pytest.fixture
def run(tmp_path):
    made = package.train(LOG, "text-sasrec", overrides=[*SMALL, *HASHED], catalog=CATALOG, options=QUIET)
    made.save(tmp_path / "run")
    update(tmp_path / "run", {"report.html": "<p>a report</p>"})
    return tmp_path / "run"


def test_new_items_are_in_the_run_from_then_on(horae, run, tmp_path):
    NEW.write_csv(tmp_path / "new.csv")
    assert "2 items added, 0 changed, 0 there already" in horae("items", "add", run, tmp_path / "new.csv").out
    verify(run)
    assert (run / "report.html").read_text() == "<p>a report</p>"
    listed = horae("recommend", run, "--history", "n1", "-k", "13", "--json").json
    assert "n2" in str(listed)
    told = horae("items", "add", run, tmp_path / "new.csv", "--json").json
    assert (told["added"], told["kept"], told["items"]) == ([], 2, 14)


def test_a_bad_row_leaves_the_run_as_it_was(horae, run, tmp_path):
    before = (run / "manifest.json").read_bytes()
    pl.DataFrame({"item_id": ["n1", "n2"], "title": ["shoe", None]}).write_csv(tmp_path / "new.csv")
    assert "'n2'" in horae("items", "add", run, tmp_path / "new.csv", code=3).err
    assert (run / "manifest.json").read_bytes() == before
    assert "give a table" in horae("items", "add", run, code=2).err.lower()
