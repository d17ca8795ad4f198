import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from horae.cli import app

SMALL = ("model.dim=8", "model.max_len=10", "model.num_layers=1", "model.num_heads=1", "train.batch_tokens=256")
SETTINGS = [part for setting in SMALL for part in ("--set", setting)]


@dataclass(frozen=True)
class Ended:
    """How a verb ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Horae = Callable[..., Ended]


@pytest.fixture(scope="session")
def horae() -> Horae:
    """Run a verb in this process."""

    def run(*arguments: str | Path, code: int = 0, input: str | None = None) -> Ended:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=input, prog_name="horae")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return Ended(result.exit_code, result.stdout, result.stderr)

    return run


def start(*arguments: str | Path, **how: Any) -> "subprocess.Popen[str]":
    """Run a verb in a process of its own, on one thread."""
    command = [sys.executable, "-m", "horae", *(str(argument) for argument in arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
    env = {"OMP_NUM_THREADS": "1", "PATH": "", "COLUMNS": "80", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    return subprocess.Popen(command, text=True, env=env, **pipes)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 users walk i00 -> i01 -> ... over 15 items; users that look like numbers but are text: 007."""
    rng = np.random.default_rng(0)
    lines = ["user_id,item_id,timestamp"]
    for user in range(60):
        item = int(rng.integers(15))
        for step in range(8):
            lines.append(f"{user:03},i{item:02},{1_600_000_000 + 86_400 * step + user}")
            item = int(rng.integers(15)) if rng.random() < 0.1 else (item + 1) % 15
    file = tmp_path_factory.mktemp("log") / "events.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture(scope="session")
def run(horae: Horae, log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run, not judged. Never written to."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    horae("train", log, "-o", folder, *SETTINGS, "--set", "train.epochs=2")
    return folder


@pytest.fixture
def own_run(run: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be changed."""
    import shutil

    return Path(shutil.copytree(run, tmp_path / "run"))
