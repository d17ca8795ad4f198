"""What an encoder is: things in, one vector each out, and a fingerprint that says when two vectors may be compared.

This module knows no encoder and no cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Advance", "Encoder", "FloatArray", "ImageEncoder", "TextEncoder", "fingerprint_of", "nothing", "unit"]

FloatArray = npt.NDArray[np.float32]
Advance = Callable[[int], None]
"""Called with how many more are done."""
Input = TypeVar("Input", contravariant=True)


class Encoder(Protocol[Input]):
    """One vector for each thing.

    Attributes:
        name: As users call it.
        width: C.
        fingerprint: Changes whenever the same input might give another vector: weights, pooling, prefix, precision.
    """

    @property
    def name(self) -> str:
        """As users call it."""

    @property
    def width(self) -> int:
        """C."""

    @property
    def fingerprint(self) -> str:
        """What decides over the vectors, in one short text."""

    def encode(self, given: Sequence[Input], advance: Advance = ...) -> FloatArray:
        """float32 `[N, C]`, finite, in the order given."""


TextEncoder = Encoder[str]
"""Texts in; they are plain (see `texts.plain_text`) and not empty."""
ImageEncoder = Encoder[bytes]
"""A picture file's content in; a row of zeros where it holds no picture that can be used."""


def nothing(done: int) -> None:
    """Tells nobody."""


def fingerprint_of(*parts: object) -> str:
    """16 bytes over all parts, as hexadecimal text."""
    whole = hashlib.blake2b(digest_size=16)
    for part in parts:
        content = part if isinstance(part, bytes) else str(part).encode()
        whole.update(len(content).to_bytes(8, "big") + content)
    return whole.hexdigest()


def unit(vector_NC: FloatArray) -> FloatArray:
    """Rows of length 1; rows of zeros stay."""
    length_N1 = np.linalg.norm(vector_NC, axis=1, keepdims=True)
    return np.asarray(vector_NC / np.where(length_N1 > 0, length_N1, 1.0), dtype=np.float32)
