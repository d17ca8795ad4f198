import importlib
import subprocess
import sys

import horae


def test_the_public_names_are_exactly_what_can_be_had():
    assert sorted(horae.__all__) == sorted(set(horae.__all__))
    for name in horae.__all__:
        assert getattr(horae, name) is not None
    assert set(dir(horae)) == set(horae.__all__)
    assert set(horae._HOME) == set(horae.__all__) - {"__version__"}


def test_importing_horae_loads_neither_torch_nor_polars():
    code = "import sys, horae; print(sorted({'torch', 'polars', 'numpy', 'rich', 'typer'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_packages_are_nouns_and_verbs_are_functions():
    for verb in ("train", "evaluate", "compare", "load", "read_events", "simulate", "describe"):
        assert callable(getattr(horae, verb))
    importlib.import_module("horae.training.train")
    importlib.import_module("horae.evaluation.protocol")
    assert callable(horae.train) and callable(horae.evaluate)
