"""How much an interval leaves open."""

from __future__ import annotations

from horae.evaluation.metrics.ranks import FloatArray

__all__ = ["interval_width"]


def interval_width(low_N: FloatArray, high_N: FloatArray) -> FloatArray:
    """One value per event: `high - low`, in the unit of what is told; of two that cover alike, the narrower is better.

    Source: Gneiting and Raftery 2007 (doi:10.1198/016214506000001437), section 6.2, average width (sharpness).
    Differs: nothing.
    """
    width: FloatArray = high_N - low_N
    return width
