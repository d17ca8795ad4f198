"""The page of verbs: each with its options and examples. In: the command line as typer holds it."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, get_args, get_origin

from making.markdown import code, drawing, table, type_text

__all__ = ["cli_page", "verbs"]


def cli_page() -> Iterator[str]:
    """Every verb with its options and examples."""
    import horae.cli.failures
    import horae.cli.output

    yield "# Command line"
    yield "`horae VERB --help` says the same. Results go to standard output, everything else to standard error."
    yield ""
    yield code(drawing(horae.cli.failures.__doc__ or ""), "text")
    yield "Every verb takes `--json` for one JSON document on standard output, and `--debug` for the traceback of an"
    yield "error. `horae --version` shows the version; `horae --install-completion` installs shell completion."
    yield ""
    for name, command in verbs():
        yield f"## horae {name}"
        yield ""
        yield inspect.cleandoc(command.help or "")
        yield ""
        yield code(f"horae {name} {' '.join(_usage(command))}".rstrip(), "text")
        rows = [_option(command, parameter) for parameter in command.params if "--debug" not in parameter.opts]
        yield table(("option", "value", "default", "what it does"), rows)
        examples = _examples(command)
        if examples:
            yield code(examples, "console")


def verbs() -> list[tuple[str, Any]]:
    """Every verb by its full name, without the groups."""
    import typer.main

    import horae.cli

    def below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield name, command
            return
        for child in command.list_commands(None):
            yield from below(f"{name} {child}".strip(), command.commands[child])

    return list(below("", typer.main.get_command(horae.cli.app)))


def _usage(command: Any) -> Iterator[str]:
    for parameter in command.params:
        if not parameter.opts[0].startswith("-"):
            yield str(parameter.metavar or parameter.name.upper())
        elif parameter.required:
            yield f"{_shortest(parameter.opts)} {parameter.metavar or parameter.name.upper()}"
    yield "[OPTIONS]"


def _shortest(names: Sequence[str]) -> str:
    return min(names, key=len)


def _option(command: Any, parameter: Any) -> tuple[str, str, str, str]:
    hint = _bare(command.callback.__annotations__[parameter.name])
    names = " ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    if not parameter.opts[0].startswith("-"):
        names = f"`{parameter.metavar or parameter.name.upper()}`"
    value = "" if hint is bool or not names.startswith("`-") else str(parameter.metavar or type_text(hint))
    said = re.search(r"\s*\[default: (.*?)\]", parameter.help or "")
    default = said[1] if said else _default(parameter)
    return names, value and f"`{value}`", default, re.sub(r"\s*\[default: .*?\]", "", parameter.help or "")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    shown = parameter.default is not None and parameter.default is not False
    return f"`{parameter.default}`" if shown else ""


def _bare(hint: Any) -> Any:
    hint = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(hint) in (types.UnionType, typing.Union):
        return next(option for option in get_args(hint) if option is not type(None))
    return hint


def _examples(command: Any) -> str:
    text = (command.epilog or "").replace("\b", "").strip("\n")
    lines = [line for line in text.splitlines() if line.strip() and line.strip() != "Examples:"]
    return inspect.cleandoc("\n".join(lines)) if lines else ""
