"""Every example runs as it stands, offline, from any folder."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
SAYS = {
    "own_log.py": "leak audit passed: True",
    "compare_recipes.py": "Means over 3 folds",
    "unseen_people.py": "gives the same list",
    "cold_start.py": "1 item added, 0 changed, 0 there already",
    "serve_and_feedback.py": "'duplicates': 1",
    "transfer.py": "from the old shop: NDCG@10",
    "cross_domain.py": "Learned from both: 100% of the films",
}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_runs_and_says_what_it_promises(file: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(file), run_name="__main__")
    assert SAYS[file.name] in capsys.readouterr().out
    assert not list(tmp_path.iterdir()), "an example leaves nothing behind"


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_is_short_and_says_how_to_run_it(file: Path):
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert f"Run: python examples/{file.name}" in text
