"""A folder of files that is whole or is not there: written beside its name, synced, renamed, and checked when read.

In: a path, and who fills it. Out: the folder with a `manifest.json` that holds a format version and the SHA-256 of each
file. It does not know what the files are.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from horae.errors import StoreError

__all__ = [
    "MANIFEST",
    "PREPARED",
    "check",
    "check_free",
    "digest",
    "is_prepared",
    "left_behind",
    "recover",
    "replacing",
    "swap",
    "sync",
]

MANIFEST: Final = "manifest.json"
PREPARED: Final = "prepared log"
"""The kind that `horae.sequences.prepared` writes; whoever reads logs tells it from a folder of files."""


@contextlib.contextmanager
def replacing(path: Path, kind: str, version: int, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder that becomes `path`, with a manifest, when the block ends well, and leaves no trace otherwise.

    Args:
        path: The folder to write.
        kind: What such a folder is called, for the manifest and for errors.
        version: Of its format.
        overwrite: Replace what stands there, if it is of the same kind.

    Raises:
        StoreError: Something stands there, or the disk is full or refuses.
    """
    _check_target(path, kind, overwrite)
    temporary = path.parent / f".{path.name}.writing-{os.getpid()}"
    try:
        with _storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            for left in [temporary, *left_behind(path)]:
                shutil.rmtree(left, ignore_errors=True)
            temporary.mkdir()
            yield temporary
            _write_manifest(temporary, kind, version)
            for entry in [*temporary.iterdir(), temporary]:
                sync(entry)
            swap(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check(folder: Path, kind: str, version: int, *, content: bool = True) -> None:
    """Refuse a folder that is not what was written.

    Args:
        folder: What `replacing` made.
        kind: What it should be.
        version: The newest format that the caller reads.
        content: Compare the SHA-256 of every file; without it, only that the files are there and of their size.

    Raises:
        StoreError: Names the first file that is missing, truncated or edited.
    """
    recover(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        is_kind, written, files = manifest["kind"] == kind, int(manifest["format"]), dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder} is not a {kind}: {MANIFEST} is missing or damaged.", hint=_again(kind)) from error
    if not is_kind:
        raise StoreError(f"{folder} is a {manifest['kind']}, not a {kind}.", hint="Give another folder.")
    if written > version:
        raise StoreError(
            f"{folder} was written by a newer Horae (format {written}; this one reads up to {version}).",
            hint="Upgrade with: pip install --upgrade horae",
        )
    for name, wanted in files.items():
        file = folder / name
        if not file.is_file():
            raise StoreError(f"{file} is missing.", hint=_again(kind))
        if file.stat().st_size != wanted["bytes"] or (content and digest(file) != wanted["sha256"]):
            raise StoreError(f"{file} is not what was written: truncated or edited.", hint=_again(kind))


def is_prepared(source: str | os.PathLike[str]) -> bool:
    """Is this a folder that `horae data prepare` wrote?"""
    try:
        kind = json.loads((Path(source) / MANIFEST).read_text(encoding="utf-8"))["kind"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(kind == PREPARED)


def check_free(folder: Path, needed: int, what: str) -> None:
    """Refuse before an hour of work what the disk cannot hold.

    Raises:
        StoreError: Says how much is needed, and how much is free.
    """
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise StoreError(
            f"{what} needs about {needed / 1e9:.1f} GB on the disk of {there}; {free / 1e9:.1f} GB are free.",
            hint="Free some space, or give a folder on another disk.",
        )


def _check_target(path: Path, kind: str, overwrite: bool) -> None:
    recover(path)
    if not path.exists():
        return
    if not overwrite:
        raise StoreError(f"{path} exists already.", hint="Choose another name, or add --overwrite to replace it.")
    try:
        same = json.loads((path / MANIFEST).read_text(encoding="utf-8")).get("kind") == kind
    except (OSError, ValueError, AttributeError):
        same = False
    if not same:
        raise StoreError(f"{path} exists and is not a {kind}; it will not be replaced.", hint="Choose another name.")


def _again(kind: str) -> str:
    return f"Make the {kind} again, or restore a copy."


def _write_manifest(folder: Path, kind: str, version: int) -> None:
    entries = {
        entry.name: {"bytes": entry.stat().st_size, "sha256": digest(entry)} for entry in sorted(folder.iterdir())
    }
    document = {"kind": kind, "format": version, "files": entries}
    (folder / MANIFEST).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def digest(file: Path) -> str:
    """The SHA-256 of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def left_behind(path: Path) -> list[Path]:
    """What writers of `path` left that were killed."""
    beginning = f".{path.name}.writing-"
    found = path.parent.glob(f"{glob.escape(beginning)}*")
    return [entry for entry in found if not _runs(entry.name.removeprefix(beginning))]


def _runs(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):  # not ours to judge
        return True
    return True


def swap(temporary: Path, path: Path) -> None:
    """Put the new folder in place. Killed between the two renames, `recover` finds the old one."""
    old = _old(path)
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
    temporary.rename(path)
    sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _old(path: Path) -> Path:
    return path.parent / f".{path.name}.old"


def recover(path: Path) -> None:
    """Bring back a folder whose replacement was killed half-way."""
    if not path.exists() and (_old(path) / MANIFEST).is_file():
        _old(path).rename(path)


def sync(path: Path) -> None:
    """Have a file, or a folder's entries, on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _storing(path: Path) -> Iterator[None]:
    """Storage's own refusals, in words."""
    try:
        yield
    except StoreError:
        raise
    except (OSError, pl.exceptions.ComputeError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
            raise StoreError(f"The disk is full: {path} was not written.", hint="Free some space.") from error
        raise StoreError(f"Cannot write {path}: {error}.", hint="Check the folder and its rights.") from error
