"""Keeps freed blocks of memory for the next step, where the C library lets a program ask for it.

glibc gives blocks of some megabytes back to the kernel when they are freed, and every first touch of a fresh page
costs: on virtual machines ten times as much as using the page again. A training step asks for the same blocks as the
step before it.
"""

from __future__ import annotations

import ctypes
import platform

__all__ = ["keep_blocks"]

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # malloc.h
KEPT_BYTES = (2**28, 2**25)
"""The most that is asked for; and what a glibc takes that forbids more than 32 MiB."""


def keep_blocks() -> bool:
    """Let this process keep up to 256 MiB of freed blocks; says whether the C library took it."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return any(mallopt(MMAP_THRESHOLD, size) for size in KEPT_BYTES) and bool(mallopt(TRIM_THRESHOLD, KEPT_BYTES[0]))
