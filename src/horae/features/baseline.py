"""The slow part of an activity: drift and level shifts, so that neither is taken for a period.

In: an `Activity`. Out: its expected counts without any period, bin by bin. It knows nothing of periods but that they
are shorter than `SLOWEST_CYCLES` in the span, which it leaves alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from horae.features.activity import Activity, Floats

__all__ = ["baseline"]

SLOWEST_CYCLES: Final = 2.5
"""Drift is what goes through no more cycles than this in the whole span."""
COARSE: Final = 192
MOST_SHIFTS: Final = 6
SHIFT_GAIN: Final = 25.0
"""A level shift must take this many times the noise's variance out of the squares,"""
SHIFT_SHARE: Final = 0.04
"""and this share of the squares: a step fitted to ten cycles of a wave takes out less."""
APART: Final = 8
"""Level shifts are at least this part of the span apart, so that no two of them make up a cycle."""
LEAST: Final = 0.02
"""The baseline is never under this part of the mean: it stands in denominators."""


def baseline(activity: Activity, without_M: Floats | None = None) -> Floats:
    """Drift (cosines of up to `SLOWEST_CYCLES` cycles) and level shifts (steps, the largest first), by least squares.

    Args:
        activity: With at least one event.
        without_M: Periods that were found already, as expected counts above the baseline; taken out first.
    """
    counts = activity.counts_M if without_M is None else activity.counts_M - without_M
    length = len(counts)
    factor = max(1, length // COARSE)
    whole = length // factor
    coarse = counts[: whole * factor].reshape(whole, factor).mean(axis=1)
    shifts = _level_shifts(coarse)
    design = _design((np.arange(whole) + 0.5) / whole, [shift / whole for shift in shifts])
    weights = np.linalg.lstsq(design, coarse, rcond=None)[0]
    places = (np.arange(length) + 0.5) / (whole * factor)
    fitted = _design(places, [shift / whole for shift in shifts]) @ weights
    fitted = np.maximum(fitted, LEAST * activity.counts_M.mean())
    return np.asarray(fitted * (activity.counts_M.sum() / fitted.sum()))


def _design(places: Floats, shifts: list[float]) -> Floats:
    drift = [np.cos(np.pi * order * places) for order in range(int(2 * SLOWEST_CYCLES) + 1)]
    return np.column_stack([*drift, *((places >= shift).astype(np.float64) for shift in shifts)])


def _level_shifts(coarse: Floats) -> list[int]:
    """Steps that are worth it, one by one: the one that takes most out of what drift and the steps so far leave."""
    length = len(coarse)
    if length < 24:
        return []
    places = (np.arange(length) + 0.5) / length
    noise = max(float(np.mean(np.diff(coarse) ** 2)) / 2, 1e-12)
    steps = np.tri(length, length - 1, -1)
    found: list[int] = []
    while len(found) < MOST_SHIFTS:
        basis = np.linalg.qr(_design(places, [shift / length for shift in found]))[0]
        rest = coarse - basis @ (basis.T @ coarse)
        free = steps - basis @ (basis.T @ steps)
        size = (free**2).sum(axis=0)
        gain = np.where(size > 0.5, (free.T @ rest) ** 2 / np.maximum(size, 0.5), 0.0)
        for shift in found:
            gain[max(0, shift - length // APART) : shift + length // APART] = 0.0
        best = int(gain.argmax())
        if gain[best] < max(SHIFT_GAIN * noise, SHIFT_SHARE * float(rest @ rest)):
            break
        found.append(best + 1)
    return found
