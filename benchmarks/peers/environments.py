"""The peers' environments: made from pinned requirements, one folder each, outside the repository.

In: `requirements/NAME.txt`; its first line may say which Python it needs. Out: environments, and what their scripts
print. It knows no model. The folder: `HORAE_PEERS`, else the user's cache.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
SCRIPT_OF: Final = {name: f"run_{name}.py" for name in ("replay", "rectools", "recbole", "implicit", "lenskit")}
PEERS: Final = tuple(sorted(file.stem for file in (HERE / "requirements").glob("*.txt")))
THREADS: Final = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)
ONE_THREAD: Final = {
    "OMP_WAIT_POLICY": "PASSIVE",
    **dict.fromkeys(THREADS, "1"),
}
TUNED_MALLOC: Final = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=8589934592"
    ":glibc.malloc.trim_threshold=17179869184"
}
"""Keep big blocks, on huge pages: what any user of a peer can set, and what makes it faster on CPUs."""


def folder() -> Path:
    """Where environments and what is kept between runs lie."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("HORAE_PEERS") or cache / "horae" / "peers")


def setup(name: str) -> None:
    """Make the environment anew; a peer that needs another Python is made with that one, or refused."""
    requirements = _requirements(name)
    chosen = _python_for(name, requirements.read_text(encoding="utf-8"))
    place = folder() / name
    subprocess.run([chosen, "-m", "venv", "--clear", str(place)], check=True)
    subprocess.run([str(python(name)), "-m", "pip", "install", "-q", "-r", str(requirements)], check=True)


def made(name: str) -> bool:
    """Whether the peer's environment is there."""
    return (folder() / name / "bin" / "python").exists()


def python(name: str) -> Path:
    """The environment's Python.

    Raises:
        SystemExit: It was not made yet; says how.
    """
    _requirements(name)
    if not made(name):
        sys.exit(f"The peer {name!r} has no environment; make it first: python -m benchmarks peers-setup {name}")
    return folder() / name / "bin" / "python"


def ask(name: str, verb: str, log: Path, settings: dict[str, Any], *, tuned: bool = False) -> dict[str, Any]:
    """Run a verb of the peer's script, one thread; what it told."""
    command = [str(python(name)), str(HERE / SCRIPT_OF[name]), verb, str(log), json.dumps(settings)]
    return _told(command, TUNED_MALLOC if tuned else {})


def ask_ours(verb: str, log: Path, settings: dict[str, Any], *, tuned: bool = False) -> dict[str, Any]:
    """The same of our side, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.peers.run_horae", verb, str(log), json.dumps(settings)]
    return _told(command, TUNED_MALLOC if tuned else {})


def versions(name: str, packages: tuple[str, ...]) -> dict[str, str]:
    """What is installed there, of these packages."""
    code = "import importlib.metadata as m, json, sys; print(json.dumps({p: m.version(p) for p in sys.argv[1:]}))"
    done = subprocess.run([str(python(name)), "-c", code, *packages], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _told(command: list[str], tunables: dict[str, str]) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if key != "GLIBC_TUNABLES"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=HERE.parent.parent, env={**environment, **ONE_THREAD, **tunables}
    )
    if done.returncode:
        sys.exit(f"{Path(command[1]).name} {' '.join(command[2:4])} failed:\n{done.stderr[-3000:]}")
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def _requirements(name: str) -> Path:
    if name not in PEERS:
        sys.exit(f"There is no peer {name!r}; known: {', '.join(PEERS)}.")
    return HERE / "requirements" / f"{name}.txt"


def _python_for(name: str, requirements: str) -> str:
    """This Python, or a newer one on the path where the requirements ask for it (`# python >= 3.12.5`)."""
    asked = re.match(r"# python >= ([\d.]+)", requirements)
    if asked is None or sys.version_info[:3] >= tuple(int(part) for part in asked[1].split(".")):
        return sys.executable
    for minor in (13, 14, 12):
        for candidate in filter(None, [os.environ.get("HORAE_PEERS_PYTHON"), shutil.which(f"python3.{minor}")]):
            code = f"import sys; sys.exit(sys.version_info[:3] < ({asked[1].replace('.', ', ')}))"
            if subprocess.run([candidate, "-c", code], capture_output=True).returncode == 0:
                return candidate
    sys.exit(
        f"{name} needs Python {asked[1]} or newer, this is {sys.version.split()[0]}: name one in HORAE_PEERS_PYTHON."
    )
