"""What a forecast of series is: the next values, and what they are worth.

In: what `forecast` found out. Out: `SeriesForecast`, as a frame, a document, a text, a page. It computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from horae.evaluation.intervals import Interval
from horae.forecasting.series.judging import Judged
from horae.forecasting.series.table import SeriesTable
from horae.forecasting.series.words import as_text
from horae.page import Page

__all__ = ["SeriesForecast"]


@dataclass(frozen=True, eq=False)
class SeriesForecast:
    """The next values of series, and what they are worth.

    Attributes:
        frame: `key, timestamp, value, low, high`: one row per series and bin to come; a timestamp is a bin's beginning,
            in the zone of the bins.
        model: Who says so.
        chosen: Why it, in a sentence.
        metrics: Of the model on the test part: `mae`, `mse`, `rmse`, `mase`, `coverage`, `width`, `pinball`, `series`,
            and under `by_horizon` each as a list by step.
        opponents: The same of each other method; None, with a reason in `reasons`, where there is nothing.
        against: The model less each opponent, paired, with 95% intervals: `mase` and `pinball` below zero are ahead.
        validation: By method: `mase` on the part that chose, and of how many `series`.
        reasons: Why an opponent is not there.
        notes: What was left out or assumed, in sentences.
        table: The series.
        judged: What was said at the origins of the test part.
        interval: Share of the true values that the bounds are to hold.
        facts: How methods were fitted: rounds, parameters, fits that did not converge.
        seed: Of everything that was drawn.
    """

    frame: pl.DataFrame
    model: str
    chosen: str
    metrics: dict[str, Any]
    opponents: dict[str, dict[str, Any] | None]
    against: dict[str, dict[str, Interval]]
    validation: dict[str, dict[str, Any]]
    reasons: dict[str, str]
    notes: tuple[str, ...]
    table: SeriesTable
    judged: Judged
    interval: float
    facts: dict[str, dict[str, int]]
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """What `horae forecast --json` prints; plain JSON types only."""
        table = self.table
        starts = table.every.starts(table.bins(0, table.num_bins + 1))
        return {
            "model": self.model,
            "chosen": self.chosen,
            "every": str(table.every),
            "timezone": table.every.zone,
            "season": table.season,
            "horizon": self.horizon,
            "interval": self.interval,
            "series": len(table),
            "bins": table.num_bins,
            "first": starts[0].isoformat(),
            "end": starts[-1].isoformat(),
            "origins": [starts[origin].isoformat() for origin in self.judged.origins],
            "metrics": self.metrics,
            "opponents": self.opponents,
            "against": {
                name: {measure: one.as_dict("difference") for measure, one in measures.items()}
                for name, measures in self.against.items()
            },
            "validation": self.validation,
            "reasons": self.reasons,
            "fitting": self.facts,
            "seconds": {name: round(seconds, 3) for name, seconds in self.judged.seconds.items()},
            "notes": list(self.notes),
            "seed": self.seed,
        }

    @property
    def horizon(self) -> int:
        """Bins ahead."""
        return int(self.judged.true_OSH.shape[2])

    def page(self) -> Page:
        """The page with plots: true against predicted with bounds, the next values, errors by step."""
        from horae.forecasting.series.pages import forecast_page

        return forecast_page(self)

    def plot(self, path: str | Path) -> Path:
        """Write the page, one file that works offline.

        Raises:
            StoreError: It cannot be written.
        """
        return self.page().write(path)

    def __str__(self) -> str:
        return as_text(self.as_dict())
