"""A prepared log, as `horae train` takes it: what may be asked for beside it, how it is cut, what its card says.

In: the folder and the options. Out: a `PreparedSplit`, facts, a page. How one is written: `horae data prepare`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from horae.cli.inputs import Cutting, Reading, boundary_of
from horae.cli.output import say
from horae.errors import RecipeError

if TYPE_CHECKING:
    from horae.recipe import Recipe
    from horae.sequences.prepared_split import PreparedSplit

__all__ = ["facts_of", "split_of"]


def split_of(folder: str, recipe: Recipe, cutting: Cutting, reading: Reading) -> PreparedSplit:
    """Open a prepared log and cut it by time; say both.

    Raises:
        typer.BadParameter: An option about how a log is read, or a split that needs the events.
        RecipeError: A key of `[data]`: the log was cleaned when it was prepared.
    """
    from horae.sequences.prepared import open_large
    from horae.sequences.prepared_split import split_prepared

    for name, value in vars(reading).items():
        if value not in (None, False):
            raise typer.BadParameter(
                f"{folder} is a prepared log, read and cleaned already; give it to `horae data prepare`.",
                param_hint=f"--{name.replace('_', '-')}",
            )
    for key in recipe.data:
        raise RecipeError(
            f"[data] {key} has no effect: {folder} is a prepared log, cleaned already.",
            hint=f"Remove it, or prepare the log with --set data.{key}=...",
        )
    if cutting.split not in (None, "time"):
        raise typer.BadParameter(f"a prepared log is split by time, not by {cutting.split}.", param_hint="--split")
    log = open_large(folder)
    say(str(log))
    split = split_prepared(log, boundary_of(cutting.test), boundary_of(cutting.validation))
    say(str(split))
    return split


def facts_of(split: PreparedSplit) -> dict[str, Any]:
    """What a run's card says of its data."""
    log, span = split.log, split.log.span()
    first, last = (None, None) if span is None else (datetime.fromtimestamp(second, UTC).isoformat() for second in span)
    return {
        "source": log.report.source,
        "prepared": str(log.folder),
        "events": len(log),
        "users": log.sequences.num_users,
        "items": log.sequences.num_items,
        "first": first,
        "last": last,
    }
