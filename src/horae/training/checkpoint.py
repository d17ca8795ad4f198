"""A training that can be stopped: what it has come to, on disk after every epoch, and back again.

In: the network, the optimiser, the objective and the log so far. Out: one safetensors file, replaced by renaming, so
that a kill at any moment leaves the last whole one. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
from torch import Tensor

from horae.errors import RunError
from horae.models.network import Network
from horae.recommend.run import storing
from horae.sequences.history import Sequences
from horae.training.objectives import Objective
from horae.training.optimisers import Optimiser

__all__ = ["Checkpoint", "Trained", "fingerprint"]


@dataclass
class Trained:
    """What a training came to.

    Attributes:
        best_epoch: The epoch whose weights the network now has.
        log: One mapping per epoch, as in `log.jsonl`.
        interrupted: Ctrl-C came; the weights are the best until then.
        positions: Positions computed, padding included; with `padding` and `seconds`, the speed.
    """

    best_epoch: int = 0
    best_metrics: dict[str, float] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False
    positions: int = 0
    padding: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def fingerprint(sequences: Sequences, settings: Mapping[str, Any], network: Network, seed: int, made_of: str) -> str:
    """Of everything that the weights depend on: another fingerprint is another training."""
    digest = hashlib.sha256(made_of.encode())
    fixed_content = [buffer.cpu().numpy() for buffer in network.items.buffers()]
    for array in (*vars(sequences.flat).values(), sequences.offset_U1, *fixed_content):
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    shapes = {name: list(value.shape) for name, value in network.state_dict().items()}
    fixed = {**settings, "epochs": 0, "patience": 0}  # those two may be raised to go on
    digest.update(json.dumps([fixed, shapes, seed], sort_keys=True).encode())
    return digest.hexdigest()


class Checkpoint:
    """`last.safetensors` in a folder: weights now and at the best epoch, the optimiser, and the log as metadata."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint

    def write(
        self,
        network: Network,
        optimiser: Optimiser,
        objective: Objective,
        state: Trained,
        best: Mapping[str, Tensor],
    ) -> None:
        """Replace the checkpoint.

        Raises:
            StoreError: The disk is full or the folder cannot be written.
        """
        arrays = {f"now.{name}": value.detach().cpu().clone() for name, value in network.state_dict().items()}
        arrays |= {f"best.{name}": value.cpu().clone() for name, value in best.items()}
        arrays |= {f"optimiser.{name}": value.cpu().clone() for name, value in optimiser.state().items()}
        arrays |= {f"objective.{name}": value.cpu().clone() for name, value in objective.state().items()}
        metadata = {"fingerprint": self.fingerprint, "state": json.dumps(vars(state))}
        lines = "".join(json.dumps(line) + "\n" for line in state.log)
        with storing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = self.folder / "last.safetensors.writing"
            safetensors.torch.save_file(arrays, temporary, metadata)
            os.replace(temporary, self.folder / "last.safetensors")
            (self.folder / "log.jsonl").write_text(lines, encoding="utf-8")

    def read(
        self, network: Network, optimiser: Optimiser, objective: Objective
    ) -> tuple[Trained, dict[str, Tensor]] | None:
        """Put everything back; the training so far and its best weights. None where there is no checkpoint.

        Raises:
            RunError: It is of another training, or damaged.
        """
        file = self.folder / "last.safetensors"
        if not file.exists():
            return None
        try:
            with safetensors.safe_open(file, "pt") as stream:
                metadata = stream.metadata()
                arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        except safetensors.SafetensorError as error:
            raise RunError(f"{file} is damaged: {error}.", hint="Train again, from the beginning.") from error
        if metadata["fingerprint"] != self.fingerprint:
            raise RunError(
                f"{file} is a checkpoint of another training (other data, recipe or seed).",
                hint="Give the same EVENTS, recipe and --seed as before, or train without --resume.",
            )
        network.load_state_dict(_part(arrays, "now."))
        optimiser.load_state(_part(arrays, "optimiser."))
        objective.load_state(_part(arrays, "objective."))
        return Trained(**json.loads(metadata["state"])), _part(arrays, "best.")


def _part(arrays: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
