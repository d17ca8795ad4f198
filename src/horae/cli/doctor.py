"""`horae doctor`: what is installed, on what it runs, what is missing and how to get it."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import os
import platform
import re
from typing import Any

from horae.cli import options as o
from horae.cli.output import aligned, show, show_json
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "doctor"]

EXAMPLES = """\b
Examples:
  horae doctor
  horae doctor --json
"""


@verb
def doctor(json_: o.Json = False) -> None:
    """Say what is installed, what computes, what is missing."""
    found = {**_machine(), "packages": _packages(""), "extras": _extras(), **_places()}
    if json_:
        show_json(found)
        return
    memory = found["memory_mb"]
    facts = [
        ("horae", f"{found['horae']}, Python {found['python']}, {found['system']}"),
        ("device", f"{found['device']}, {found['threads']} threads on {found['cores']} cores"),
        ("memory", "unknown" if memory is None else f"{memory:,} MB, {found['free_memory_mb']:,} MB free"),
        ("packages", ", ".join(f"{name} {version or 'MISSING'}" for name, version in found["packages"].items())),
        ("recipes", f"{found['recipes']} ({found['recipe_names']})"),
        ("HORAE_DATA", found["horae_data"] or "not set (a folder of prepared public sets)"),
    ]
    rows = [
        (name, "here" if not extra["missing"] else "missing " + ", ".join(extra["missing"]), extra["install"] or "")
        for name, extra in found["extras"].items()
    ]
    show(aligned(("", ""), facts).strip("\n"))
    show("\n" + aligned(("extra", "state", "get it with"), rows))


def _machine() -> dict[str, Any]:
    import torch

    cuda = torch.cuda.is_available()
    pages = os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
    page_bytes = os.sysconf("SC_PAGE_SIZE") if pages else 0
    free = os.sysconf("SC_AVPHYS_PAGES") if "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", {}) else 0
    return {
        "horae": importlib.metadata.version("horae"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": f"cuda ({torch.cuda.get_device_name()})" if cuda else "cpu (no GPU that this torch can use)",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_mb": pages * page_bytes // 2**20 if pages else None,
        "free_memory_mb": free * page_bytes // 2**20,
    }


def _places() -> dict[str, Any]:
    from horae.recipe import recipe_names

    return {
        "recipes": str(importlib.resources.files("horae") / "recipes"),
        "recipe_names": ", ".join(recipe_names()),
        "horae_data": os.environ.get("HORAE_DATA"),
    }


def _extras() -> dict[str, dict[str, Any]]:
    extras: dict[str, dict[str, Any]] = {}
    for name in importlib.metadata.metadata("horae").get_all("Provides-Extra") or ():
        versions = _packages(name)
        missing = [package for package, version in versions.items() if version is None]
        install = f"pip install 'horae[{name}]'" if missing else None
        extras[name] = {"packages": versions, "missing": missing, "install": install}
    return extras


def _packages(extra: str) -> dict[str, str | None]:
    """Version of each package that an extra (or none: the core) brings; None where it is not installed."""
    versions: dict[str, str | None] = {}
    for requirement in importlib.metadata.requires("horae") or ():
        package, _, marker = requirement.partition(";")
        named = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        if (named.group(1) if named else "") != extra:
            continue
        name = re.split(r"[\s\[<>=!~(]", package.strip(), maxsplit=1)[0]
        if name != "horae":
            versions[name] = _version(name)
    return versions


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
