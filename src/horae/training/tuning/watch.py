"""What looks on while a trial trains, and ends it where it need not go on.

In: what the loop tells its progress. Out: the trial's curve; `Pruned` or `OutOfTime` through the loop, which gives up
the training as it does at any error. It does not know what is trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from horae.errors import DataError
from horae.training.progress import Progress
from horae.training.tuning.search import Asked
from horae.training.tuning.trials import Trial

__all__ = ["CHOOSES", "NOBODY", "OutOfTime", "Pruned", "Watch"]

CHOOSES: Final = "ndcg@10"
NOBODY: Final = "Nobody in the validation part has a history, so there is nothing to choose settings by."


class Pruned(Exception):  # noqa: N818  (a verdict, not an error)
    """This trial is worse than most at the same epoch."""


class OutOfTime(Exception):  # noqa: N818
    """The minutes are over."""


class Watch:
    """Sees each epoch of a training, and ends it where it need not go on; a bar goes on showing, lines do not."""

    def __init__(
        self,
        inner: Progress,
        title: str,
        trial: Trial,
        asked: Asked,
        deadline: float | None,
        write: Callable[[], None],
    ) -> None:
        self._inner, self._title, self._write = inner, title, write
        self._trial, self._asked, self._deadline = trial, asked, deadline
        self.end = inner.end

    def begin(self, title: str, epochs: int) -> None:
        """The bar is named for the trial."""
        self._inner.begin(self._title, epochs)

    def step(self, epoch: int, done: float, facts: dict[str, float]) -> None:
        """Time may end within an epoch too, once the trial has something to show for it."""
        self._inner.step(epoch, done, facts)
        if self._trial.curve:
            self.look_at_the_clock()

    def epoch(self, line: dict[str, Any]) -> None:
        """Note what validation says; go on or not."""
        if "validation" not in line:
            raise DataError(NOBODY, hint="Give a longer log, or another --split.")
        self._trial.after_epoch(float(line["validation"][CHOOSES]))
        self._write()
        if self._asked.hopeless(len(self._trial.curve), self._trial.ndcg or 0.0):
            raise Pruned
        self.look_at_the_clock()

    def say(self, sentence: str) -> None:
        """Nothing: a trial has one line."""

    def look_at_the_clock(self) -> None:
        """Stop where the minutes are over."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise OutOfTime
