"""Where a run is made: its folder, and the checkpoints beside it while it trains.

In: paths and wishes. Out: refusals before any work, and a folder name. It does not know what a run is.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from horae.cli.output import say
from horae.errors import RunError

__all__ = ["Place"]


@dataclass(frozen=True)
class Place:
    """A run folder to be.

    Attributes:
        run: The folder.
        resume: Go on with a training that was stopped.
        overwrite: Replace a run, or throw away a training that was stopped.
    """

    run: Path
    resume: bool = False
    overwrite: bool = False

    @property
    def checkpoints(self) -> Path:
        """`.<RUN>.training`, beside the run: removed when the run is written."""
        return self.run.parent / f".{self.run.name}.training"

    @property
    def unfinished(self) -> bool:
        """Is there a checkpoint to go on from?"""
        return any(self.checkpoints.glob("*/last.safetensors"))

    def prepare(self) -> None:
        """Refuse now rather than after an hour.

        Raises:
            RunError: A run or an unfinished training is there, and nobody said what to do with it.
            StoreError: The folder cannot be written.
        """
        from horae.recommend.run import check_writable

        going_on = self.resume and self.unfinished
        check_writable(self.run, overwrite=self.overwrite or going_on)
        if self.resume and not self.unfinished:
            say(f"note: there is no unfinished training of {self.run}; it starts from the beginning.")
        if self.unfinished and not self.resume:
            if not self.overwrite:
                raise RunError(
                    f"A training of {self.run} was stopped before its end.",
                    hint="Add --resume to go on with it, or --overwrite to begin again.",
                )
            self.clear()

    def clear(self) -> None:
        """Remove the checkpoints."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)
