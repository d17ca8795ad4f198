"""What a search has tried, on disk after every epoch, so that a kill at any moment loses one trial at most.

    tune.json     what the search is of: recipe, ranges, data, seed
    trials.jsonl  one line per trial, the running one included
    best.toml     the best recipe so far
    report.html   what was found and what mattered

In: trials. Out: the same, read back. A file is replaced by renaming. It does not know what a trial trains, nor Optuna.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from horae.data.split import Split
from horae.errors import RunError
from horae.recommend.run import storing
from horae.schema import Events

__all__ = ["FINISHED", "Trial", "TrialLog", "catalog_fingerprint", "data_fingerprint"]

State = Literal["running", "complete", "pruned", "failed", "stopped"]
FINISHED = ("complete", "pruned", "failed")
"""Trials that are not tried again, and from which the search learns."""

NAMED = {"catalog": "catalog", "data": "log or split", "ranges": "set of ranges", "recipe": "recipe", "seed": "seed"}
"""What the keys of `tune.json` are to whoever reads an error."""

ROWS = 1_000_000


@dataclass
class Trial:
    """One setting that was tried.

    Attributes:
        number: From 1, in the order of trying.
        values: By `table.key`.
        state: `complete`; `pruned` (given up, being worse than most at the same epoch); `failed` (it could not be
            trained); `stopped` (by hand, by the clock or killed: tried again when the search goes on).
        ndcg: The best validation NDCG@10 so far.
        best_epoch: Where that was; 0 for an opponent.
        curve: Validation NDCG@10 after each epoch.
        seconds: How long it took.
        why: Of what is failed or stopped.
    """

    number: int
    values: dict[str, Any]
    state: State = "running"
    ndcg: float | None = None
    best_epoch: int = 0
    curve: list[float] = field(default_factory=list)
    seconds: float = 0.0
    why: str = ""

    def after_epoch(self, ndcg: float) -> None:
        """Note what validation says after one more epoch."""
        self.curve.append(ndcg)
        if self.ndcg is None or ndcg > self.ndcg:
            self.ndcg, self.best_epoch = ndcg, len(self.curve)


class TrialLog:
    """The trials of one search, in a folder or (None) in memory only."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def check(self, resume: bool) -> None:
        """Refuse now rather than after the log was read.

        Raises:
            RunError: Another search stands there, or something that is none.
            StoreError: The folder cannot be written.
        """
        if self.folder is None:
            return
        with storing(self.folder):
            new = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            probe = self.folder / ".probe"
            probe.touch()
            probe.unlink()
            held = any(self.folder.iterdir())
            if new:  # nothing may be left behind by a log that turns out to be unreadable
                self.folder.rmdir()
        if held and not (self.folder / "tune.json").exists():
            raise RunError(
                f"{self.folder} holds files that are of no search; they will not be mixed with one.",
                hint="Give an empty or a new folder.",
            )
        if held and not resume:
            raise RunError(
                f"A search is in {self.folder} already.", hint="Add --resume to go on with it, or give another folder."
            )

    def begin(self, made_of: Mapping[str, Any], resume: bool) -> list[Trial]:
        """The trials so far, those that were running when the search was killed as `stopped`; none at the beginning.

        Raises:
            RunError: The search there is of something else, or damaged.
            StoreError: The folder cannot be written.
        """
        if self.folder is None:
            return []
        self.check(resume)
        described = json.loads(json.dumps(made_of))
        if not (self.folder / "tune.json").exists():
            self.write_text("tune.json", json.dumps(described, indent=1, ensure_ascii=False) + "\n")
            self.write_text("trials.jsonl", "")
            return []
        there = _read_json(self.folder / "tune.json")
        differing = sorted(name for name in {*there, *described} if there.get(name) != described.get(name))
        if differing:
            raise RunError(
                f"The search in {self.folder} is of another {' and another '.join(NAMED[name] for name in differing)}.",
                hint="Give the same EVENTS, split, recipe, --catalog, --set and --seed as before, or another folder.",
            )
        return self._read()

    def write(self, trials: Iterable[Trial]) -> None:
        """Replace `trials.jsonl`."""
        self.write_text("trials.jsonl", "".join(json.dumps(asdict(trial)) + "\n" for trial in trials))

    def write_text(self, name: str, text: str) -> None:
        """Replace a file of the folder.

        Raises:
            StoreError: The disk is full, or the folder cannot be written.
        """
        if self.folder is None:
            return
        with storing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = self.folder / f".{name}.writing"
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, self.folder / name)

    def _read(self) -> list[Trial]:
        assert self.folder is not None
        file, trials = self.folder / "trials.jsonl", []
        with storing(file):
            lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        for number, line in enumerate(lines, start=1):
            try:
                trial = Trial(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise RunError(
                    f"{file}, line {number}, is damaged: {error}.", hint="Remove that line, or use another folder."
                ) from error
            if trial.state == "running":
                trial.state, trial.why = "stopped", "killed"
            trials.append(trial)
        return trials


def data_fingerprint(data: Events | Split) -> str:
    """Of every cleaned event and, where it is split, of its part: another fingerprint is another log or split."""
    events = data.events if isinstance(data, Split) else data
    frame = events.frame if not isinstance(data, Split) else events.frame.with_columns(data.part)
    names: Sequence[str] = [name for name in frame.columns if name not in events.context]
    digest = hashlib.sha256(",".join(names).encode())
    for start in range(0, frame.height, ROWS):
        digest.update(frame[start : start + ROWS].select(names).write_csv(include_header=False).encode())
    return digest.hexdigest()


def catalog_fingerprint(catalog: pl.DataFrame) -> str:
    """Of every cell, pictures and lists included."""
    content = io.BytesIO()
    catalog.write_ipc(content)
    return hashlib.sha256(content.getbuffer()).hexdigest()


def _read_json(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{file} is damaged: {error}.", hint="Use another folder.") from error
    if not isinstance(document, dict):
        raise RunError(f"{file} is damaged: expected an object.", hint="Use another folder.")
    return document
