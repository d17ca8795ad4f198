"""Scaling: numbers that networks like, and the way back to people's (public as `horae.fit_scaler`, `horae.Scaler`).

In: columns of numbers, NaN where missing. Out: a `Scaler`, learned from the training rows alone, that goes there and
back. It does not know what the columns are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from horae.errors import DataError

__all__ = ["Scaler", "Scaling", "fit_scaler"]

Floats = npt.NDArray[np.float64]
SMALLEST: Final = 1e-140
"""A range below it is no variance: its square would not be a number any more."""
Scaling = Literal["min_max", "standard", "robust", "log"]


@dataclass(frozen=True, eq=False)
class Scaler:
    """`scale` takes columns there, `invert` takes them back; both leave NaN as it is.

        min_max, standard, robust: (x - center) / spread      log: sign(x) log(1 + |x|)

    There and back is the same number but for rounding: within four units in the last place of the larger of the number
    and its column's center and spread (of 1 + |x|, times its logarithm, for `log`). Nothing is clipped: what is beyond
    the training part's minimum or maximum is below 0 or above 1.

    Attributes:
        kind: What it is.
        center_F: What is taken off: minimum, mean or median; 0 for `log` and for a column without training values.
        spread_F: What is divided by: range, standard deviation or interquartile range; 1 for `log`, and where the
            training values have no variance, so that such a column is 0 throughout, and other values are told apart.
    """

    kind: Scaling
    center_F: Floats
    spread_F: Floats

    def scale(self, value_NF: Floats) -> Floats:
        """To the network's numbers, column by column (one column may come without its axis)."""
        value_NF = self._checked(value_NF)
        if self.kind == "log":
            logs: Floats = np.sign(value_NF) * np.log1p(np.abs(value_NF))
            return logs
        return (value_NF - self.center_F) / self.spread_F

    def invert(self, scaled_NF: Floats) -> Floats:
        """Back to people's numbers."""
        scaled_NF = self._checked(scaled_NF)
        if self.kind == "log":
            numbers: Floats = np.sign(scaled_NF) * np.expm1(np.abs(scaled_NF))
            return numbers
        return scaled_NF * self.spread_F + self.center_F

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; floats come back from JSON to the last bit."""
        return {"kind": self.kind, "center": self.center_F.tolist(), "spread": self.spread_F.tolist()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Scaler:
        """The inverse of `as_dict`.

        Raises:
            DataError: It is not what `as_dict` gives.
        """
        try:
            center, spread = (np.array(document[name], dtype=np.float64) for name in ("center", "spread"))
            kind = document["kind"]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"Not a saved scaler: {error}.", hint="Give what Scaler.as_dict() gave.") from error
        if kind not in get_args(Scaling) or center.shape != spread.shape or center.ndim != 1 or not (spread > 0).all():
            raise DataError("Not a saved scaler: its parts contradict each other.", hint="Fit it again.")
        return cls(kind, center, spread)

    def _checked(self, value_NF: Floats) -> Floats:
        value_NF = np.asarray(value_NF, dtype=np.float64)
        columns = value_NF.shape[1] if value_NF.ndim == 2 else 1
        if value_NF.ndim not in (1, 2) or columns != len(self.center_F):
            raise DataError(
                f"Expected {len(self.center_F)} columns, as in training; got the shape {value_NF.shape}.",
                hint="Give the same columns in the same order.",
            )
        return value_NF


def fit_scaler(value_NF: Floats, kind: Scaling = "standard", train_N: npt.NDArray[np.bool_] | None = None) -> Scaler:
    """Learn a scaling, of each column by itself.

    Args:
        value_NF: Columns; NaN where missing.
        kind: `min_max` (to 0 to 1), `standard` (mean 0, standard deviation 1), `robust` (median 0, interquartile range
            1; where that is 0, the standard deviation), `log` (learns nothing; for numbers of many magnitudes).
        train_N: The rows to learn from; None: all of them.

    Raises:
        DataError: No such kind; infinite numbers, or numbers so far apart that their distance is no float.
    """
    if kind not in get_args(Scaling):
        raise DataError(f"kind = {kind!r} is not possible.", hint=f"One of {', '.join(get_args(Scaling))}.")
    table = np.asarray(value_NF, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    table = table if train_N is None else table[train_N]
    if np.isinf(table).any():
        raise DataError("Infinite numbers cannot be scaled.", hint="Make them missing (NaN) first.")
    columns = [column[~np.isnan(column)] for column in table.T]
    if kind == "log":
        return Scaler(kind, np.zeros(len(columns)), np.ones(len(columns)))
    with np.errstate(over="ignore"):
        pairs = np.array([_center_and_spread(column, kind) for column in columns]).reshape(len(columns), 2)
    if not np.isfinite(pairs).all():
        raise DataError("The numbers are too far apart to be scaled.", hint='Use kind="log".')
    return Scaler(kind, pairs[:, 0], pairs[:, 1])


def _center_and_spread(known: Floats, kind: Scaling) -> tuple[float, float]:
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    if high - low < SMALLEST:
        return low, 1.0
    if kind == "min_max":
        return low, high - low
    deviation = float(np.std(known))
    if kind == "standard":
        return float(np.mean(known)), deviation
    first, middle, third = np.quantile(known, [0.25, 0.5, 0.75])
    width = float(third - first)
    return float(middle), width if width >= SMALLEST else deviation
