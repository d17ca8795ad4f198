"""Filling missing values by a recurrent denoising autoencoder: learned by hiding known values and guessing them.

In: `Lines` (from `horae.impute`, which takes these settings like any others). Out: guesses. The network is in
`denoising.py`; what a row may look at is what `data/filling/lines.py` says: rows of the training part at all of it,
others at what stands strictly before them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from horae.data.cleaning.order import Array, Mask
from horae.data.filling.lines import Floats, Lines
from horae.errors import DataError
from horae.forecasting.boards import Board, Scales
from horae.forecasting.denoising import Denoiser, Windows
from horae.recommend.device import device_of
from horae.training.allocator import keep_blocks
from horae.training.optimisers import Optimiser, clip

__all__ = ["Autoencoder", "AutoencoderSettings"]

LEAST_KNOWN = 40
"""With fewer known training values nothing is learned: straight lines are drawn."""
MOST_HELD_OUT = 4_000
"""More would say no better which epoch is best."""
LONGEST_RUN = 14
CLIP_NORM = 1.0
LEAST_STEPS = 8
ASKED_AT_ONCE = 512
PLACES_AT_ONCE = 20_000


@dataclass(frozen=True)
class AutoencoderSettings:
    """How the network is built and trained.

    Attributes:
        window: Places that it sees at once; longer lines are gone through in overlapping windows.
        dim: Width of a state, each way.
        period: Steps in a season, such as 7 for a week of days: what phases add is taken off first (as `seasonal` finds
            it), and the values a period before and after are inputs, too. None: the network counts for itself. Series
            only.
        companions: Of so many other series, the most correlated in the training part, the values at the same moment
            are seen; 0: each series stands alone. Events have none.
        dropout: Of inputs and states, in training.
        learning_rate: Step size of AdamW.
        weight_decay: Decoupled weight decay of AdamW.
        epochs: At most so many passes.
        patience: Stop after so many epochs without a better guess at the held-out values.
        batch_windows: Windows in a step.
        held_out: Share of the known training values, 4,000 at most, that is hidden throughout and chooses the epoch.
        seed: Same data, settings and seed: same guesses (on the same machine and number of threads).
        device: `cpu`, `cuda`, or `auto`.

    Raises:
        DataError: An impossible value.
    """

    window: int = 48
    dim: int = 32
    period: int | None = None
    companions: int = 4
    dropout: float = 0.1
    learning_rate: float = 5e-3
    weight_decay: float = 1e-3
    epochs: int = 60
    patience: int = 10
    batch_windows: int = 32
    held_out: float = 0.1
    seed: int = 0
    device: str = "auto"
    method: str = field(default="autoencoder", init=False)

    def __post_init__(self) -> None:
        for name, least in (("window", 4), ("dim", 2), ("epochs", 1), ("patience", 1), ("batch_windows", 1)):
            if getattr(self, name) < least:
                raise DataError(f"{name} = {getattr(self, name)}: expected at least {least}.", hint="Raise it.")
        for name in ("dropout", "held_out"):
            if not 0 <= getattr(self, name) < 1:
                raise DataError(f"{name} = {getattr(self, name)}: expected 0 to below 1.", hint="Try 0.1.")
        if self.period is not None and not 2 <= self.period < self.window:
            raise DataError(
                f"period = {self.period}: expected 2 to below the window ({self.window}).", hint="Widen the window."
            )
        if self.companions < 0 or not 0 < self.learning_rate < 10 or self.weight_decay < 0:
            raise DataError("companions and weight_decay: 0 or more; learning_rate: above 0.", hint="See the defaults.")

    @property
    def looks_ahead(self) -> bool:
        """See `FillSettings`: it learns from a training part."""
        return True

    def fit(self, lines: Lines) -> Autoencoder:
        """See `FillSettings`."""
        return Autoencoder.fit(lines, self)


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """A trained network, with the scales of the series that it was trained on.

    Edges: a leading gap is guessed from what follows it, in the training part; a line without known training values
        stays missing (events: it has its behavior's scale, and is guessed where something is seen before); a line
        that is constant in training is filled with its constant, one value fills its line; fewer than 40 known
        training values in all: straight lines. A place of whose window nothing is seen takes the line's mean.

    Attributes:
        losses: Loss at the held-out values before training, then after each epoch; empty where nothing was learned.
    """

    settings: AutoencoderSettings
    scales: Scales
    network: Denoiser
    losses: Sequence[float]

    @classmethod
    def fit(cls, lines: Lines, settings: AutoencoderSettings) -> Autoencoder:
        """Learn from the training part alone.

        Raises:
            DataError: A period, for events.
        """
        if settings.period is not None and not lines.shared:
            raise DataError("Events have no step of their own, so a period has no effect.", hint="Remove period.")
        keep_blocks()
        rng = np.random.default_rng(settings.seed)
        lines = lines.training()
        usable = lines.known_N
        held = _held_out(lines, usable, settings.held_out, rng)
        scales = Scales.fit(lines, usable & ~held, settings.companions, settings.period)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = Denoiser(settings.dim, settings.window, settings.dropout, settings.period)
            network.to(device_of(settings.device))
            board = Board.of(lines, scales, usable & ~held)
            goal = Board.of(lines, scales, usable)
            losses = _train(network, board, goal, settings, rng) if usable.sum() >= LEAST_KNOWN else []
        network.eval()
        return cls(settings, scales, network, losses)

    @property
    def names(self) -> Sequence[Hashable]:
        """The series that were seen."""
        return self.scales.names

    def guess(self, lines: Lines) -> Floats:
        """See `Filler`."""
        guess_N = np.full(len(lines.value_N), np.nan)
        guess_N[lines.train_N] = self._guess(lines.training(), past=False)
        later_N = ~lines.train_N
        if later_N.any():
            guess_N[later_N] = self._guess(lines, past=True)[later_N]
        return guess_N

    def _guess(self, lines: Lines, *, past: bool) -> Floats:
        guess_N = np.full(len(lines.value_N), np.nan)
        wanted = ~lines.known_N & (~lines.train_N if past else lines.train_N)
        if wanted.any():
            board = Board.of(lines, self.scales, lines.known_N)
            places = board.place_N[wanted]
            pieces = [places[start : start + PLACES_AT_ONCE] for start in range(0, len(places), PLACES_AT_ONCE)]
            scaled = np.concatenate([self._scaled(board, piece, past=past) for piece in pieces])
            guess_N[wanted] = board.unscaled(places, scaled)
        return guess_N

    def _scaled(self, board: Board, places: Array, *, past: bool) -> Floats:
        window = self.settings.window
        cut = board.ending(places, window) if past else board.around(places, window)
        told_BL = [
            self._ask(board.windows(cut.row_BL[start : start + ASKED_AT_ONCE], past=past))
            for start in range(0, len(cut), ASKED_AT_ONCE)
        ]
        answers: Floats = np.concatenate(told_BL)[cut.window_M, cut.place_M]
        return answers

    def _ask(self, windows: Windows) -> Floats:
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            told: Floats = self.network(windows.to(device)).cpu().numpy().astype(np.float64)
        return told


def _held_out(lines: Lines, usable: Mask, share: float, rng: np.random.Generator) -> Mask:
    """A third each: single values, runs of 2 to 14 rows, and runs of all series at once: all gaps choose the epoch."""
    rows = np.flatnonzero(usable)
    held = np.zeros(len(usable), dtype=np.bool_)
    wanted = min(int(share * len(rows)), MOST_HELD_OUT)
    held[rng.permutation(rows)[: wanted // 3]] = True
    while held.sum() < wanted:
        start = int(rng.integers(len(rows)))
        length = int(rng.integers(2, LONGEST_RUN + 1))
        if lines.shared and held.sum() < wanted * 2 // 3:
            ahead_N = lines.step_N - lines.step_N[rows[start]]
            held |= usable & (ahead_N >= 0) & (ahead_N < length)
        else:
            run = rows[start : start + length]
            held[run[lines.line_N[run] == lines.line_N[run[0]]]] = True
    return held


def _train(
    network: Denoiser, board: Board, goal: Board, settings: AutoencoderSettings, rng: np.random.Generator
) -> list[float]:
    """Until the held-out values are guessed no better; the best weights stay, those before training included."""
    adam = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    optimiser = Optimiser([adam])
    held = goal.seen_N & ~board.seen_N
    judge = _judge(board, goal, held, settings.window)
    losses, best, best_epoch = [judge(network)], copy.deepcopy(network.state_dict()), 0
    for epoch in range(1, settings.epochs + 1):
        network.train()
        for windows, target_BL, asked_BL in _lessons(board, settings, rng):
            device = next(network.parameters()).device
            guess_BL = network(windows.to(device))
            loss = nn.functional.smooth_l1_loss(guess_BL[asked_BL], target_BL.to(device)[asked_BL])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            clip(network.parameters(), CLIP_NORM)
            optimiser.step()
        losses.append(judge(network))
        if held.any() and losses[-1] < min(losses[:-1]):
            best, best_epoch = copy.deepcopy(network.state_dict()), epoch
        if held.any() and epoch - best_epoch >= settings.patience:
            break
    if held.any():
        network.load_state_dict(best)
    return losses


def _judge(board: Board, goal: Board, held: Mask, window: int) -> Callable[[Denoiser], float]:
    """The loss at the held-out values, none of which is seen."""
    places = np.flatnonzero(held)
    cut = board.around(places, window)
    pieces = [slice(start, start + ASKED_AT_ONCE) for start in range(0, len(cut), ASKED_AT_ONCE)]
    windows = [board.windows(cut.row_BL[piece]) for piece in pieces]
    target = torch.from_numpy(goal.value_N[places].astype(np.float32))

    def loss(network: Denoiser) -> float:
        if not len(places):
            return float("nan")
        network.eval()
        device = next(network.parameters()).device
        with torch.inference_mode():
            told_BL = torch.cat([network(one.to(device)).cpu() for one in windows])
            told = told_BL[torch.from_numpy(cut.window_M), torch.from_numpy(cut.place_M)]
            return float(nn.functional.smooth_l1_loss(told, target))

    return loss


def _lessons(
    board: Board, settings: AutoencoderSettings, rng: np.random.Generator
) -> Iterator[tuple[Windows, Tensor, Tensor]]:
    """An epoch: random windows with something hidden, the values there, and where they are."""
    row_BL = board.random(settings.window, LEAST_STEPS * settings.batch_windows, rng)
    for start in range(0, len(row_BL), settings.batch_windows):
        whole = board.windows(row_BL[start : start + settings.batch_windows])
        hidden, others_hidden = _hiding(whole.seen_BL.shape, whole.length_B.numpy(), rng)
        hidden_BL = torch.from_numpy(hidden)
        asked_BL = whole.seen_BL & hidden_BL
        if asked_BL.any():
            yield whole.hide(hidden_BL, torch.from_numpy(others_hidden)), whole.value_BL, asked_BL


def _hiding(shape: Sequence[int], length_B: Array, rng: np.random.Generator) -> tuple[Mask, Mask]:
    """For each window one of three: single values, runs, or all from some place on.

    The companions' values there are hidden, too, always in the last case and half of the time in the others: when a log
    breaks off, it breaks off for all.
    """
    batch, length = shape
    place_L = np.arange(length)
    kind_B1 = rng.integers(3, size=(batch, 1))
    points = rng.random((batch, length)) < rng.uniform(0.05, 0.5, (batch, 1))
    runs = np.zeros((batch, length), dtype=np.bool_)
    for _ in range(2):
        start_B1 = rng.integers(0, length_B)[:, None]
        runs |= (place_L >= start_B1) & (place_L < start_B1 + rng.integers(1, max(length // 3, 2), (batch, 1)))
    rest = place_L >= rng.integers(length_B // 4, length_B)[:, None]
    hidden = np.where(kind_B1 == 0, points, np.where(kind_B1 == 1, runs, rest))
    together_B1 = (kind_B1 == 2) | (rng.random((batch, 1)) < 0.5)
    return hidden, hidden & together_B1
