"""A prepared log cut by time: what may be learned from, what chooses the model, and what is left alone.

In: a prepared log and two wishes. Out: `PreparedSplit`, the sister of `horae.data.split.Split` for logs that are not in
memory: two moments, and everybody's lines until each. It does not know requests: `horae.evaluation` cuts those.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from horae.data.boundaries import Boundary, as_text, read_boundary
from horae.data.split import Split
from horae.errors import DataError
from horae.sequences.before import SequencesBefore
from horae.sequences.history import Sequences
from horae.sequences.prepared import PreparedLog

__all__ = ["AnySplit", "PreparedSplit", "learned_from", "split_prepared"]


@dataclass(frozen=True, eq=False)
class PreparedSplit:
    """A prepared log and the moments at which its parts end.

    Attributes:
        log: All of it, the test part included: that is nobody's to learn from.
        validation_at: Unix seconds; validation begins here.
        test_at: Test begins here; None where there is none.
    """

    log: PreparedLog
    validation_at: float
    test_at: float | None = None
    kind: ClassVar[str] = "time"

    @property
    def fit(self) -> SequencesBefore:
        """What a model may learn from while validation chooses it. Its `flat` is a copy, made anew for each call."""
        return SequencesBefore(self.log.sequences, self.validation_at)

    @property
    def train(self) -> Sequences:
        """Everything before test: `fit` and validation; the maps themselves where there is no test part."""
        return self.log.sequences if self.test_at is None else SequencesBefore(self.log.sequences, self.test_at)

    @property
    def boundary(self) -> str:
        """Where test begins, as ISO 8601; empty where there is none."""
        return "" if self.test_at is None else as_text(round(self.test_at * 1e6))

    @property
    def validation_boundary(self) -> str:
        """Where validation begins."""
        return as_text(round(self.validation_at * 1e6))

    def __str__(self) -> str:
        fit, known, events = len(self.fit), int(self.train.all().lengths.sum()), len(self.log)
        test = f"; test from {self.boundary}: {events - known:,}" if self.test_at is not None else ""
        return (
            f"Split by time: {fit:,} events to learn from; validation from {self.validation_boundary}: "
            f"{known - fit:,}{test}"
        )


AnySplit = Split | PreparedSplit


def split_prepared(log: PreparedLog, test: Boundary | None = 0.1, validation: Boundary = 0.1) -> PreparedSplit:
    """Cut a prepared log by time, as `split_by_time` cuts one in memory.

    Args:
        log: With known times.
        test: A share of the events (0.1), a time or ISO date, or a duration before the last event ("7d"); None for no
            test part, where the log is judged elsewhere.
        validation: The same, counted back from the test boundary.

    Raises:
        DataError: No times, or a part would be empty.
    """
    until_test = None if test is None else _before_end(log, test, "test", 0.0, None)
    test_at = None if until_test is None else until_test.at
    taken = float(test) if isinstance(test, float | int) else 0.0
    if until_test is not None and not taken:
        taken = 1.0 - len(until_test) / len(log)
    fit = _before_end(log, validation, "validation", taken, test_at)
    known = len(log) if until_test is None else len(until_test)
    if len(fit) >= known:
        raise DataError(
            f"validation = {validation}: an empty part would result.", hint="Give a longer log, or another boundary."
        )
    return PreparedSplit(log, fit.at, test_at)


def learned_from(split: AnySplit, part: Literal["fit", "train"], whole: Sequences) -> Sequences:
    """The events of a part, laid out as the whole log is, or slices of what lies on the disk."""
    if isinstance(split, PreparedSplit):
        return split.fit if part == "fit" else split.train
    return whole.alike(split.fit if part == "fit" else split.train)


def _before_end(log: PreparedLog, wish: Boundary, what: str, taken: float, end: float | None) -> SequencesBefore:
    """The events before a part that ends at `end` (None: with the log), after which a share `taken` of them lies."""
    when = read_boundary(wish, what) if isinstance(wish, str) else wish
    if isinstance(when, float | int):
        if not 0 < when < 1 - taken:
            raise DataError(f"{what} = {when:g}: expected a share between 0 and {1 - taken:g}.", hint="0.1 is a tenth.")
        return log.before(1.0 - taken - when)
    if isinstance(when, timedelta) and end is not None:
        span = log.span()
        assert span is not None
        return log.before(timedelta(seconds=span[1] - end) + when)
    return log.before(when)
