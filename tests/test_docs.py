"""The docs are in step with the code: what is made is made anew and compared, what is written is checked and run."""

import ast
import importlib
import inspect
import json
import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer.main
from benchmarks.__main__ import CLAIMS

import horae
from horae.cli import app
from horae.data.simulate import ShopSettings
from horae.evaluation.protocol import Evaluation
from horae.evaluation.words import GLOSSARY
from horae.models.encoders import ENCODERS
from horae.models.opponents import OPPONENTS
from horae.recipe import recipe_names

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))  # as `python docs/generate.py` has it
generate = importlib.import_module("generate")
verbs = importlib.import_module("making.command_line").verbs
openapi = importlib.import_module("making.http").openapi
FIGURES = importlib.import_module("making.results").FIGURES
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]
TRANSLATED = {
    "README.zh-CN.md": "README.md",
    "docs/zh/quickstart.md": "docs/quickstart.md",
    "docs/zh/own-log.md": "docs/own-log.md",
    "docs/zh/series.md": "docs/series.md",
    "docs/zh/features.md": "docs/features.md",
    "docs/zh/content.md": "docs/content.md",
    "docs/zh/cold-start.md": "docs/cold-start.md",
    "docs/zh/missing-values.md": "docs/missing-values.md",
    "docs/zh/forecasts.md": "docs/forecasts.md",
    "docs/zh/rhythm.md": "docs/rhythm.md",
    "docs/zh/anomalies.md": "docs/anomalies.md",
    "docs/zh/strategies.md": "docs/strategies.md",
    "docs/zh/large-models.md": "docs/large-models.md",
}
PUBLISHED = [*PAGES, *(ROOT / "examples").glob("*.py"), *DOCS.rglob("*.py"), ROOT / "CITATION.cff"]
MACHINE = re.compile(r"(?<![\w.:/])(/(work|home|root|Users|mnt|opt|var)/|[A-Z]:\\)")
ROOT_COMMAND = typer.main.get_command(app)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> list[str]:
    found = re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"))
    return [text for language, text in found if language in languages]


@pytest.fixture(scope="module")
def pages() -> dict[Path, str]:
    return generate.pages()


# --- what is made ---


def test_pages_that_are_made_are_in_step(pages: dict[Path, str]):
    stale = [name_of(path) for path, text in pages.items() if path.read_text(encoding="utf-8") != text]
    assert not stale, f"run: python docs/generate.py ({', '.join(stale)})"


def test_every_verb_and_option_is_in_the_reference():
    page = text_of("docs/reference/cli.md")
    for name, command in verbs():
        _, _, section = page.partition(f"## horae {name}\n")
        section = section.partition("\n## ")[0]
        assert section, name
        for parameter in command.params:
            if parameter.opts[0].startswith("-") and parameter.opts[0] != "--debug":
                assert all(f"`{option}`" in section for option in parameter.opts), (name, parameter.opts)


def test_every_recipe_key_says_what_it_does():
    rows = re.findall(r"(?m)^\| (`\w+`) \|.*\| (.*?) \|$", text_of("docs/reference/recipes.md"))
    assert len(rows) > 50
    assert [key for key, doc in rows if not doc] == []


def test_every_public_name_is_in_the_reference():
    page = text_of("docs/reference/python.md")
    for name in horae.__all__:
        assert f"`horae.{name}`" in page or f"\n### {name}\n" in page, name


def test_every_error_is_in_the_reference():
    page = text_of("docs/reference/errors.md")
    for name in horae.errors.__all__:
        assert f"| `{name}` |" in page


def test_every_route_is_in_the_reference_and_shown_at_work():
    made, written = text_of("docs/reference/http.md"), text_of("docs/serving.md")
    for path, methods in openapi()["paths"].items():
        for method in methods:
            assert f"\n## {method.upper()} {path}\n" in made
        assert path in written


def test_every_claim_has_figures_and_a_row():
    assert set(FIGURES) <= set(CLAIMS)  # RESULTS.md shows the numbers of the others as they are
    page = text_of("docs/benchmarks.md")
    for claim in CLAIMS:
        assert f"| `{claim}` |" in page


# --- what is written ---


def test_every_model_and_recipe_has_its_row():
    page = text_of("docs/models.md")
    opponents = {name.replace("_", "-") for name in OPPONENTS}
    for name in (*OPPONENTS, *ENCODERS, *(name for name in recipe_names() if name not in opponents)):
        assert re.search(rf"(?m)^\| `{name}` \| .+ \| .+ \|$", page), name
    for name in recipe_names():
        assert f"`{name}`" in page, name


def test_every_metric_has_its_formula():
    page = text_of("docs/concepts/metrics.md")
    folder = Path(inspect.getfile(horae)).parent / "evaluation" / "metrics"
    files = {file.stem for file in folder.glob("*.py")} - {"__init__", "ranks", "pointwise_auc"}
    assert files == set(GLOSSARY) | {"accuracy", "log_loss"}
    for name in sorted(files):
        assert re.search(rf"(?m)^\| `{name}(@k)?` \| .*`.+`.* \| .+ \|$", page), name


def test_every_key_of_an_evaluation_is_told():
    page = text_of("docs/concepts/evaluation.md")
    keys = re.findall(r'(?m)^            "(\w+)":', inspect.getsource(Evaluation.as_dict))
    assert len(keys) > 10
    for key in keys:
        assert f"`{key}`" in page, key


