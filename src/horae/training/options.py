"""Where and how a training runs: nothing here changes what is learned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from horae.training.progress import Progress

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """Where and how a training runs; nothing here changes what is learned.

    Attributes:
        device: `auto` takes a GPU where there is one.
        folder: Where checkpoints go while training; None keeps them in memory.
        resume: Go on from the checkpoint in `folder`.
        progress: None: a bar where a person watches.
        tensorboard: A folder for TensorBoard's event files (extra `track`).
    """

    device: str = "auto"
    folder: Path | None = None
    resume: bool = False
    progress: Progress | None = None
    tensorboard: Path | None = None
