"""A module imports only from lower layers; `serve` never imports `training`."""

import ast
from pathlib import Path

import pytest

import horae

PACKAGE = Path(horae.__file__).parent
LAYERS = (
    {"errors", "schema", "recipe", "page", "assets", "recipes"},
    {"data"},
    {"features"},
    {"sequences"},
    {"models"},
    {"recommend"},
    {"evaluation"},
    {"training", "serve"},
    {"forecasting", "explanations", "compression", "privacy", "scale"},
    {"cli"},
    {"__main__"},
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names if node.module == "horae"}
    return {name for name in found if name.startswith("horae.")}


FILES = sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_down(file: Path):
    own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imports(file):
        room = room_of(module)
        if room == own or room.startswith("__"):
            continue
        assert LEVEL[room] <= LEVEL[own] and not (LEVEL[room] == LEVEL[own] > 0), f"{own} imports {module}"


def test_every_room_has_a_layer():
    rooms = {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in FILES}
    assert rooms <= set(LEVEL)


def test_no_room_without_a_name():
    vague = {"utils", "common", "helpers", "manager", "core", "misc"}
    assert not vague & {part for file in FILES for part in (*file.parent.parts[-3:], file.stem)}


def test_nothing_below_serve_and_cli_reads_a_clock():
    for file in FILES:
        own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if own in ("serve", "cli"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            called = isinstance(node, ast.Call) and ast.unparse(node.func)
            assert called not in ("datetime.now", "datetime.utcnow", "time.time", "date.today"), file


def test_nothing_is_unpickled_and_nothing_swallowed():
    for file in FILES:
        text = file.read_text()
        assert "import pickle" not in text and "torch.load(" not in text and "allow_pickle=True" not in text, file
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None and ast.unparse(node.type) not in ("Exception", "BaseException"), file
