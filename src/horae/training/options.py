"""Where a training starts, where it runs and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from horae.recommend.recommender import Recommender
from horae.training.progress import Progress

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """Where and how a training runs; nothing here but `start` changes what is learned.

    Attributes:
        device: `auto` takes a GPU where there is one.
        folder: Where checkpoints go while training; None keeps them in memory.
        resume: Go on from the checkpoint in `folder`.
        progress: None: a bar where a person watches.
        tensorboard: A folder for TensorBoard's event files (extra `track`).
        start: A trained network of the same recipe, on any log, whose weights are taken over: to learn on with newer
            events, or from another log that shares items, or none, where items are made of their content.
    """

    device: str = "auto"
    folder: Path | None = None
    resume: bool = False
    progress: Progress | None = None
    tensorboard: Path | None = None
    start: Recommender | None = None
