"""Which settings are searched, and between which values: a recipe's `[tune]` table, checked.

    [tune]
    "train.learning_rate" = {low = 3e-4, high = 3e-3, log = true}
    "model.num_layers" = {low = 1, high = 3}
    "model.dropout" = [0.1, 0.2, 0.3, 0.5]

In: a recipe. Out: its ranges, each end of which the recipe itself would accept. It knows neither Optuna nor data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from horae.errors import RecipeError
from horae.recipe import Recipe, settings
from horae.training.settings import filled

__all__ = ["FOR_NETWORKS", "Range", "Span", "ranges_of", "with_values"]

Value = bool | int | float | str

FOR_NETWORKS: Mapping[str, Any] = {
    "train.learning_rate": {"low": 3e-4, "high": 5e-3, "log": True},
    "train.weight_decay": [0.0, 0.001, 0.01, 0.1],
    "train.batch_tokens": [1024, 2048, 4096, 8192],
    "model.dropout": {"low": 0.1, "high": 0.6, "step": 0.1},
}
"""What is searched where a network's recipe declares nothing: what costs no more to run, whatever is chosen."""

NOT_SEARCHED: Mapping[str, str] = {
    "model.encoder": "it is another network, with other keys; compare recipes with `horae compare`",
    "model.opponent": "it is another method, with other keys; compare recipes with `horae compare`",
    "model.head": "what is foretold is the question, not a setting",
    "train.relearn": "a search never learns again: it stops where validation has spoken",
    "train.validation_requests": "it would change what the trials are judged by",
}


@dataclass(frozen=True)
class Span:
    """A range of numbers, both ends included; whole numbers where both ends are."""

    low: float = field(metadata={"doc": "The least value."})
    high: float = field(metadata={"doc": "The greatest value."})
    log: bool = field(default=False, metadata={"doc": "Search by factors, not by differences: for learning rates."})
    step: float | None = field(default=None, metadata={"doc": "Only `low`, `low + step`, `low + 2 step`, ..."})


@dataclass(frozen=True)
class Range:
    """What one key may be.

    Attributes:
        key: `table.key`.
        span: Numbers between two ends; None where there are `choices`.
        whole: Both ends of the span are whole numbers.
        choices: Values of one kind, as written.
    """

    key: str
    span: Span | None = None
    whole: bool = False
    choices: tuple[Value, ...] = ()

    @property
    def ends(self) -> tuple[Value, ...]:
        """Values that must be possible: every choice, or both ends."""
        if self.span is None:
            return self.choices
        return tuple(self.near(end) for end in (self.span.low, self.span.high))

    def near(self, value: Value) -> Value:
        """A value of the span in the form in which it is trained and written: few figures, within the ends."""
        if self.span is None or isinstance(value, str):
            return value
        if self.whole:
            return round(value)
        figures = 4 if self.span.step is None else 12  # a step asks for values that may need more
        return min(max(float(f"{value:.{figures}g}"), self.span.low), self.span.high)

    def holds(self, value: Any) -> bool:
        """May the key be this value?"""
        if self.span is None:
            return value in self.choices
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.span.low <= value <= self.span.high:
            return False
        steps = (value - self.span.low) / (self.span.step or value - self.span.low or 1)
        return bool(abs(steps - round(steps)) < 1e-8)

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        if self.span is None:
            return {"key": self.key, "choices": list(self.choices)}
        return {"key": self.key, **{name: value for name, value in vars(self.span).items() if value is not None}}

    def __str__(self) -> str:
        if self.span is None:
            return ", ".join(str(choice) for choice in self.choices)
        how = " by factors" if self.span.log else f" by {self.span.step:g}" if self.span.step else ""
        return f"{self.span.low:g} to {self.span.high:g}{how}"