def test_every_file_of_a_run_is_told():
    from horae.recommend import run

    page = text_of("docs/concepts/flow.md")
    for file in re.findall(r"(?m)^    ([\w.]+\.\w+)  ", run.__doc__ or ""):
        assert f"| `{file}` |" in page, file


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_a_readme_is_short_and_names_every_extra(name: str):
    assert len(text_of(name).splitlines()) <= 200
    for extra in tomllib.loads(text_of("pyproject.toml"))["project"]["optional-dependencies"]:
        assert f"| `{extra}` |" in text_of(name)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_tree_names_every_room_and_nothing_that_is_not_there(name: str):
    package = ROOT / "src" / "horae"
    tree = next(block for block in blocks(ROOT / name, "text") if block.startswith("src/horae/"))
    named = set(re.findall(r"[\w/]+(?:\.py|/)", tree)) - {"src/horae/"}
    there = {entry.name + "/" * entry.is_dir() for entry in package.rglob("*")}
    assert {one for one in named if one.rstrip("/").rpartition("/")[2] + "/" * one.endswith("/") not in there} == set()
    rooms = {f"{entry.name}/" for entry in package.iterdir() if entry.is_dir() and not entry.name.startswith("_")}
    assert rooms <= named
    spine = {"schema.py", "store.py", "history.py", "batch.py", "transformer.py", "recommender.py", "loop.py"}
    assert set(re.findall(r"(?m)^\*\s+([\w.]+)", tree)) == spine


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


def without_code(text: str) -> str:
    return re.sub(r"(?ms)^```.*?^```$|`[^`\n]*`", "", text)


def anchors(text: str) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", PUBLISHED, ids=name_of)
def test_no_file_names_a_path_of_some_machine(file: Path):
    assert MACHINE.search(file.read_text(encoding="utf-8")) is None


def test_pictures_are_small_and_shown():
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for picture in (DOCS / "pictures").iterdir():
        assert picture.stat().st_size < 300_000 and f"pictures/{picture.name}" in shown


def test_json_on_the_pages_is_json():
    for page in PAGES:
        for block in blocks(page, "json"):
            json.loads(block)


# --- commands ---


def commands(text: str) -> list[list[str]]:
    """Every `horae ...` of a piece of shell, as its arguments."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars="|&;<>")
        lexer.commenters, lexer.whitespace_split = "", True
        segment: list[str] = []
        for token in [*lexer, ";"]:
            if set(token) <= set("|&;<>") or token.startswith("#"):
                while segment and re.match(r"^[A-Z_]+=", segment[0]):
                    segment.pop(0)
                if segment and segment[0] == "horae":
                    found.append(segment[1:])
                segment = []
                if token.startswith("#"):
                    break
            else:
                segment.append(token)
    return found


def verb_of(arguments: list[str]) -> tuple[Any, list[str]]:
    command, rest = ROOT_COMMAND, list(arguments)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"horae {' '.join(arguments)}: no verb {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_blocks_can_be_typed(page: Path):
    for block in blocks(page, "console", "bash", "sh"):
        for arguments in commands(block):
            command, rest = verb_of(arguments)
            assert not hasattr(command, "commands"), arguments
            command.make_context("horae", rest)


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_commands_in_sentences_name_verbs_and_options_that_exist(page: Path):
    for text in re.findall(r"`(horae [a-z][^`\n]*)`", page.read_text(encoding="utf-8")):
        for arguments in commands(text.partition(" | ")[0]):
            command, rest = verb_of(arguments)
            known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}
            options = {one for one in rest if one.startswith("--")} - {"--install-completion"}
            assert options <= known, text


def test_extras_in_install_lines_exist():
    known = tomllib.loads(text_of("pyproject.toml"))["project"]["optional-dependencies"]
    for page in PAGES:
        for extras in re.findall(r"(?:horae|\.)\[([\w,]+)\]'?", page.read_text(encoding="utf-8")):
            assert set(extras.split(",")) <= set(known), (name_of(page), extras)


# --- Python ---


@pytest.fixture(scope="module")
def small_log() -> pl.DataFrame:
    """A simulated log whose ids are those of the pages: u1, i7."""
    shop = horae.simulate(ShopSettings(users=30, items=16, events=600, days=120, categories=3), seed=5)
    ids = [pl.col(name).str.replace(r"^([ui])0*(\d)", "$1$2") for name in ("user_id", "item_id")]
    return shop.frame.with_columns(ids)


PROGRAMS = [page for page in WRITTEN if blocks(page, "python") and name_of(page) not in TRANSLATED]


@pytest.mark.parametrize("page", PROGRAMS, ids=name_of)
def test_python_on_a_page_runs_from_top_to_bottom(page: Path, small_log: pl.DataFrame, tmp_path: Path, monkeypatch):
    small_log.write_csv(tmp_path / "events.csv")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, name_of(page), "exec"), names)


@pytest.mark.parametrize(("translation", "original"), TRANSLATED.items())
def test_a_translation_shows_the_same_programs_and_commands(translation: str, original: str):
    def programs(name: str) -> list[str]:
        return [ast.dump(ast.parse(block)) for block in blocks(ROOT / name, "python")]

    def typed(name: str) -> list[list[str]]:
        return [command for block in blocks(ROOT / name, "console") for command in commands(block)]

    assert programs(translation) == programs(original)
    assert typed(translation) == typed(original)
