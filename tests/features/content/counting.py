"""An encoder that counts its calls: the first letters' code points."""

from collections.abc import Sequence

import numpy as np

from horae.features.content.encoder import Advance, FloatArray, nothing


class Letters:
    name = "letters"
    width = 3
    fingerprint = "0123456789abcdef0123456789abcdef"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode(self, given: Sequence[str], advance: Advance = nothing) -> FloatArray:
        self.seen += given
        advance(len(given))
        return np.array([[ord(letter) for letter in text[:3].ljust(3)] for text in given], dtype=np.float32)