def ranges_of(recipe: Recipe) -> tuple[Range, ...]:
    """The ranges that a recipe declares; for a network that declares none, `FOR_NETWORKS`.

    Raises:
        RecipeError: A key that is unknown, has no effect or cannot be searched; a value of the wrong type or an
            impossible one; low above high; an opponent that declares nothing.
    """
    filled(recipe)
    if "ensemble" in recipe.model:
        raise RecipeError(
            f"The recipe {recipe.name!r} is an ensemble: it has no settings of its own to search.",
            hint="Tune its members one by one, then name their best.toml in the ensemble.",
        )
    declared = dict(_flat(recipe.tune))
    if not declared and "opponent" in recipe.model:
        raise RecipeError(
            f"The recipe {recipe.name!r} declares nothing to search: an opponent has no usual ranges.",
            hint='Add a table to it, such as [tune] "model.KEY" = [1, 5, 10]; `horae recipes show` lists its keys.',
        )
    ranges = tuple(_range(key, value) for key, value in (declared or FOR_NETWORKS).items())
    for one in ranges:
        for end in one.ends:
            _possible(recipe, one.key, end)
    return ranges


def with_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with `table.key` values over its own."""
    tables = {"model": dict(recipe.model), "train": dict(recipe.train)}
    for path, value in values.items():
        table, _, key = path.partition(".")
        tables[table][key] = value
    return replace(recipe, model=tables["model"], train=tables["train"])


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """`[tune] "train.x" = ...` and `[tune.train] x = ...` are the same."""
    for key, value in table.items():
        if "." not in key and isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", one) for inner, one in value.items())
        else:
            yield key, value


def _range(key: str, value: Any) -> Range:
    where = f"[tune] {key!r}"
    table, dot, name = key.partition(".")
    if table not in ("model", "train") or not (dot and name):
        raise RecipeError(
            f"{where}: only keys of [model] and [train] are searched.", hint='Write "model.KEY" or "train.KEY".'
        )
    if key in NOT_SEARCHED:
        raise RecipeError(f"{where} cannot be searched: {NOT_SEARCHED[key]}.", hint="Remove it from [tune].")
    if isinstance(value, Mapping):
        return _span(key, settings(Span, value, where), value)
    if isinstance(value, list | tuple):
        return Range(key, choices=_choices(where, value))
    raise RecipeError(
        f"{where} = {value!r}: expected a list of choices or a range.",
        hint=f'For example "{key}" = [1, 2] or "{key}" = {{low = 1, high = 2}}.',
    )


def _span(key: str, span: Span, written: Mapping[str, Any]) -> Range:
    where = f"[tune] {key!r}"
    for name in ("low", "high", "step"):
        if not math.isfinite(getattr(span, name) or 0.0):
            raise RecipeError(f"{where} {name} = {getattr(span, name)}: expected a finite number.", hint="Give one.")
    if span.low >= span.high:
        raise RecipeError(
            f"{where} has low = {span.low:g}, high = {span.high:g}: expected low below high.", hint="Swap them."
        )
    if span.log and span.low <= 0:
        raise RecipeError(f"{where} has log = true and low = {span.low:g}: expected low above 0.", hint="Raise low.")
    if span.log and span.step is not None:
        raise RecipeError(f"{where}: step has no effect with log = true.", hint="Remove one of them.")
    if span.step is not None and not 0 < span.step <= span.high - span.low:
        raise RecipeError(
            f"{where} step = {span.step:g}: expected above 0, at most high - low.", hint="Choose another step."
        )
    given = [written[name] for name in ("low", "high", "step") if name in written]
    return Range(key, span, whole=all(isinstance(number, int) for number in given))


def _choices(where: str, values: list[Any] | tuple[Any, ...]) -> tuple[Value, ...]:
    kinds = {float if kind is int and float in map(type, values) else kind for kind in map(type, values)}
    if len(kinds) > 1 or not kinds <= {bool, int, float, str}:
        raise RecipeError(
            f"{where} = {list(values)!r}: expected choices of one type.", hint="Numbers, texts, or true and false."
        )
    choices = tuple(dict.fromkeys(float(value) if kinds == {float} else value for value in values))
    if len(choices) < 2 or len(choices) < len(values):
        raise RecipeError(f"{where} = {list(values)!r}: expected two different choices or more.", hint="Add some.")
    return choices


def _possible(recipe: Recipe, key: str, value: Value) -> None:
    try:
        filled(with_values(recipe, {key: value}))
    except RecipeError as error:
        raise RecipeError(f"[tune] {key!r} may not be {value!r}: {error.message}", hint=error.hint) from error
