"""How a long training tells where it is: a bar in a terminal, plain lines in a log, nothing when asked to be quiet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Protocol, TextIO

from horae.errors import MissingExtraError

__all__ = ["Boarded", "Progress", "Quiet", "Shown", "progress_for"]


class Progress(Protocol):
    """What the loop reports to."""

    def begin(self, title: str, epochs: int) -> None:
        """A training starts."""

    def step(self, epoch: int, done: float, facts: dict[str, float]) -> None:
        """`done` of this epoch (0 to 1) is done."""

    def epoch(self, line: dict[str, Any]) -> None:
        """An epoch ended; `line` is what `log.jsonl` gets."""

    def say(self, sentence: str) -> None:
        """Something worth a sentence."""

    def end(self) -> None:
        """The training ended, however it did."""


class Quiet:
    """Says nothing."""

    def begin(self, title: str, epochs: int) -> None:
        """Nothing."""

    def step(self, epoch: int, done: float, facts: dict[str, float]) -> None:
        """Nothing."""

    def epoch(self, line: dict[str, Any]) -> None:
        """Nothing."""

    def say(self, sentence: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class Shown:
    """On standard error, so that standard output stays one document; rich is loaded when it is first needed."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from rich.console import Console

        self._console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._bar: Any = None
        self._task: Any = None

    def begin(self, title: str, epochs: int) -> None:
        """Show the bar, in a terminal."""
        if not self._console.is_terminal:
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[facts]}"))
        self._bar = Progress(*columns, TimeRemainingColumn(), console=self._console, transient=True)
        self._task = self._bar.add_task(title, total=float(epochs), facts="")
        self._bar.start()

    def step(self, epoch: int, done: float, facts: dict[str, float]) -> None:
        """Move the bar."""
        if self._bar is not None:
            text = "  ".join(f"{name} {value:.4g}" for name, value in facts.items())
            self._bar.update(self._task, completed=epoch - 1 + done, facts=text)

    def epoch(self, line: dict[str, Any]) -> None:
        """One plain line per epoch, bar or no bar."""
        validation = "".join(f"  {name} {value:.4f}" for name, value in line.get("validation", {}).items())
        best = "  best so far" if line.get("best") and validation else ""
        self.say(f"epoch {line['epoch']:>3}  loss {line['loss']:.4f}{validation}  {line['seconds']:.1f} s{best}")

    def say(self, sentence: str) -> None:
        """One line."""
        self._console.print(sentence, markup=False)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class Boarded:
    """Another progress, and TensorBoard's event files beside it (extra `track`).

    Raises:
        MissingExtraError: TensorBoard is not installed.
    """

    def __init__(self, inner: Progress, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError(
                "TensorBoard is not installed.", hint="Install it with: pip install 'horae[track]'"
            ) from error
        self._inner = inner
        self._writer = SummaryWriter(str(folder))
        self.begin, self.step, self.say = inner.begin, inner.step, inner.say

    def epoch(self, line: dict[str, Any]) -> None:
        """The epoch's numbers as scalars."""
        numbers = {"loss": line["loss"], **line.get("validation", {})}
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, line["epoch"])
        self._inner.epoch(line)

    def end(self) -> None:
        """Write what is still held back."""
        self._writer.close()
        self._inner.end()


def progress_for(show: bool | None) -> Progress:
    """Shown where asked for, or where nobody said and a person watches (standard error is a terminal)."""
    watching = sys.stderr.isatty() if show is None else show
    return Shown() if watching else Quiet()
