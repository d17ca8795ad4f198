"""What callers say of the context in which they ask: as numbers for the model, and what of it was not used.

In: requests, what the log's columns of context are, and which of them the model is told when asked. Out: one row of
numbers per request; plain sentences. What is left out is unknown, and a model is at home with that. It does not know
models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from horae.errors import DataError
from horae.schema import Requests
from horae.sequences.context import ContextColumns, Floats

__all__ = ["asked_in", "context_notes"]

UNUSED = "`context` was not used: neither this run's model nor its rules look at it."


def asked_in(requests: Requests, columns: ContextColumns, told: Sequence[str]) -> Floats | None:
    """`request_feature_BF`; None where nothing was said.

    Raises:
        DataError: A value that is none, such as a list, or text where numbers are expected.
    """
    if requests.context is None:
        return None
    for one in {id(one): one for one in requests.context}.values():
        for name in told:
            _check(name, one.get(name), numbers=columns.values[name] is None)
    return columns.of_told(requests.context)


def context_notes(
    requests: Requests, columns: ContextColumns, told: Sequence[str], looked_at: bool = False
) -> Iterator[str]:
    """What was said and not used, and values that the run does not know; rules may have `looked_at` it."""
    said: dict[str, list[Any]] = {}
    for one in {id(one): one for one in requests.context or ()}.values():
        for name, value in one.items():
            said.setdefault(name, []).append(value)
    strange = [name for name in said if name not in told and not looked_at]
    if strange and not told:
        yield UNUSED
    elif strange:
        yield f"Of `context`, {', '.join(strange)} was not used; this run is told {', '.join(told)}."
    for name, values in said.items():
        known = columns.values.get(name)
        if name in told and known is not None:
            given = [value for value in values if value is not None]
            codes = columns.of_told([{name: value} for value in given])[:, columns.names.index(name)]
            lost = [value for value, code in zip(given, codes, strict=True) if math.isnan(code)]
            if lost:
                yield f"{name} = {lost[0]!r} is not known to this run: answered as if nothing were said of it."


def _check(name: str, value: Any, numbers: bool) -> None:
    if value is not None and not isinstance(value, str | int | float):
        what = "a list or an object" if isinstance(value, Sequence | Mapping) else f"a {type(value).__name__}"
        raise DataError(f"context: {name} is {what}; expected one value.", hint=f'Give context={{"{name}": "..."}}.')
    if numbers and isinstance(value, str | bool) and not _is_number(value):
        raise DataError(f"context: {name} = {value!r}; expected a number.", hint="As it stands in the log.")


def _is_number(value: str | bool) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return isinstance(value, str)
