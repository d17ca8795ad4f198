"""Windows in, a trained network out: the small loop behind every network of this room.

In: `SeriesTable` up to a moment, settings, a seed. Out: `Fitted`. Early stopping looks at the last windows of the table
and at nothing later. Batches are drawn at random from all windows; the same seed draws the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from horae.errors import NotTrainedError
from horae.forecasting.series.every import Floats, Ints
from horae.forecasting.series.network import SeriesNetwork, pinball_loss
from horae.forecasting.series.settings import SeriesNetworkSettings
from horae.forecasting.series.table import SeriesTable
from horae.forecasting.series.windows import WindowBatch, Windows

__all__ = ["Fitted", "Trainer", "enough_to_train"]

LONGEST_WINDOW = 400
SEASONS = 8
CLIP_NORM = 1.0
AT_ONCE = 1024
FEWEST_WINDOWS = 16
"""With fewer windows there is nothing that a network could learn that a line could not."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network.

    Attributes:
        network: Ready to be asked.
        epochs: Rounds behind its weights.
        losses: The loss on the held-out last windows after each round; empty where none were held out.
    """

    network: SeriesNetwork
    epochs: int
    losses: tuple[float, ...] = ()


@dataclass(frozen=True)
class Trainer:
    """How networks of one name are trained and asked.

    Attributes:
        name: The encoder, as in `NETWORKS`.
        settings: How.
        horizon: Bins asked about.
        levels: The quantiles.
        seed: Same seed and series: same weights.
        device: Where.
    """

    name: str
    settings: SeriesNetworkSettings
    horizon: int
    levels: tuple[float, float, float]
    seed: int
    device: torch.device

    def window(self, season: int) -> int:
        """Bins looked back at."""
        return self.settings.window or min(max(2 * self.horizon, SEASONS * season), LONGEST_WINDOW)

    def fit(self, table: SeriesTable, epochs: int | None = None) -> Fitted:
        """Train on the windows of a table.

        Args:
            table: What is known.
            epochs: So many rounds on all windows; None: hold the last windows out, and stop when they say so.

        Raises:
            NotTrainedError: There are too few windows, or the loss is no number any more.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            window, ahead = self.window(table.season), 0 if table.ahead is None else table.ahead.width
            network = SeriesNetwork(self.name, self.settings, window, len(table), ahead)
            return self._fit(network.to(self.device), table, epochs)

    def forecast(self, fitted: Fitted, table: SeriesTable) -> Floats:
        """`said_SHQ`: the bins after the table's last one."""
        windows = self._windows(table)
        fitted.network.eval()
        end_S = np.full(len(table), table.num_bins)
        parts = [np.empty((0, self.horizon, 3))]
        with torch.inference_mode():
            for start in range(0, len(table), AT_ONCE):
                rows = np.arange(start, min(start + AT_ONCE, len(table)))
                batch, scale_B2 = windows.batch(rows, end_S[rows])
                said = fitted.network(self._moved(batch)).double().cpu().numpy()
                parts.append(windows.unscaled(said, scale_B2))
        return np.concatenate(parts)

    def _fit(self, network: SeriesNetwork, table: SeriesTable, epochs: int | None) -> Fitted:
        settings, held_out = self.settings, epochs is None
        windows = self._windows(table)
        last_end = table.num_bins - self.horizon * (2 if held_out else 1)
        drawing = _Drawing(windows, last_end, table.season, np.random.default_rng(self.seed))
        if drawing.total < FEWEST_WINDOWS:
            raise NotTrainedError(
                f"{self.name}: {drawing.total} windows of history are too few to train a network.",
                hint="Ask for a shorter --horizon, narrower bins (--every), or take --model seasonal-naive.",
            )
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        ends = np.array([table.num_bins - self.horizon])
        best, best_epoch, losses = _copy(network), 0, list[float]()
        for epoch in range(1, (epochs or settings.epochs) + 1):
            rate = settings.learning_rate * (1 + math.cos(math.pi * (epoch - 1) / settings.epochs)) / 2
            for group in optimiser.param_groups:
                group["lr"] = rate
            self._epoch(network, windows, drawing, optimiser)
            if held_out:
                losses.append(self._held_out(network, windows, ends))
                if losses[-1] <= min(losses):
                    best, best_epoch = _copy(network), epoch
                if epoch - best_epoch >= settings.patience:
                    break
        if held_out:
            network.load_state_dict(best)
        return Fitted(network, best_epoch if held_out else epochs or 0, tuple(losses))

    def _epoch(
        self, network: SeriesNetwork, windows: Windows, drawing: _Drawing, optimiser: torch.optim.Optimizer
    ) -> None:
        network.train()
        for _ in range(math.ceil(min(drawing.total, self.settings.windows_per_epoch) / self.settings.batch_size)):
            batch = self._moved(windows.batch(*drawing.draw(self.settings.batch_size))[0])
            loss = pinball_loss(network(batch), batch.target_BH, self.levels)
            if not math.isfinite(float(loss.detach())):
                raise NotTrainedError(f"{self.name}: the loss is no number any more.", hint="Lower learning_rate.")
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
            optimiser.step()

    def _held_out(self, network: SeriesNetwork, windows: Windows, ends: Ints) -> float:
        """The loss on each series' last window."""
        network.eval()
        rows = np.flatnonzero(windows.first_S < ends[0])[: 4 * AT_ONCE]
        with torch.inference_mode():
            batch = self._moved(windows.batch(rows, np.repeat(ends, len(rows)))[0])
            return float(pinball_loss(network(batch), batch.target_BH, self.levels))

    def _windows(self, table: SeriesTable) -> Windows:
        return Windows(table, self.window(table.season), self.horizon, self.settings.scaling == "asinh")

    def _moved(self, batch: WindowBatch) -> WindowBatch:
        if self.device.type == "cpu":
            return batch
        return WindowBatch(**{name: tensor.to(self.device) for name, tensor in vars(batch).items()})


class _Drawing:
    """Windows drawn evenly from all that end between a series' first bins and a last column."""

    def __init__(self, windows: Windows, last_end: int, season: int, rng: np.random.Generator) -> None:
        self._first_end_S = windows.first_S + _context(season, windows.num_bins)
        self._until_S = np.cumsum(np.maximum(last_end + 1 - self._first_end_S, 0))
        self._rng = rng
        self.total = int(self._until_S[-1])

    def draw(self, count: int) -> tuple[Ints, Ints]:
        """So many series, and the columns before which their windows end."""
        place = self._rng.integers(0, self.total, count)
        series = np.searchsorted(self._until_S, place, side="right")
        before = np.where(series > 0, self._until_S[series - 1], 0)
        return series, self._first_end_S[series] + place - before


def enough_to_train(table: SeriesTable, horizon: int) -> bool:
    """Are there windows enough, the last ones held out?"""
    first_end_S = table.first_S + _context(table.season, table.num_bins)
    return int(np.maximum(table.num_bins - 2 * horizon + 1 - first_end_S, 0).sum()) >= FEWEST_WINDOWS


def _context(season: int, num_bins: int) -> int:
    """Bins that a training window sees at least."""
    return max(2, min(max(season, 4), num_bins // 4))


def _copy(network: SeriesNetwork) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
