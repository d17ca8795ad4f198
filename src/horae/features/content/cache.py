"""Vectors kept on disk by the content they were made of, so that only what changed is encoded again.

In: an encoder's fingerprint, and texts or pictures. Out: the vectors that are known. One SQLite file for each
fingerprint: a writer that is killed leaves the file as it was before its last block, and several processes may use it
at once. A vector is found by a hash of the content, so an item's id and price may change as they like.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from horae.errors import StoreError
from horae.features.content.encoder import FloatArray

__all__ = ["ContentCache", "cache_folder"]

WAIT_SECONDS: Final = 60.0
ASKED_AT_ONCE: Final = 500
_TABLE: Final = "create table if not exists vector (key blob primary key, value blob not null) without rowid"


def cache_folder() -> Path:
    """Where vectors are kept if nobody says: `HORAE_CACHE`, or the user's cache directory."""
    if named := os.environ.get("HORAE_CACHE"):
        return Path(named) / "content"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "horae" / "content"


class ContentCache:
    """A folder of vectors.

    Args:
        folder: Made when something is first kept.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = cache_folder() if folder is None else Path(folder)

    def __str__(self) -> str:
        return f"{self.folder} ({self.size_bytes() / 1e6:.1f} MB)"

    def known(self, fingerprint: str, keys: Sequence[bytes], width: int) -> dict[int, FloatArray]:
        """The vectors that are there, by their place among the keys; damaged ones are not there."""
        file = self._file(fingerprint)
        if not file.exists():
            return {}
        place_of = {key: place for place, key in enumerate(keys)}
        found: dict[int, FloatArray] = {}
        with self._opened(file) as rows:
            for begin in range(0, len(keys), ASKED_AT_ONCE):
                for key, value in _rows_of(rows, keys[begin : begin + ASKED_AT_ONCE]):
                    if len(value) == 4 * width and np.isfinite(vector := np.frombuffer(value, "<f4")).all():
                        found[place_of[key]] = vector
        return found

    def keep(self, fingerprint: str, keys: Sequence[bytes], vector_NC: FloatArray) -> None:
        """Keep a block of vectors: all of them, or none if the process is killed.

        Raises:
            StoreError: The disk is full, or the folder may not be written.
        """
        with self._storing():
            self.folder.mkdir(parents=True, exist_ok=True)
        values = [row.astype("<f4").tobytes() for row in vector_NC]
        with self._opened(self._file(fingerprint)) as rows, rows:
            rows.executemany("insert or replace into vector values (?, ?)", zip(keys, values, strict=True))

    def size_bytes(self) -> int:
        """On disk, of all encoders."""
        return sum(file.stat().st_size for file in self._files())

    def clear(self) -> int:
        """Forget everything; the number of bytes that were freed."""
        freed = self.size_bytes()
        with self._storing():
            for file in self._files():
                file.unlink(missing_ok=True)
        return freed

    @staticmethod
    def key(content: bytes) -> bytes:
        """Under which a vector of this content is kept."""
        return hashlib.blake2b(content, digest_size=16).digest()

    def _file(self, fingerprint: str) -> Path:
        return self.folder / f"{fingerprint}.sqlite"

    def _files(self) -> list[Path]:
        return [file for file in self.folder.glob("*.sqlite*") if len(file.name.partition(".")[0]) == 32]

    @contextlib.contextmanager
    def _opened(self, file: Path) -> Iterator[sqlite3.Connection]:
        """The table; a file that is no database, or a damaged one, is deleted and begun anew."""
        with self._storing():
            try:
                rows = _connected(file)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                file.unlink(missing_ok=True)
                rows = _connected(file)
            with contextlib.closing(rows):
                yield rows

    @contextlib.contextmanager
    def _storing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"The cache of vectors in {self.folder} refused: {error}.",
                hint="Name another folder (cache=..., --cache), or go without: cache=False, --cache none.",
            ) from error


def _connected(file: Path) -> sqlite3.Connection:
    rows = sqlite3.connect(file, timeout=WAIT_SECONDS)
    try:
        rows.execute(_TABLE)
        rows.execute("select count(*) from vector").fetchone()  # reads every page's place: damage shows here
    except sqlite3.Error:
        rows.close()
        raise
    return rows


def _rows_of(rows: sqlite3.Connection, keys: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    marks = ",".join("?" * len(keys))
    yield from rows.execute(f"select key, value from vector where key in ({marks})", list(keys))
