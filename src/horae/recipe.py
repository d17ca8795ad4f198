"""Recipes: TOML in, checked dataclasses out. An unknown key, a wrong type or an impossible value is an error here.

A recipe has five tables: `[data]` `[content]` `[model]` `[train]` `[recommend]`. Each room owns the dataclass of its
own table and asks `settings` to fill it; this module knows none of them. Not knowing them, it cannot tell a key without
effect: that is the business of whoever composes the parts (`horae.models.compose`). A sixth, `[tune]`, holds ranges for
keys of the others (`horae.training.tuning.ranges`); it makes no run, so no run keeps it.
"""

from __future__ import annotations

import difflib
import json
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from horae.errors import RecipeError

__all__ = ["Recipe", "load_recipe", "recipe_names", "settings", "to_toml"]

TABLES = ("data", "content", "model", "train", "recommend")
READ = (*TABLES, "tune")
Table = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Recipe:
    """A named recipe, as written: tables of plain values that the rooms have yet to check."""

    name: str
    about: str = ""
    data: Table = field(default_factory=dict)
    content: Table = field(default_factory=dict)
    model: Table = field(default_factory=dict)
    train: Table = field(default_factory=dict)
    recommend: Table = field(default_factory=dict)
    tune: Table = field(default_factory=dict)

    def with_overrides(self, overrides: Iterable[str]) -> Recipe:
        """Apply `train.epochs=5` style settings; values are TOML, bare words are text."""
        tables = {name: dict(getattr(self, name)) for name in READ}
        for override in overrides:
            path, equals, text = override.partition("=")
            table, dot, key = path.strip().partition(".")
            if not (equals and dot and key) or table not in tables:
                raise RecipeError(
                    f"--set {override!r} is not of the form table.key=value.",
                    hint=f"Tables are {', '.join(TABLES)}; for example --set train.epochs=5",
                )
            tables[table][key] = _value(text.strip())
        return Recipe(self.name, self.about, **tables)


def recipe_names() -> list[str]:
    """Names of the recipes that are installed with the package."""
    folder = resources.files("horae") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read an installed recipe by name, or a file by path.

    Raises:
        RecipeError: No such recipe, not TOML, or a table that recipes do not have.
    """
    name, text = _read(name_or_path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{name_or_path} is not valid TOML: {error}.", hint="Mend the line named above.") from error
    about = document.pop("about", "")
    name = document.pop("name", name)
    for key, value in document.items():
        if key not in READ or not isinstance(value, dict):
            raise RecipeError(
                f"{name_or_path} has {key!r} at its top; expected the tables {', '.join(READ)}.",
                hint=_nearest(key, READ),
            )
    return Recipe(name, about, **document).with_overrides(overrides)


def settings(cls: type[T], table: Table, where: str) -> T:
    """Fill a settings dataclass from a table, strictly.

    Args:
        cls: A dataclass whose fields are bool, int, float, str, Literal, optional of those, a tuple of them, or a
            dict of them by name.
        table: The recipe's table.
        where: The table's name for messages, such as `[train]`.

    Raises:
        RecipeError: A key that `cls` does not have, a value of another type, or one that `cls.__post_init__` refuses.
    """
    assert is_dataclass(cls)
    hints = get_type_hints(cls)
    known = [f.name for f in fields(cls)]
    for key in table:
        if key not in known:
            raise RecipeError(f"{where} has no key {key!r}.", hint=_nearest(key, known))
    values = {key: _typed(value, hints[key], f"{where} {key}") for key, value in table.items()}
    missing = [
        f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING and f.name not in values
    ]
    if missing:
        raise RecipeError(f"{where} needs the key {missing[0]!r}.", hint=f"Add {missing[0]} = ... to {where}.")
    return cls(**values)


def to_toml(tables: Mapping[str, Any]) -> str:
    """Write a resolved recipe: top-level text first, then tables (dataclasses or mappings) of plain values."""
    lines = [f"{key} = {_toml(value)}" for key, value in tables.items() if isinstance(value, str)]
    for name, table in tables.items():
        if isinstance(table, str):
            continue
        values = asdict(table) if is_dataclass(table) and not isinstance(table, type) else dict(table)
        lines += ["", f"[{name}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]
    return "\n".join(lines) + "\n"


def _read(name_or_path: str | Path) -> tuple[str, str]:
    path = Path(name_or_path)
    if path.suffix == ".toml" or (path.exists() and path.is_file()):
        try:
            return path.stem, path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"Cannot read the recipe {path}: {error}.", hint="Give a readable TOML file.") from error
    names = recipe_names()
    if str(name_or_path) == "auto":
        raise RecipeError(
            "'auto' is no recipe: it is chosen by what a log is like.",
            hint="`horae train EVENTS -o RUN --recipe auto` chooses one and says why; then name that one here.",
        )
    if str(name_or_path) not in names:
        raise RecipeError(
            f"There is no recipe {str(name_or_path)!r}.",
            hint=f"{_nearest(str(name_or_path), names)} Or give the path of a .toml file.",
        )
    return str(name_or_path), (resources.files("horae") / "recipes" / f"{name_or_path}.toml").read_text(
        encoding="utf-8"
    )


def _nearest(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    listed = ", ".join(sorted(known))
    return f"Did you mean {close[0]!r}? Known: {listed}." if close else f"Known: {listed}."


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _typed(value: Any, hint: Any, where: str) -> Any:
    """Check one value against its annotation; ints pass for floats, lists for tuples, TOML's dates for text."""
    origin = get_origin(hint)
    if origin is Literal:
        if value not in get_args(hint):
            raise RecipeError(
                f"{where} = {value!r} is not possible.", hint=f"One of {', '.join(map(repr, get_args(hint)))}."
            )
        return value
    if origin in (types.UnionType, typing.Union):
        options = [option for option in get_args(hint) if option is not type(None)]
        return _typed(value, options[0], where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise RecipeError(f"{where} = {value!r}: expected a list.", hint=f'Write {where.split()[-1]} = ["..."].')
        return tuple(_typed(element, get_args(hint)[0], where) for element in value)
    if origin is dict:
        if not isinstance(value, Mapping):
            name = where.split()[-1]
            raise RecipeError(f"{where} = {value!r}: expected a table.", hint=f"Write {name} = {{name = 1.0}}.")
        return {key: _typed(one, get_args(hint)[1], f"{where}.{key}") for key, one in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is str and isinstance(value, date):
        return value.isoformat()  # TOML knows dates, and so does --set data.earliest=2024-05-31
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise RecipeError(
            f"{where} = {value!r}: expected {hint.__name__}, got {type(value).__name__}.",
            hint=f"Give {where.split()[-1]} a value of type {hint.__name__}.",
        )
    return value


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items() if one is not None) + "}"
    if isinstance(value, tuple | list) and any(isinstance(element, Mapping) for element in value):
        return "[\n" + "".join(f"  {_toml(element)},\n" for element in value) + "]"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(element) for element in value) + "]"
    if isinstance(value, date):
        value = value.isoformat()
    return json.dumps(value, ensure_ascii=False)  # bool, number and text look the same in TOML
