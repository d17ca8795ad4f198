"""What may be chosen about series and their forecast; each choice checks itself.

In: plain values. Out: `SeriesSettings`, `SeriesNetworkSettings`. Knows no series.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from horae.errors import RecipeError

__all__ = ["LONGEST_SEASON", "Of", "Refit", "SeriesNetworkSettings", "SeriesSettings"]

CHEAP_SEASON: Final = 12
LONGEST_SEASON: Final = 24
"""ETS and ARIMA have no terms for longer ones: the state would grow too large."""

Of = Literal["count", "sum", "mean", "last"]
Refit = Literal["once", "each", "never"]


@dataclass(frozen=True)
class SeriesNetworkSettings:
    """How a network for all series is made and trained.

    Attributes:
        dim: Width of its states.
        num_layers: Of its encoder; the convolution has as many as it takes to see the whole window.
        dropout: Share of numbers dropped in training.
        window: Bins that it looks back at; 0: twice the horizon or eight seasons, whichever is more, 400 at most.
        scaling: `standard`: each window less its mean, by its mean absolute deviation; `asinh`: the same, and large
            values drawn in by the inverse hyperbolic sine.
        embed_series: A learned vector for each series, beside what its window shows.
        epochs: At most so many rounds.
        windows_per_epoch: Windows drawn in a round, at random.
        batch_size: Windows in a step.
        learning_rate: Step size of AdamW, falling to nothing over the epochs by half a cosine.
        weight_decay: Decoupled weight decay of AdamW.
        patience: Stop after so many rounds without a better loss on the last windows before the validation part.
    """

    dim: int = 32
    num_layers: int = 1
    dropout: float = 0.1
    window: int = 0
    scaling: Literal["standard", "asinh"] = "asinh"
    embed_series: bool = False
    epochs: int = 15
    windows_per_epoch: int = 1024
    batch_size: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 0.01
    patience: int = 5

    def __post_init__(self) -> None:
        for name in ("dim", "num_layers", "epochs", "windows_per_epoch", "batch_size", "patience"):
            _need(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        _need(self.dim % 2 == 0, "dim", self.dim, "an even number")
        _need(0 <= self.dropout < 1, "dropout", self.dropout, "a share from 0 to below 1")
        _need(self.window >= 0, "window", self.window, "0 or more")
        _need(0 < self.learning_rate < 1, "learning_rate", self.learning_rate, "more than 0 and less than 1")
        _need(self.weight_decay >= 0, "weight_decay", self.weight_decay, "0 or more")
        _need(self.scaling in ("standard", "asinh"), "scaling", self.scaling, "standard or asinh")


@dataclass(frozen=True)
class SeriesSettings:
    """How series are cut from a log, and how their forecasts are judged.

    Attributes:
        timezone: Where days, weeks and months begin at midnight; left out: UTC.
        season: Bins after which habits begin again; 0: as the width of the bins says (24 hours, 7 days, 52 weeks).
        behaviors: Only events of these kinds; empty: all.
        max_series: Of more series, those with the most (events; or the largest sum) are forecast.
        classic_series: ETS and ARIMA stand beside on so many of the largest series only, as each costs a second; on a
            third of these where a season has 24 bins, as each costs many.
        keep_last: The log's last bin is whole, whatever its last event says.
        origins: Times from which the test part is forecast; fewer where the history is short.
        validation_origins: The same for the part before it, which chooses the model.
        refit: What learns is fitted before the validation part, and again at the beginning of the test part (`once`),
            at `each` of its origins, or `never`. What is known at an origin goes in at any rate.
        holidays: A country, such as `DE`, or with a region `DE-BY`: its holidays are known ahead to the networks. Needs
            the extra `series`.
        interval: Share of the true values that the bounds are to hold.
        bootstrap: Resamples of the series behind the interval of a difference; 0: no intervals.
        network: How networks are made and trained.
    """

    timezone: str | None = None
    season: int = 0
    behaviors: tuple[str, ...] = ()
    max_series: int = 500
    classic_series: int = 20
    keep_last: bool = False
    origins: int = 3
    validation_origins: int = 2
    refit: Refit = "once"
    holidays: str | None = None
    interval: float = 0.8
    bootstrap: int = 1000
    network: SeriesNetworkSettings = field(default_factory=SeriesNetworkSettings)

    def __post_init__(self) -> None:
        for name in ("max_series", "origins", "validation_origins"):
            _need(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("season", "classic_series", "bootstrap"):
            _need(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        _need(0 < self.interval < 1, "interval", self.interval, "a share between 0 and 1")
        _need(self.refit in ("once", "each", "never"), "refit", self.refit, "once, each or never")

    @property
    def levels(self) -> tuple[float, float, float]:
        """The quantiles that are asked for: lower bound, middle, upper bound."""
        return ((1 - self.interval) / 2, 0.5, (1 + self.interval) / 2)

    def classic_beside(self, season: int) -> int:
        """Series on which ETS and ARIMA stand beside: fewer where a longer season makes each dear."""
        dear = CHEAP_SEASON < season <= LONGEST_SEASON
        return max(1, self.classic_series // 3) if dear and self.classic_series else self.classic_series


def _need(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise RecipeError(f"{name} = {value!r}: expected {expected}.", hint=f"Change {name}.")
