"""What makes a verb of a function: its groups of options laid side by side, and `--debug`.

    @verb
    def describe(events: Log, reading: Reading = Reading(), json_: Json = False) -> None: ...

Options that belong together are written once, as a dataclass. In: a function whose parameters are annotated options, or
dataclasses of them. Out: the same function, as typer wants to see it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from inspect import Parameter
from typing import Annotated, Any, get_type_hints

import typer

from horae.cli.failures import want_traceback

__all__ = ["verb"]

Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", callback=want_traceback, show_default=False)
]


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """Replace each dataclass parameter by its fields; put the dataclass together again when the verb is called."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {}
    parameters: list[Parameter] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if is_dataclass(hints[name]):
            groups[name] = hints[name]
            parameters += _side_by_side(hints[name])
        else:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name]))
    parameters.append(Parameter("debug", Parameter.KEYWORD_ONLY, default=False, annotation=Debug))

    @functools.wraps(function)
    def called(**values: Any) -> None:
        values.pop("debug", None)
        for name, group in groups.items():
            values[name] = group(**{f.name: values.pop(f.name) for f in fields(group)})
        function(**values)

    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called


def _side_by_side(group: Any) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(f.name, Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name]) for f in fields(group)
    ]
