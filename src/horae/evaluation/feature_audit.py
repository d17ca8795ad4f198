"""Do features know the future? A function that makes them in, a verdict with rows out (`horae.audit_features`).

The rule is one for every feature: as of a time `at`, editing any event at or after `at` changes nothing. So the log is
copied, what lies at or after some moments is replaced, shuffled, removed and shifted, and the function is asked again:
no cell may move. For tables that bring their own validity times there is `check_validity`. Nothing is proved about
moments that were not drawn, nor about attributes that were written into the log afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import polars as pl

from horae.errors import DataError
from horae.evaluation.futures import EVENTS_IN_COPY, Change, Copy, changes_of
from horae.schema import ITEM, TIMESTAMP, USER, Events

__all__ = ["FeatureAudit", "FeatureFinding", "Features", "audit_features", "check_validity"]

Features = Callable[[Events, datetime], pl.DataFrame]
"""Events and a time in; a table out, one row for each user, item or whatever it is about, as of that time."""

QUANTILES: Final = (0.5, 0.75, 0.95)
SHOWN: Final = 5
RELATIVE, ABSOLUTE = 1e-5, 1e-9
"""Numbers that differ by less are the same: sums may be added up in another order."""
ROW, OTHER, THERE = "_row", "_after", "_there"


@dataclass(frozen=True)
class FeatureFinding:
    """What one change of the future did.

    Attributes:
        change: What was done to the future.
        rows: Rows compared, over all moments.
        changed: How many of them moved.
        columns: Those that did.
        examples: Up to five cells: the moment, the row, the value before and after.
    """

    change: str
    rows: int
    changed: int
    columns: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class FeatureAudit:
    """The verdict: one finding for each change of the future."""

    findings: tuple[FeatureFinding, ...]

    @property
    def passed(self) -> bool:
        """No cell moved."""
        return not any(finding.changed for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        findings = [vars(one) | {"columns": list(one.columns), "examples": list(one.examples)} for one in self.findings]
        return {"passed": self.passed, "findings": findings}

    def refuse(self) -> None:
        """Refuse features that know the future.

        Raises:
            DataError: Some row moved; the message names rows.
        """
        if self.passed:
            return
        worst = max(self.findings, key=lambda one: one.changed)
        raise DataError(
            f"The features look into the future: {worst.changed:,} of {worst.rows:,} rows moved when what comes after "
            f"was {worst.change} (columns {', '.join(worst.columns)}). {'; '.join(worst.examples)}.",
            hint="Read only events strictly before `at`, totals and means over all events included.",
        )

    def __str__(self) -> str:
        if self.passed:
            rows = max((one.rows for one in self.findings), default=0)
            changes = ", ".join(one.change for one in self.findings)
            return f"passed: {rows:,} rows made again with their future {changes}; no cell moved"
        moved = [one for one in self.findings if one.changed]
        said = [f"{one.changed:,} of {one.rows:,} rows moved when the future was {one.change}" for one in moved]
        return f"FAILED: {'; '.join(said)}; e.g. {moved[0].examples[0]}"


def audit_features(
    features: Features,
    events: Events,
    *,
    at: Sequence[datetime] | None = None,
    keys: Sequence[str] | None = None,
    max_events: int = EVENTS_IN_COPY,
    seed: int = 0,
) -> FeatureAudit:
    """Edit the future of some moments and make the features again. Nothing is raised: look at `passed`, or `refuse()`.

    Args:
        features: Called as `features(events, at)`; gives one table.
        events: With known times. Those of unknown time stay as they are.
        at: The moments; None: three of the log's own times, since an event at the very moment is future too.
        keys: Columns that name a row, such as `["user_id"]`; None: `user_id` and `item_id` where the table has them,
            else the rows' order. A row that is there on one side only (a user who comes later) moves nothing as long as
            it holds nulls and zeros.
        max_events: A larger log is audited on so many events of whole users, drawn by the seed.
        seed: Of the sample and of the changes.

    Raises:
        DataError: The log has no times.

    Example:
        ```python
        before = lambda events, at: events.frame.filter(pl.col("timestamp") < at)
        horae.audit_features(lambda events, at: before(events, at).group_by("user_id").len(), events).refuse()
        ```
    """
    if events.times == "none":
        raise DataError(
            "Features cannot be audited on a log without times: nothing in it is before or after a moment.",
            hint="Name the time column: --columns timestamp=NAME.",
        )
    rng = np.random.default_rng(seed)
    events = _sampled(events, max_events, rng)
    moments = [_aware(moment) for moment in at] if at is not None else _moments(events)
    copies = {moment: _copy(events, moment) for moment in moments}
    before = {moment: features(events, moment) for moment in moments}
    findings = []
    for name, change in changes_of(events).items():
        moved = [_moved(features, copies[moment], before[moment], moment, change, keys, rng) for moment in moments]
        columns = dict.fromkeys(column for one in moved for column in one.columns)
        examples = [example for one in moved for example in one.examples]
        rows, changed = sum(one.rows for one in moved), sum(one.changed for one in moved)
        findings.append(FeatureFinding(name, rows, changed, tuple(columns), tuple(examples[:SHOWN])))
    return FeatureAudit(tuple(findings))


def check_validity(
    table: pl.DataFrame,
    keys: Sequence[str],
    *,
    valid_from: str = "valid_from",
    valid_to: str = "valid_to",
    known_at: str | None = None,
) -> None:
    """Refuse a table whose rows contradict each other about when they hold.

    Args:
        table: Rows that hold in `[valid_from, valid_to)`; null means "ever since" and "until further notice".
        keys: Columns that name what a row is about.
        valid_from: Name of that column.
        valid_to: Name of that column.
        known_at: When a row was written or computed; a row may not be valid earlier, since then nobody knew it.

    Raises:
        DataError: Rows that end before they begin, that overlap, or that hold before they were known; names rows.
    """
    rows = table.with_row_index(ROW)
    begins, ends = pl.col(valid_from), pl.col(valid_to)
    _refuse(rows.filter(ends <= begins), "end before they begin", "Swap or correct their times.", keys)
    line = rows.sort(*keys, begins, nulls_last=False)
    former = ends.shift(1)
    same = pl.all_horizontal(pl.col(key).eq_missing(pl.col(key).shift(1)) for key in keys)
    overlaps = same & (pl.int_range(pl.len()) > 0) & (begins.is_null() | former.is_null() | (begins < former))
    hint = "Let each row end where the next one begins: at any time one row holds."
    _refuse(line.filter(overlaps), "overlap with another row of the same key", hint, keys)
    if known_at is not None:
        early = (pl.col(known_at) > begins).fill_null(False) | (begins.is_null() & pl.col(known_at).is_not_null())
        hint = f"Let {valid_from} be no earlier than {known_at}: before that, nobody knew the row."
        _refuse(rows.filter(early), "look into the future: they hold before they were known", hint, keys)


def _refuse(rows: pl.DataFrame, what: str, hint: str, keys: Sequence[str]) -> None:
    if rows.is_empty():
        return
    told = [f"row {row[ROW] + 1:,} ({', '.join(str(row[key]) for key in keys)})" for row in rows.head(SHOWN).to_dicts()]
    raise DataError(f"{rows.height:,} rows of the feature table {what}: {', '.join(told)}.", hint=hint)


def _sampled(events: Events, most: int, rng: np.random.Generator) -> Events:
    """Whole users, as many as have room."""
    if len(events) <= most:
        return events
    lines = events.frame[USER].rle().struct.unnest()
    order = rng.permutation(lines.height)
    room = np.cumsum(lines["len"].to_numpy()[order]) <= most
    room[0] = True
    kept = np.zeros(lines.height, dtype=np.bool_)
    kept[order[room]] = True
    return events.filter(pl.Series(np.repeat(kept, lines["len"].to_numpy())))


def _moments(events: Events) -> list[datetime]:
    """Times of events: half of them, a quarter and a twentieth lie at or after."""
    times = events.frame[TIMESTAMP].drop_nulls().sort()
    return [times[place] for place in dict.fromkeys(int(quantile * (len(times) - 1)) for quantile in QUANTILES)]


def _copy(events: Events, moment: datetime) -> Copy:
    later = events.frame.select((pl.col(TIMESTAMP) >= moment).fill_null(False)).to_series().to_numpy()
    return Copy(events, later, np.zeros(len(events), dtype=np.bool_))


def _moved(
    features: Features,
    copy: Copy,
    before: pl.DataFrame,
    moment: datetime,
    change: Change,
    keys: Sequence[str] | None,
    rng: np.random.Generator,
) -> FeatureFinding:
    """What one change at one moment did."""
    if not copy.future.any():
        return FeatureFinding("", before.height, 0)
    after = features(change(copy, rng).events, moment)
    named = [name for name in (keys or (USER, ITEM)) if name in before.columns]
    both = _side_by_side(before, after, named)
    columns, examples = [], []
    moved = np.zeros(both.height, dtype=np.bool_)
    for name in dict.fromkeys([*before.columns, *after.columns]):
        if name in named:
            continue
        cells = both.select(_differs(both, name)).to_series().to_numpy()
        if cells.any():
            columns.append(name)
            examples += [_example(both, int(row), name, named, moment) for row in np.flatnonzero(cells)[:SHOWN]]
        moved |= cells
    return FeatureFinding("", both.height, int(moved.sum()), tuple(columns), tuple(examples))


def _side_by_side(before: pl.DataFrame, after: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Rows of both tables by their keys; several rows of one key are told apart by their order."""

    def numbered(table: pl.DataFrame) -> pl.DataFrame:
        row = pl.int_range(pl.len()).over(keys) if keys else pl.int_range(pl.len())
        plain = [pl.col(name).cast(pl.String) for name, kind in table.schema.items() if _is_named(kind)]
        return table.with_columns(*plain).with_columns(row.alias(ROW), pl.lit(True).alias(THERE))

    left, right = numbered(before), numbered(after)
    right = right.rename({name: name + OTHER for name in right.columns if name not in (*keys, ROW)})
    return left.join(right, on=[*keys, ROW], how="full", coalesce=True, nulls_equal=True, maintain_order="left_right")


