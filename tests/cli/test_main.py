import subprocess
import sys
import time

import pytest

from tests.cli.conftest import start

VERBS = ("demo", "doctor", "train", "evaluate", "compare", "recommend", "serve")
GROUPS = {
    "data": ("describe", "convert", "split", "simulate", "fetch"),
    "runs": ("list", "show", "verify"),
    "recipes": ("list", "show"),
}
ALL = [(verb,) for verb in VERBS] + [(group, verb) for group, verbs in GROUPS.items() for verb in verbs]


def test_help_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['horae', '--help']\n"
        "from horae.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'polars', 'numpy', 'scipy', 'plotly', 'fastapi', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    fastest = 9.0
    for _ in range(3):
        started = time.perf_counter()
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        fastest = min(fastest, time.perf_counter() - started)
        assert ended.returncode == 0, ended.stderr
    assert fastest < 1.5  # 0.15 s on a quiet machine


def test_help_lists_every_verb_under_a_heading(horae):
    out = horae("--help").out
    assert [
        line for line in out.splitlines() if line.endswith(":") and line in ("Start:", "Logs:", "Models:", "Upkeep:")
    ]
    for verb in (*VERBS, *GROUPS):
        assert f"\n  {verb} " in out


@pytest.mark.parametrize("verb", ALL, ids=" ".join)
def test_each_verb_explains_itself_with_examples_in_80_columns(horae, verb):
    out = horae(*verb, "--help").out
    assert "--json" in out and "--debug" in out and "Examples:" in out and f"horae {' '.join(verb)}" in out
    before_examples = out[: out.index("Examples:")]
    assert max(len(line) for line in before_examples.splitlines()) <= 80


def test_version(horae):
    assert horae("--version").out.startswith("horae 0.")


def test_usage_errors_exit_with_2_and_leave_standard_output_empty(horae):
    for arguments in (
        ["nonsense"],
        ["train"],
        ["train", "x.csv"],
        ["recommend", "r", "-k", "0"],
        ["runs", "list", "--k"],
        ["train", "x.csv", "-o", "r", "--seed", "99999999999999999999"],
    ):
        ended = horae(*arguments, code=2)
        assert ended.out == "" and "Error:" in ended.err


def test_an_error_is_one_block_with_a_hint_and_no_traceback(horae):
    ended = horae("data", "describe", "missing.csv", code=3)
    assert ended.out == ""
    assert ended.err.splitlines()[0] == "error: There is no file missing.csv."
    assert ended.err.splitlines()[1].startswith("hint: ")
    assert "Traceback" not in ended.err


def test_debug_adds_the_traceback_and_keeps_the_code(horae):
    assert "Traceback" in horae("data", "describe", "missing.csv", "--debug", code=3).err


def test_a_reader_who_has_enough_is_no_error(log):
    with start("data", "convert", log, "-o", "-") as process:
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == 0
    assert "Traceback" not in told and "BrokenPipe" not in told


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_closed_standard_output_is_no_error(closed):
    ended = subprocess.run(
        f"{sys.executable} -m horae recipes list {closed}", shell=True, capture_output=True, text=True
    )
    assert ended.returncode == 0 and ended.stderr == ""


def test_an_error_of_our_own_says_so(tmp_path):
    code = "import horae.cli.doctor as d; d._machine = lambda: 1 / 0\nimport sys; sys.argv = ['horae', 'doctor']\n"
    ended = subprocess.run(
        [sys.executable, "-c", code + "from horae.cli import main; main()"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ended.returncode == 70
    assert "ZeroDivisionError" in ended.stderr and "Traceback" not in ended.stderr


def test_doctor_names_versions_device_and_extras(horae):
    found = horae("doctor", "--json").json
    assert {"horae", "python", "device", "threads", "cores", "memory_mb", "packages", "extras"} <= found.keys()
    assert found["packages"]["torch"]
    assert found["extras"]["serve"]["packages"].keys() >= {"fastapi", "uvicorn"}
    assert "device" in horae("doctor").out


def test_doctor_says_how_to_get_what_is_missing(horae, monkeypatch):
    from horae.cli import doctor

    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda package: None if package == "implicit" else real(package))
    extra = horae("doctor", "--json").json["extras"]["classic"]
    assert extra["missing"] == ["implicit"] and extra["install"] == "pip install 'horae[classic]'"
    assert "pip install 'horae[classic]'" in horae("doctor").out


def test_recipes_are_listed_and_shown_in_full(horae, tmp_path):
    names = [recipe["name"] for recipe in horae("recipes", "list", "--json").json["recipes"]]
    assert "sasrec" in names and "sasrec" in horae("recipes", "list").out
    mine = tmp_path / "mine.toml"
    mine.write_text(horae("recipes", "show", "sasrec", "--set", "model.dim=32").out)
    assert horae("recipes", "show", mine, "--json").json["model"]["dim"] == 32
