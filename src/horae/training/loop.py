"""A network, an objective and events in; trained weights out. One explicit loop for every network.

Each epoch draws its order and its dropout from its own seed, `(seed, epoch)`; what the objective draws from is in the
checkpoint. So a resumed training gives the same weights as one that was never stopped. Checkpoints are written after
every epoch and replaced by renaming.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from horae.errors import DataError, NotTrainedError, RecipeError
from horae.models.encoders.recompute import recompute
from horae.models.network import Network
from horae.recipe import settings as read_settings
from horae.schema import IndexArray
from horae.sequences.batch import bucket
from horae.sequences.framing import Framed, windows
from horae.sequences.history import Histories, Sequences
from horae.training.allocator import keep_blocks
from horae.training.checkpoint import Checkpoint, Trained, fingerprint
from horae.training.learned_texts import texts_learned
from horae.training.objectives import Objective
from horae.training.optimisers import Optimiser, clip, make_optimiser
from horae.training.progress import Progress

__all__ = ["LoopSettings", "Trained", "batches_of", "be_thrifty", "begin_step", "move", "train_network", "windows_of"]

Validate = Callable[[], Mapping[str, float]]
CHOOSES = "ndcg@10"


def _doc(default: Any, text: str) -> Any:
    return field(default=default, metadata={"doc": text})


@dataclass(frozen=True)
class LoopSettings:
    """The keys of `[train]` that the loop reads; the objective reads the others."""

    epochs: int = _doc(100, "At most so many passes over the training events.")
    learning_rate: float = _doc(1e-3, "Step size of AdamW.")
    weight_decay: float = _doc(0.0, "Decoupled weight decay of AdamW.")
    average_steps: int = _doc(
        0, "Judge and keep the weights' running mean over about so many steps; 0: the weights as they are."
    )
    batch_tokens: int = _doc(2048, "Positions in a batch, padding included; histories of like length share a batch.")
    accumulate: int = _doc(
        1,
        "Take each batch in so many pieces, one after the other, and step once: the same gradient from about that part "
        "of the memory.",
    )
    checkpointing: bool = _doc(
        False,
        "Keep only what enters each of the encoder's blocks, and compute the inside anew for its gradient: the same "
        "gradient, much less memory, about a third more time.",
    )
    encoder_precision: Literal["float32", "bfloat16"] = _doc(
        "float32",
        "Of the encoder's products in training; `bfloat16` halves their memory, and on a GPU most of their time. "
        "Weights, sums and answers stay float32.",
    )
    patience: int = _doc(10, "Stop after so many epochs without a better validation NDCG@10.")
    clip_norm: float = _doc(5.0, "Longest gradient, by Euclidean norm over all parameters; 0 turns clipping off.")
    windows: Literal["all", "last"] = _doc("all", "Learn from everybody's whole line, or from the newest window only.")
    validation_requests: int = _doc(10_000, "Validate on so many requests, drawn by the seed.")
    relearn: Literal["auto", True, False] = _doc(
        "auto",
        "Once validation has chosen the number of epochs, learn again from train and validation together, at twice "
        "the cost. `auto`: where the split is by time, since a network that missed the newest events would be judged "
        "against opponents that counted them.",
    )

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_tokens", "accumulate", "patience", "validation_requests"):
            if getattr(self, name) < 1:
                raise RecipeError(f"[train] {name} = {getattr(self, name)}: expected at least 1.", hint="Raise it.")
        if not 0 < self.learning_rate < 10:
            raise RecipeError(f"[train] learning_rate = {self.learning_rate}: expected 0 to 10.", hint="Try 0.001.")
        for name in ("weight_decay", "clip_norm", "average_steps"):
            if not 0 <= getattr(self, name) < math.inf:
                raise RecipeError(f"[train] {name} = {getattr(self, name)}: expected 0 or more.", hint="Try 0.")

    def relearns(self, split_kind: str) -> bool:
        """Whether a training on such a split learns again."""
        return split_kind in ("time", "rolling") if self.relearn == "auto" else self.relearn

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> LoopSettings:
        """The loop's share of a `[train]` table; the other keys are the objective's to check."""
        mine = {key: value for key, value in table.items() if key in cls.__dataclass_fields__}
        return read_settings(cls, mine, "[train]")


def train_network(
    network: Network,
    objective: Objective,
    sequences: Sequences,
    settings: LoopSettings,
    *,
    validate: Validate | None,
    seed: int,
    begin: Callable[[], object] | None = None,
    progress: Progress,
    folder: Path | None = None,
    resume: bool = False,
    made_of: str = "",
    chooses: str = CHOOSES,
) -> Trained:
    """Train until the epochs are over or validation stops improving; leave the best weights in the network.

    Args:
        network: Trained in place, on the device where it lies.
        objective: Says which losses train which parameters.
        sequences: The training events, nothing later.
        settings: How.
        validate: Quality now, `chooses` among its figures. None: train all epochs and keep the last weights.
        seed: Same seed, same weights.
        begin: Done to the network before its first step; its time is the first epoch's.
        progress: Told where the training is.
        folder: Where checkpoints and `log.jsonl` go; None keeps all in memory.
        resume: Go on from the checkpoint in `folder`, if there is one.
        made_of: What `network` and `objective` were made of, where it matters that a checkpoint be of the same.
        chooses: The figure of `validate` by which the best epoch is known; larger is better.

    Raises:
        DataError: There is nothing to learn from.
        NotTrainedError: The loss became infinite, or exploded; the device failed or its memory was used up.
        RunError: The checkpoint is of another training, or damaged.
        StoreError: The checkpoint could not be written.
    """
    keep_blocks()
    be_thrifty(network, settings)
    optimiser = make_optimiser(network, settings.learning_rate, settings.weight_decay, settings.average_steps)
    state = Trained()
    checkpoint = Checkpoint(folder, fingerprint(sequences, vars(settings), network, seed, made_of)) if folder else None
    best = _copy(network)
    if checkpoint and resume and (found := checkpoint.read(network, optimiser, objective)):
        state, best = found
        with optimiser.judged():
            _refresh(network)
        progress.say(f"Going on after epoch {len(state.log)}.")
    progress.begin("training", settings.epochs)
    try:
        with torch.random.fork_rng(devices=[]):
            while len(state.log) < settings.epochs and not _stopped(state, settings, validate):
                line = _epoch(network, objective, optimiser, sequences, settings, state, seed, begin, progress)
                with optimiser.judged():
                    _refresh(network, line, state)
                    _judge(line, state, validate, network, chooses)
                    if line["best"]:
                        best = _copy(network)
                progress.epoch(line)
                if checkpoint:
                    checkpoint.write(network, optimiser, objective, state, best)
    except RuntimeError as error:
        broken = _broken_off(error, state, checkpoint)
        if broken is None:
            raise
        raise broken from error
    except KeyboardInterrupt:
        if state.best_epoch == 0:
            raise
        state.interrupted = True
        progress.say(f"Stopped by hand: the weights of epoch {state.best_epoch}, the best so far, are kept.")
    finally:
        progress.end()
    network.load_state_dict(best)
    _refresh(network)
    network.eval()
    return state


def be_thrifty(network: Network, settings: LoopSettings) -> None:
    """Let the network train with as much memory as the settings allow."""
    recompute(network.encoder, settings.checkpointing)
    network.autocast = torch.bfloat16 if settings.encoder_precision == "bfloat16" else None


def _epoch(
    network: Network,
    objective: Objective,
    optimiser: Optimiser,
    sequences: Sequences,
    settings: LoopSettings,
    state: Trained,
    seed: int,
    begin: Callable[[], object] | None,
    progress: Progress,
) -> dict[str, Any]:
    """One pass; returns the line for the log."""
    epoch = len(state.log) + 1
    rng = np.random.default_rng([seed, epoch])
    torch.manual_seed(int(rng.integers(2**62)))
    device = next(network.parameters()).device
    cut = windows_of(network, sequences, settings, rng)
    started, cpu_started = time.perf_counter(), time.process_time()
    if begin is not None and epoch == 1:
        begin()
    network.train()
    loss_sum, targets, reported = 0.0, 0, started
    batches = batches_of(cut, settings.batch_tokens, rng)
    for number, rows in enumerate(batches, start=1):
        piece = cut.take(rows)
        framed = network.framing.frame(piece, rng).to(device)
        begin_step(network, framed, rng)
        loss = _step(network, objective, optimiser, framed, settings)
        count = int((framed.target_BL > 0).sum())
        loss_sum, targets = loss_sum + loss * count, targets + count
        _guard(loss, loss_sum / max(targets, 1), state, epoch)
        state.positions += framed.target_BL.numel()
        state.padding += framed.target_BL.numel() - int(framed.batch.length_B.sum())
        if time.perf_counter() - reported > 0.2:
            reported = time.perf_counter()
            progress.step(
                epoch, number / len(batches), _facts(state, loss_sum / max(targets, 1), targets, reported - started)
            )
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    state.seconds += seconds
    state.cpu_seconds += cpu_seconds
    line = {"epoch": epoch, "loss": loss_sum / max(targets, 1), "targets": targets, "steps": len(batches)}
    return {**line, "seconds": round(seconds, 3), "cpu_seconds": round(cpu_seconds, 3)}


def windows_of(network: Network, sequences: Sequences, settings: LoopSettings, rng: np.random.Generator) -> Histories:
    """What an epoch learns from.

    Raises:
        DataError: Nothing.
    """
    upcoming = network.upcoming
    watched_until = math.nan if upcoming is None or "time" not in upcoming.asked else float(upcoming.watched_until)
    cut = windows(sequences, network.max_len, settings.windows, rng, watched_until)
    if len(cut) == 0:
        raise DataError(
            "There is nothing to learn from: no user has an event with a target event after it.",
            hint="Check target_behaviors in [data], or give a log with longer histories.",
        )
    return cut


def _step(
    network: Network,
    objective: Objective,
    optimiser: Optimiser,
    framed: Framed,
    settings: LoopSettings,
) -> float:
    if settings.accumulate > 1:
        return _step_in_pieces(network, objective, optimiser, framed, settings)
    total = 0.0
    for parameters, loss in objective.steps(network, framed):
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        move(network, optimiser, parameters, settings)
        total += float(loss.detach())
    return total


def _step_in_pieces(
    network: Network, objective: Objective, optimiser: Optimiser, framed: Framed, settings: LoopSettings
) -> float:
    """One step, its gradient gathered piece by piece: each piece's activations are gone before the next one's come."""
    total = 0.0
    moved: list[nn.Parameter] | None = None
    optimiser.zero_grad()
    for piece in framed.pieces(settings.accumulate):
        taken = objective.steps(network, piece, framed)
        assert len(taken) <= 1, "pieces are gathered for one loss"
        for parameters, loss in taken:
            loss.backward()  # type: ignore[no-untyped-call]
            total, moved = total + float(loss.detach()), parameters
    if moved is not None:
        move(network, optimiser, moved, settings)
    return total


def begin_step(network: Network, framed: Framed, rng: np.random.Generator) -> None:
    """What is made anew for each batch, whatever pieces it comes in."""
    if (learned := texts_learned(network)) is not None:
        texts, table = learned
        texts.begin_step(table, framed, rng)


def move(network: Network, optimiser: Optimiser, parameters: list[nn.Parameter], settings: LoopSettings) -> None:
    """Take the step that the gradients ask for."""
    if (learned := texts_learned(network)) is not None:
        texts, table = learned
        texts.end_step(table)
    if settings.clip_norm > 0:
        clip(parameters, settings.clip_norm)
    optimiser.step()


def batches_of(cut: Histories, batch_tokens: int, rng: np.random.Generator) -> list[IndexArray]:
    """Windows of like length together, otherwise in random order."""
    order = rng.permutation(len(cut))
    batches = [order[rows] for rows in bucket(cut.lengths[order] - 1, batch_tokens)]
    return [batches[number] for number in rng.permutation(len(batches))]


def _refresh(network: Network, line: dict[str, Any] | None = None, state: Trained | None = None) -> None:
    """Encode all texts anew where their encoder learns; a line and the training's time say how long it took."""
    if (learned := texts_learned(network)) is None:
        return
    texts, table = learned
    started, cpu_started = time.perf_counter(), time.process_time()
    texts.refresh(table)
    if line is not None and state is not None:
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
        line["texts_seconds"] = round(seconds, 3)
        state.seconds, state.cpu_seconds = state.seconds + seconds, state.cpu_seconds + cpu_seconds


