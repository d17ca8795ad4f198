"""The page of Python names: signatures and docstrings of the public names, and of what they take and return."""

from __future__ import annotations

import importlib
import inspect
import types
from collections.abc import Iterator
from typing import Any, Final

from making.markdown import code, markdown, one_line, shifted

__all__ = ["python_page"]

BESIDE: Final = {
    "DataSettings": "data.clean",
    "ShopSettings": "data.simulate",
    "Shop": "data.simulate",
    "Description": "data.checks",
    "Step": "schema",
    "DataReport": "schema",
    "ContentCache": "features.content.cache",
    "HashedEncoder": "features.content.hashed",
    "FolderEncoder": "features.content.folder",
    "Options": "training.options",
    "Choice": "training.choose",
    "SequencesBefore": "sequences.before",
    "Evaluation": "evaluation.protocol",
    "Decay": "evaluation.backtest.decay",
    "FeatureAudit": "evaluation.feature_audit",
    "Comparison": "training.compare",
    "SeriesTable": "forecasting.series.table",
}
"""What the public functions take and return, without being public names of `horae` themselves."""


def python_page() -> Iterator[str]:
    """The public names, then what they take and return."""
    import horae

    yield "# Python"
    yield "`import horae` is cheap: it loads neither torch nor polars until a name below is first used."
    yield ""
    names = [name for name in horae.__all__ if name != "__version__"]
    functions = [name for name in names if not inspect.isclass(getattr(horae, name))]
    tables = [n for n in names if n not in functions and not issubclass(getattr(horae, n), Exception)]
    yield "## Functions"
    yield ""
    for name in functions:
        yield from _callable(f"horae.{name}", getattr(horae, name), "###")
    yield "## Classes"
    yield ""
    for name in tables:
        yield from _class(f"horae.{name}", getattr(horae, name))
    yield "## What these take and return"
    yield ""
    for name, module in BESIDE.items():
        cls = getattr(importlib.import_module(f"horae.{module}"), name)
        yield from _class(f"horae.{module}.{name}", cls)
    yield "## Errors"
    yield ""
    yield "See [errors](errors.md): " + ", ".join(f"`horae.{n}`" for n in names if n not in (*functions, *tables)) + "."
    yield ""
    yield "`horae.__version__` is the version as text."


def _callable(name: str, function: Any, level: str) -> Iterator[str]:
    yield f"{level} {name.rpartition('.')[2]}"
    yield code(_signature(name, function), "python")
    yield markdown(inspect.getdoc(function) or "")
    yield ""


def _class(name: str, cls: type[Any]) -> Iterator[str]:
    yield f"### {cls.__name__}"
    yield code(_signature(name, cls), "python")
    yield markdown(inspect.cleandoc(cls.__doc__ or ""))
    yield ""
    members = {member: value for member, value in vars(cls).items() if not member.startswith("_")}
    told = (property, classmethod, types.FunctionType)
    if any(isinstance(value, told) for value in members.values()):
        yield "**Members**"
        yield ""
    for member, value in members.items():
        if isinstance(value, property):
            yield f"- **`.{member}`**: {one_line(inspect.getdoc(value) or '')}"
        elif isinstance(value, told):
            bound = getattr(cls, member)
            first, *more = (inspect.getdoc(bound) or "").split("\n\n", 1)
            signature = one_line(_signature(f".{member}", bound)).replace("( ", "(").replace(", )", ")")
            yield f"- **`{signature}`**: {one_line(first)}"
            if more:
                yield "\n" + shifted(markdown(more[0]), "  ")
    yield ""


def _signature(name: str, target: Any) -> str:
    parameters = [p for p in inspect.signature(target).parameters.values() if p.name != "self"]
    returns = "" if inspect.isclass(target) else _returns(target)
    said, keyword_only = [], False
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            if not any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
                said.append("*")
        said.append(_parameter(parameter))
    line = f"{name}({', '.join(said)}){returns}"
    if len(line) <= 100:
        return line
    return f"{name}(\n" + "".join(f"    {one},\n" for one in said) + f"){returns}"


def _returns(function: Any) -> str:
    hint = inspect.signature(function).return_annotation
    return "" if hint is inspect.Signature.empty else f" -> {_annotation(hint)}"


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = f"{stars}{parameter.name}"
    if parameter.annotation is not inspect.Parameter.empty:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is inspect.Parameter.empty:
        return text
    made = type(parameter.default).__name__ == "_HAS_DEFAULT_FACTORY_CLASS"
    default = getattr(parameter.default, "__name__", None) if callable(parameter.default) else None
    return f"{text} = {'...' if made else default or repr(parameter.default)}"


def _annotation(hint: Any) -> str:
    return hint if isinstance(hint, str) else inspect.formatannotation(hint)