def _is_named(kind: pl.DataType) -> bool:
    return isinstance(kind, pl.Enum | pl.Categorical)


def _differs(both: pl.DataFrame, name: str) -> pl.Expr:
    """Whether a cell moved; a row on one side only moves where it holds more than nulls and zeros."""
    missing = pl.lit(None)
    old = pl.col(name) if name in both.columns else missing
    new = pl.col(name + OTHER) if name + OTHER in both.columns else missing
    alone = pl.col(THERE).is_null() | pl.col(THERE + OTHER).is_null()
    numeric = [both.schema[one].is_numeric() for one in (name, name + OTHER) if one in both.columns]
    if all(numeric):
        a, b = (side.cast(pl.Float64).fill_nan(None) for side in (old, new))
        size = pl.max_horizontal(a.abs(), b.abs())
        far = (a - b).abs() > RELATIVE * size + ABSOLUTE
        unlike = a.is_null() != b.is_null()
        infinite = (a != b) & (a.is_infinite() | b.is_infinite())
        there = pl.coalesce(a, b, 0.0) != 0
        return pl.when(alone).then(there).otherwise(far.fill_null(False) | unlike | infinite.fill_null(False))
    return old.ne_missing(new)


def _example(both: pl.DataFrame, row: int, name: str, keys: list[str], moment: datetime) -> str:
    cells = both.row(row, named=True)
    who = ", ".join(f"{key} {cells[key]}" for key in keys) if keys else f"row {cells[ROW] + 1:,}"
    old, new = cells.get(name), cells.get(name + OTHER)
    return f"at {moment:%Y-%m-%d %H:%M:%S}, {who}: {name} {_short(old)} became {_short(new)}"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
