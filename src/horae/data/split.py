"""Which events may be learned from, which choose the model, which judge it. Validation always stands before test.

In: Events. Out: `Split`: the same events with a part for each row, the boundaries in words, and facts that say what the
split costs (cold users, cold items, targets that no model of known items can hit). It does not know models or metrics.

A part says what a row may be used for; only its rows with `target` are what recommendations are judged by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.data.boundaries import Boundary, as_text, boundary_before, duration_of, in_words, known_times, parts_by_time
from horae.data.cleaning.order import Array, Mask, changes, first_of_user, stable_order
from horae.data.cleaning.places import mark_targets
from horae.errors import DataError
from horae.schema import BEHAVIOR, EVENT_ORDER, ITEM, TARGET, TIMESTAMP, USER, Events

__all__ = ["PARTS", "Split", "split_by_column", "split_by_time", "split_leave_one_out", "split_rolling"]

PARTS: Final = ("train", "validation", "test", "unused")
TRAIN, VALIDATION, TEST, UNUSED = range(4)
MICROSECOND: Final = timedelta(microseconds=1)
PART_NAMES: Final = {
    "train": TRAIN,
    "training": TRAIN,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "val": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
    "testing": TEST,
    "unused": UNUSED,
}


@dataclass(frozen=True, eq=False)
class Split:
    """Events, and for each of their rows the part it belongs to.

    Attributes:
        events: All events, those of `unused` included: they may still be history of what comes after them.
        part: Enum of `PARTS`, row for row beside `events.frame`.
        kind: `time`, `leave-one-out`, `column` or `rolling`.
        boundary: Where test begins, in words or as an ISO time.
        validation_boundary: Where validation begins; empty where there is none.
        ties: Who orders a user's equal times: the `log`, or a seeded shuffle (`shuffled`).
        facts: Events, users and targets of each part; `cold_users` (test users without an event before),
            `cold_items` (test items without one), `cold_user_share` and `share_lost` (the shares of test targets on
            these; who knows ids only must miss the latter), `ties_share` (test targets at the time of their user's
            event just before).
    """

    events: Events
    part: pl.Series
    kind: str
    boundary: str
    validation_boundary: str = ""
    ties: str = "log"
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def train(self) -> Events:
        """Everything before test: train and validation."""
        return self.events.filter(self.part.is_in(["train", "validation"]))

    @property
    def fit(self) -> Events:
        """Train alone: what a model may learn from while validation chooses it."""
        return self.events.filter(self.part == "train")

    @property
    def validation(self) -> Events:
        """What chooses between models and stops training."""
        return self.events.filter(self.part == "validation")

    @property
    def test(self) -> Events:
        """What judges, once."""
        return self.events.filter(self.part == "test")

    def as_dict(self) -> dict[str, Any]:
        """Everything but the rows, as plain JSON types."""
        return {
            "kind": self.kind,
            "boundary": self.boundary,
            "validation_boundary": self.validation_boundary,
            "ties": self.ties,
            "facts": self.facts,
        }

    def __str__(self) -> str:
        events, users, targets = self.facts["events"], self.facts["users"], self.facts["targets"]
        lines = [f"Split by {self.kind}: test from {self.boundary}, ties by {self.ties}"]
        for name in PARTS:
            if events[name]:
                judged = f", {targets[name]:,} targets" if name in targets else ""
                lines.append(f"  {name:<11} {events[name]:>11,} events of {users[name]:>9,} users{judged}")
        lines.append(
            f"  {self.facts['cold_users']:,} users and {self.facts['cold_items']:,} items of test are new: "
            f"{self.facts['share_lost']:.1%} of its targets cannot be hit by who knows ids only"
        )
        return "\n".join(lines)


def split_by_time(events: Events, test: Boundary = 0.1, validation: Boundary = 0.1) -> Split:
    """One boundary for everybody, so that nobody's future leaks into anybody's past.

    Args:
        events: All with known times, or some: an event of unknown time takes the part of its neighbours in the line
            where both agree, and is unused where they do not.
        test: A share of the events (0.1), a time or ISO date, or a duration before the last event ("7d", "12h").
        validation: The same, counted back from the test boundary; 0 for none.

    Returns:
        Events at or after a boundary are in the later part; equal times are never parted, so that a share is met as
        nearly as the times allow.

    Raises:
        DataError: No times, or a part would be empty.
    """
    times = known_times(events)
    end = boundary_before(times, test, "test")
    start = boundary_before(times, validation, "validation", before=end) if validation else end
    part = parts_by_time(events.frame, [start, end])
    asked = (TRAIN, VALIDATION, TEST) if validation else (TRAIN, TEST)
    return _split(events, part, "time", as_text(end), as_text(start) if validation else "", asked=asked)


def split_leave_one_out(events: Events, ties: Literal["log", "shuffled"] = "log", seed: int = 0) -> Split:
    """Each user's last target is test, the one before it validation: for comparison with papers.

    Users with fewer than three targets stay in train, whole. Events that are no targets go with the place where they
    stand: after the validation target they are validation's (history of test, nothing to fit on), after the test
    target they are unused. One user's train stands after another's test here: time leaks, as in the papers.

    Args:
        events: With or without times.
        ties: `shuffled` re-orders each user's events of equal time by `seed`, where all of the user's times are known,
            and writes `event_order` anew.
        seed: For `shuffled`.

    Raises:
        DataError: No user has three targets.
    """
    if ties not in ("log", "shuffled"):
        raise DataError(f"ties = {ties!r}: expected 'log' or 'shuffled'.")
    events = _shuffle_ties(events, seed) if ties == "shuffled" else events
    first, line = first_of_user(events.frame[USER])
    target_rows = np.flatnonzero(events.frame[TARGET].to_numpy())
    starts = np.searchsorted(target_rows, np.flatnonzero(first))
    ends = np.append(starts[1:], len(target_rows))
    enough = ends - starts >= 3
    if not enough.any():
        raise DataError(
            "Leave-one-out needs a user with three events that may be targets; the log has none.",
            hint="Split by time, give a longer log, or see [data] target_behaviors and repeat_targets.",
        )
    test_U, validation_U = (np.full(len(starts), len(line)) for _ in range(2))
    test_U[enough] = target_rows[ends[enough] - 1]
    validation_U[enough] = target_rows[ends[enough] - 2]
    row = np.arange(len(line))
    test_N, validation_N = test_U[line], validation_U[line]
    part = (row >= validation_N).astype(np.uint8) + (row >= test_N) + (row > test_N)
    words = "each user's last target event"
    return _split(events, part, "leave-one-out", words, f"{words} but one", ties)


def split_by_column(events: Events, column: str = "split") -> Split:
    """The split that the log itself brings; unknown parts are unused, and validation may be absent.

    Args:
        events: With the column among their context.
        column: Holds train, validation (valid, val, dev) and test, in any case.

    Raises:
        DataError: No such column, another value in it, or no train or test.
    """
    if column not in events.context:
        listed = ", ".join(events.context) or "none"
        raise DataError(f"The log has no column {column!r} to split by.", hint=f"Its further columns: {listed}.")
    values = events.frame[column].cast(pl.String).str.strip_chars().str.to_lowercase()
    strange = values.drop_nulls().unique().sort().filter(~values.drop_nulls().unique().sort().is_in(list(PART_NAMES)))
    if len(strange):
        raise DataError(
            f"Column {column!r} holds {strange[0]!r}; expected train, validation and test.",
            hint="Rename its values, or split by time or leave-one-out.",
        )
    part = values.replace_strict(PART_NAMES, default=None, return_dtype=pl.UInt8).fill_null(UNUSED).to_numpy()
    words = f"column {column}"
    return _split(events, part, "column", words, words if (part == VALIDATION).any() else "", asked=(TRAIN, TEST))


def split_rolling(
    events: Events,
    folds: int,
    horizon: str | timedelta | float,
    *,
    training: Literal["expanding", "sliding"] = "expanding",
    training_length: str | timedelta | None = None,
    empty: Literal["refuse", "skip"] = "refuse",
) -> list[Split]:
    """Several time splits, one window apart: how quality holds over time.

    Args:
        events: With known times.
        folds: How many; each tests the window after the one before.
        horizon: Length of the test window, and of the validation window before it: "7d", a timedelta, or a share of
            the events.
        training: `expanding`: each fold learns from everything before its boundary. `sliding`: only from the last
            `training_length` before it, validation included; what is older stays history and is learned from no more.
        training_length: "90d" or a timedelta; for `sliding` only.
        empty: What to do about a window without a target event: refuse, or leave the fold out (and, where nothing
            falls into a validation window, leave the part out).

    Returns:
        Oldest first; the last fold's test ends with the log. Events after a fold's test are unused.

    Raises:
        DataError: No times, the log is too short for so many windows, a window without a target, or a training
            length that leaves nothing to learn from.
    """
    if folds < 1:
        raise DataError(f"folds = {folds}: expected 1 or more.")
    if (training == "sliding") != (training_length is not None):
        raise DataError(
            f"training = {training!r} with training_length = {training_length!r}: a sliding window needs a length, "
            "and only a sliding one has it.",
            hint='Give training="sliding" and training_length="90d", or neither.',
        )
    times = known_times(events)
    edges = _rolling_edges(times, folds, horizon)
    splits = []
    for fold in range(folds):
        start, end, after = edges[fold], edges[fold + 1], edges[fold + 2 : fold + 3]
        part = parts_by_time(events.frame, [start, end, *after])
        if training_length is not None:
            begin = end - duration_of(training_length, "training_length") // MICROSECOND
            part[(part == TRAIN) & (parts_by_time(events.frame, [begin]) == 0)] = UNUSED
            if begin >= start:
                raise DataError(
                    f"training_length = {training_length} is no longer than the validation window, which is a part "
                    "of it: nothing would be left to learn from.",
                    hint="Give a longer training window, or a shorter horizon.",
                )
        if empty == "skip" and not (events.frame[TARGET].to_numpy() & (part == TEST)).any():
            continue
        quiet = empty == "skip" and not (part == VALIDATION).any()  # whoever trains then chooses by events before
        asked = (TRAIN, TEST) if quiet else (TRAIN, VALIDATION, TEST)
        splits.append(_split(events, part, "rolling", as_text(end), "" if quiet else as_text(start), asked=asked))
    if not splits:
        raise DataError(
            f"None of the {folds} windows holds an event that may be a target.",
            hint="Give longer windows, or see [data] target_behaviors.",
        )
    return splits


def _rolling_edges(times: Array, folds: int, horizon: str | timedelta | float) -> list[int]:
    """Where the first validation window begins, and then each test window; in microseconds, ascending."""
    if isinstance(horizon, float | int):
        _need_share(horizon * (folds + 1))
    elif isinstance(horizon, timedelta) or not _is_share(horizon):
        length = duration_of(horizon, "horizon")
        _need_span(times, folds, length)
        return [int(times[-1]) - fold * (length // MICROSECOND) for fold in range(folds + 1, 0, -1)]
    edges: list[int] = []
    for _ in range(folds + 1):
        edges.append(boundary_before(times, horizon, "horizon", before=edges[-1] if edges else None))
    return edges[::-1]


def _split(
    events: Events,
    part: npt.NDArray[Any],
    kind: str,
    boundary: str,
    validation_boundary: str,
    ties: str = "log",
    asked: Sequence[int] = (TRAIN, VALIDATION, TEST),
) -> Split:
    """Put a split together, or say which part is missing."""
    target = events.frame[TARGET].to_numpy()
    for code in asked:
        rows = part == code
        if not rows.any():
            raise DataError(
                f"The {PARTS[code]} part would be empty: {len(events):,} events are too few for this split.",
                hint="Give a longer log, a larger share, or another kind of split.",
            )
        if code == TEST and not (rows & target).any():
            raise DataError(
                f"None of the {int(rows.sum()):,} test events may be a target, so nothing could be judged.",
                hint="See [data] target_behaviors and repeat_targets, or test on a larger share.",
            )
    names = pl.Series("part", PARTS, dtype=pl.Enum(PARTS)).gather(part)
    return Split(events, names, kind, boundary, validation_boundary, ties, _facts(events, part, target))


def _facts(events: Events, part: npt.NDArray[Any], target: Mask) -> dict[str, Any]:
    frame = events.frame
    first, line = first_of_user(frame[USER])
    before, test = part <= VALIDATION, part == TEST
    judged = test & target
    cells = np.bincount(line * len(PARTS) + part, minlength=int(first.sum()) * len(PARTS))
    users_UP = cells.reshape(-1, len(PARTS)) > 0
    seen_U, tested_U = users_UP[:, TRAIN] | users_UP[:, VALIDATION], users_UP[:, TEST]
    facts: dict[str, Any] = {
        "events": {name: int((part == code).sum()) for code, name in enumerate(PARTS)},
        "users": {name: int(users_UP[:, code].sum()) for code, name in enumerate(PARTS)},
        "targets": {"validation": int((target & (part == VALIDATION)).sum()), "test": int(judged.sum())},
        "cold_users": int((tested_U & ~seen_U).sum()),
        "cold_items": 0,
        "cold_user_share": float((~seen_U[line[judged]]).mean()),
        "share_lost": 0.0,
        "ties_share": float(_tied(frame)[judged].mean()),
    }
    if events.has_items:
        known = frame[ITEM].filter(pl.Series(before)).unique()
        new = frame.filter(pl.Series(test)).select(ITEM, TARGET, new=~pl.col(ITEM).is_in(known.implode()))
        facts["cold_items"] = new.filter("new")[ITEM].n_unique()
        facts["share_lost"] = float(new.filter(TARGET)["new"].mean() or 0.0)  # type: ignore[arg-type]
    return facts


def _tied(frame: pl.DataFrame) -> Mask:
    """True where an event has the known time of its user's event just before."""
    known: Mask = frame[TIMESTAMP].is_not_null().to_numpy()
    return ~changes(frame[USER]) & ~changes(frame[TIMESTAMP]) & known