def _guard(loss: float, mean: float, state: Trained, epoch: int) -> None:
    first = state.log[0]["loss"] if state.log else None
    exploded = first is not None and mean > 10 * abs(first) + 10
    if math.isfinite(loss) and not exploded:
        return
    what = "exploded" if exploded else "is no longer a number"
    raise NotTrainedError(
        f"The loss {what} in epoch {epoch} (now {loss:.4g}).",
        hint="Lower it: --set train.learning_rate=0.0003; or tighten --set train.clip_norm=1.0",
    )


def _broken_off(error: RuntimeError, state: Trained, checkpoint: Checkpoint | None) -> NotTrainedError | None:
    """What to tell when the device failed; None where the error is another. The last checkpoint is whole anyway."""
    text = (str(error).splitlines() or [""])[0]
    if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text:
        what, then = "ran out of memory", "Raise train.accumulate, or lower train.batch_tokens or model.dim"
    elif isinstance(error, torch.AcceleratorError):
        what, then = "failed", "See whether the device is still there: horae doctor"
    else:
        return None
    if checkpoint is not None and state.log:
        then += f". The checkpoint of epoch {len(state.log)} is whole: the same command with --resume goes on from it"
    return NotTrainedError(f"The device {what} in epoch {len(state.log) + 1}: {text}", hint=f"{then}.")


def _judge(line: dict[str, Any], state: Trained, validate: Validate | None, network: Network, chooses: str) -> None:
    line["best"] = True
    if validate is not None:
        network.eval()
        started = time.perf_counter()
        line["validation"] = dict(validate())
        line["validation_seconds"] = round(time.perf_counter() - started, 3)
        line["best"] = line["validation"][chooses] > state.best_metrics.get(chooses, -math.inf)
    if line["best"]:
        state.best_epoch = line["epoch"]
        state.best_metrics = line.get("validation", {})
    state.log.append(line)


def _stopped(state: Trained, settings: LoopSettings, validate: Validate | None) -> bool:
    return validate is not None and len(state.log) - state.best_epoch >= settings.patience


def _facts(state: Trained, loss: float, targets: int, seconds: float) -> dict[str, float]:
    facts = {"loss": loss, "targets/s": targets / max(seconds, 1e-9)}
    return facts | {f"val {name}": value for name, value in state.best_metrics.items()}


def _copy(network: Network) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
