import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, torch
from horae.training.allocator import keep_blocks
if sys.argv[1] == "kept":
    assert keep_blocks()
def step():
    block = torch.ones(2**24)  # 64 MiB: more than glibc keeps by itself
for _ in range(10):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_a_step_that_asks_for_the_same_blocks_again_touches_no_fresh_pages():
    assert faults("kept") < faults("given back") / 10


def test_another_c_library_is_left_alone(monkeypatch):
    from horae.training import allocator

    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("", ""))
    assert not allocator.keep_blocks()


def test_where_the_library_forbids_much_less_is_asked_for(monkeypatch):
    from horae.training import allocator

    asked = []

    class Library:
        def mallopt(self, what, size):
            asked.append((what, size))
            return int(what != allocator.MMAP_THRESHOLD or size <= 2**25)

    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("glibc", "2.31"))
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: Library())
    assert allocator.keep_blocks()
    assert asked == [(-3, 2**28), (-3, 2**25), (-1, 2**28)]
