import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from horae.errors import StoreError
from horae.features.content.cache import ContentCache, cache_folder
from horae.features.content.encode import encode_texts
from tests.features.content.counting import Letters

PRINT = Letters.fingerprint
WRITER = """
import sys, numpy as np
from horae.features.content.cache import ContentCache
cache, first = ContentCache(sys.argv[1]), int(sys.argv[2])
for block in range(first, first + int(sys.argv[3])):
    keys = [cache.key(f"{block}/{row}".encode()) for row in range(50)]
    cache.keep(sys.argv[4], keys, np.full((50, 4), block, np.float32))
    print(block, flush=True)
"""


def writer(folder: Path, first: int, blocks: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITER, str(folder), str(first), str(blocks), PRINT]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def kept(folder: Path, block: int) -> int:
    cache = ContentCache(folder)
    found = cache.known(PRINT, [cache.key(f"{block}/{row}".encode()) for row in range(50)], 4)
    assert all((vector == block).all() for vector in found.values())
    return len(found)


def test_only_what_changed_is_encoded_again(tmp_path):
    first, second = Letters(), Letters()
    before = encode_texts(["abc", "def", "abc", "", "ghi"], first, cache=tmp_path)
    assert first.seen == ["abc", "def", "ghi"]  # once each, and nothing for nothing
    after = encode_texts(["ghi", "new", "abc"], second, cache=tmp_path)
    assert second.seen == ["new"]
    assert np.array_equal(after[[0, 2]], before[[4, 0]]) and not before[3].any()


def test_another_fingerprint_shares_nothing(tmp_path):
    encode_texts(["abc"], Letters(), cache=tmp_path)
    other = Letters()
    other.fingerprint = "f" * 32
    encode_texts(["abc"], other, cache=tmp_path)
    assert other.seen == ["abc"]


def test_a_killed_writer_loses_at_most_its_block_and_two_write_at_once(tmp_path):
    one, two = writer(tmp_path, 0, 10_000), writer(tmp_path, 20_000, 20)
    assert one.stdout is not None and two.stdout is not None
    done = [int(one.stdout.readline()) for _ in range(3)]
    os.kill(one.pid, signal.SIGKILL)
    one.wait()
    last = [int(line) for line in one.stdout.read().split()]
    assert two.wait() == 0
    one.stdout.close()
    two.stdout.close()
    assert all(kept(tmp_path, block) == 50 for block in [*done, *last, *range(20_000, 20_020)])
    assert kept(tmp_path, max([*done, *last]) + 1) in (0, 50)


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000, b""])
def test_a_damaged_file_is_begun_anew(tmp_path, content):
    (tmp_path / f"{PRINT}.sqlite").write_bytes(content)
    encoder = Letters()
    assert encode_texts(["abc"], encoder, cache=tmp_path)[0].tolist() == [97, 98, 99]
    assert encode_texts(["abc"], encoder, cache=tmp_path)[0].tolist() == [97, 98, 99]
    assert encoder.seen == ["abc"]


@pytest.mark.parametrize("value", [b"short", np.array([1, np.nan, 1], "<f4").tobytes()])
def test_a_vector_of_another_width_or_with_nan_is_not_there(tmp_path, value):
    cache = ContentCache(tmp_path)
    cache.keep(PRINT, [cache.key(b"abc")], np.ones((1, 3), np.float32))
    with sqlite3.connect(tmp_path / f"{PRINT}.sqlite") as rows:
        rows.execute("update vector set value = ?", (value,))
    rows.close()
    assert cache.known(PRINT, [cache.key(b"abc")], 3) == {}


def test_it_says_how_large_it_is_and_empties_itself_alone(tmp_path):
    (tmp_path / "notes.sqlite").write_text("mine")
    encode_texts(["abc"], Letters(), cache=tmp_path)
    cache = ContentCache(tmp_path)
    assert cache.size_bytes() > 0 and str(tmp_path) in str(cache)
    assert cache.clear() > 0 and cache.size_bytes() == 0
    assert (tmp_path / "notes.sqlite").exists()


def test_a_folder_that_cannot_be_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as raised:
        encode_texts(["abc"], Letters(), cache=tmp_path / "file" / "cache")
    assert "cache=False" in raised.value.hint


def test_the_users_own_folder_is_named_or_done_without(tmp_path, monkeypatch):
    monkeypatch.setenv("HORAE_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine" / "content"
    encode_texts(["abc"], Letters())
    assert ContentCache().size_bytes() > 0
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HORAE_CACHE", str(tmp_path / "file"))
    assert encode_texts(["abc"], Letters())[0].any()
