"""How long work tells where it is: a bar in a terminal, now and then a line in a log, nothing where nobody asked."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Final

from horae.features.content.encoder import Advance, nothing

__all__ = ["counted"]

PAUSE_SECONDS: Final = 5.0


@contextlib.contextmanager
def counted(title: str, total: int, show: bool | None) -> Iterator[Advance]:
    """A function that is told how many more are done.

    Args:
        title: What is counted.
        total: Of them.
        show: None: where a person watches (standard error is a terminal).
    """
    watching = sys.stderr.isatty()
    if total == 0 or not (watching if show is None else show):
        yield nothing
    elif watching:
        with _bar(title, total) as advance:
            yield advance
    else:
        yield _lines(title, total)


@contextlib.contextmanager
def _bar(title: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda more: bar.advance(task, more)


def _lines(title: str, total: int) -> Advance:
    done, said = 0, time.monotonic()

    def advance(more: int) -> None:
        nonlocal done, said
        done += more
        if time.monotonic() - said > PAUSE_SECONDS:
            sys.stderr.write(f"{title}: {done:,} of {total:,}\n")
            said = time.monotonic()

    return advance