def _shuffle_ties(events: Events, seed: int) -> Events:
    """Re-order equal times within users whose times are all known; places stay sorted, order is written anew."""
    frame = events.frame
    _, line = first_of_user(frame[USER])
    unknown_U = np.bincount(line, weights=frame[TIMESTAMP].is_null().to_numpy()) > 0
    group: Array = np.cumsum(~_tied(frame) | unknown_U[line])
    lot = np.random.default_rng(seed).permutation(frame.height)
    order = stable_order([lot, group])
    if order is None:
        return events
    shuffled = frame[order].with_columns(frame[EVENT_ORDER])
    behaviors = frame.filter(TARGET)[BEHAVIOR].unique().to_list()
    return replace(events, frame=mark_targets(shuffled, behaviors, _has_repeat_targets(frame)))


def _has_repeat_targets(frame: pl.DataFrame) -> bool:
    """Was the log cleaned with `repeat_targets`? It shows in its targets."""
    if ITEM not in frame.columns:
        return True
    again = ~changes(frame[USER]) & ~changes(frame[ITEM])
    return bool((again & frame[TARGET].to_numpy()).any())


def _need_share(share: float) -> None:
    if not 0 < share < 1:
        raise DataError(
            f"The windows take a share of {share:g} of the events; expected less than 1.",
            hint="Ask for fewer or shorter windows; a validation window of the same length stands before the first.",
        )


def _need_span(times: Array, folds: int, length: timedelta) -> None:
    """Refuse windows that reach back to the beginning of the log, and say how many would fit."""
    span = timedelta(microseconds=int(times[-1] - times[0]))
    if span > (folds + 1) * length:
        return
    most = -(-span // length) - 2  # the last multiple of the length below the span, less the validation window
    fewer = f"Ask for at most {most} {'fold' if most == 1 else 'folds'}, or for shorter windows." if most > 0 else ""
    raise DataError(
        f"{folds} windows of {in_words(length)}, and one before them to choose the model by, need a log of more than "
        f"{in_words((folds + 1) * length)}; this one spans {in_words(span)}.",
        hint=fewer or "Ask for shorter windows, or give a longer log.",
    )


def _is_share(text: str) -> bool:
    try:
        return 0 < float(text) < 1
    except ValueError:
        return False
