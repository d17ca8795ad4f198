"""Activity without its periods, in bins of a trend's size: days, or hours where a log is short.

In: a fine `Activity` and its `Rhythm`s. Out: an `Activity` whose counts are as if there were no rhythm. It looks
for neither itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from horae.features.activity import DAY, HOUR, Activity, Floats
from horae.features.baseline import baseline
from horae.features.rhythm import Rhythm

__all__ = ["adjusted", "trend_bins"]

FEWEST_DAYS: Final = 28
WHOLE_SHARE: Final = 0.95
"""A bin at either end counts if the log covers this part of it; its count is scaled up."""
FROM_WHOLE: Final = 0.02
LEAST_FACTOR: Final = 0.1
MOST: Final = 4_000


def trend_bins(activity: Activity) -> Activity:
    """Days (UTC) where there are 28 of them, else 6 hours from a week up, hours from a day up, or the bins as they are.

    Bins at the ends that the log does not cover are left out, so that a log that ends at noon does not seem to drop.
    """
    span, fine = activity.span_seconds, activity.width_seconds
    width = next(
        (w for w, least in ((DAY, FEWEST_DAYS * DAY), (6 * HOUR, 7 * DAY), (HOUR, DAY)) if span >= least), fine
    )
    while span / width > MOST:
        width *= 7
    if width <= fine or not len(activity.counts_M):
        return activity
    factor = round(width / fine)
    ahead = round((activity.start_seconds % width) / fine)
    behind = -(ahead + len(activity.counts_M)) % factor
    counts = np.pad(activity.counts_M, (ahead, behind)).reshape(-1, factor).sum(axis=1)
    start = activity.start_seconds - ahead * fine
    covered = (1 - ahead / factor, 1 - behind / factor)
    first = int(covered[0] < WHOLE_SHARE and len(counts) > 2)
    last = len(counts) - int(covered[1] < WHOLE_SHARE and len(counts) > 2)
    counts[0], counts[-1] = counts[0] / covered[0], counts[-1] / covered[1]
    return Activity(counts[first:last], start + first * width, width, (last - first) * width)


def adjusted(activity: Activity, rhythms: Sequence[Rhythm]) -> Activity:
    """Counts divided by what each rhythm makes of its phase; periods under two bins are averaged out already.

    The factor of a phase is its counts over what the slow level (`baseline`) has there, one factor for each bin of
    the period where it is a whole number of bins, else a cosine.
    """
    counts = activity.counts_M.astype(np.float64)
    for rhythm in rhythms:
        bins = rhythm.period_seconds / activity.width_seconds
        if bins < 2 or len(counts) < 2 * bins or not counts.sum():
            continue
        level = baseline(Activity(counts, activity.start_seconds, activity.width_seconds, activity.span_seconds))
        factor = _by_phase(counts, level, round(bins)) if _is_whole(bins) else _by_cosine(counts, level, bins)
        counts = counts / np.maximum(factor, LEAST_FACTOR)
    return Activity(counts, activity.start_seconds, activity.width_seconds, activity.span_seconds)


def _is_whole(bins: float) -> bool:
    return abs(bins - round(bins)) < FROM_WHOLE * min(bins, 10) / 10 and bins < 400


def _by_phase(counts: Floats, level: Floats, bins: int) -> Floats:
    phase = np.arange(len(counts)) % bins
    share = np.bincount(phase, weights=counts) / np.bincount(phase, weights=level)
    return np.asarray(share[phase] / share.mean())


def _by_cosine(counts: Floats, level: Floats, bins: float) -> Floats:
    angle = 2 * np.pi * np.arange(len(counts)) / bins
    waves = np.column_stack([np.cos(angle), np.sin(angle)])
    weights = np.linalg.lstsq(waves * level[:, None], counts - level, rcond=None)[0]
    return np.asarray(1 + waves @ weights)
