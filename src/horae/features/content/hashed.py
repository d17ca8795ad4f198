"""Texts to vectors with nothing but arithmetic: hashed words and letter groups, TF-IDF, a truncated SVD.

In: plain texts. Out: vectors whose dot products are near those of the TF-IDF rows. It is fitted on a catalog's texts
and encodes new ones at once. It knows no language: a word it has never met lies near words with the same letters, but
"sofa" and "couch" have nothing to do with each other unless they stand in the same texts.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from horae.errors import NotTrainedError
from horae.features.content.encoder import Advance, FloatArray, fingerprint_of, nothing, unit

__all__ = ["HashedEncoder"]

BUCKETS: Final = 1 << 20
FEATURES: Final = 32_768
"""At most so many buckets are kept, those that most texts have: 16 MB for 128 directions."""
FIT_TEXTS: Final = 100_000
BLOCK: Final = 8_192
OVERSAMPLED, POWERS = 16, 2
_WORD: Final = re.compile(r"\w+")
_NO_SPACES: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, Japanese, Chinese: words are not set apart, so every one, two and three signs count."""


class HashedEncoder:
    """`x = w V`: w the TF-IDF row (`(1 + log tf) idf`, length 1) over hashed features, V the SVD's first directions.

    Features are words, pairs of neighbouring words and the letter groups of 3 to 5 of each word; of scripts without
    spaces, one to three signs. The vector has length 1, or is 0 where no feature of the text was seen while fitting.

    Args:
        width: C. Fewer distinct texts than that leave the last columns 0.
        seed: Of the SVD's random start.

    Source: Weinberger et al. 2009 (hashing); Deerwester et al. 1990 (SVD of term weights); Halko, Martinsson & Tropp
        2011, algorithm 4.4 (the randomised SVD).
    Differs: No signs in the hashing; buckets that fewer than two texts share are dropped where there are 50 texts.
    """

    name = "hashed"

    def __init__(self, width: int = 128, seed: int = 0) -> None:
        self.width = width
        self.seed = seed
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self._of_word: dict[str, npt.NDArray[np.int64]] = {}

    @property
    def fitted(self) -> bool:
        """Were texts seen?"""
        return bool(self._arrays)

    @property
    def fingerprint(self) -> str:
        """Of what was fitted.

        Raises:
            NotTrainedError: Nothing was.
        """
        arrays = self.arrays()
        return fingerprint_of("hashed", 1, *(arrays[name].tobytes() for name in sorted(arrays)))

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn weights and directions; beyond 100,000 texts, of so many, evenly spaced."""
        if len(texts) > FIT_TEXTS:
            texts = [texts[row] for row in np.linspace(0, len(texts) - 1, FIT_TEXTS).astype(np.int64)]
        bucket_N, row_N, count_N = self._counted(texts)
        texts_of_bucket = np.bincount(bucket_N, minlength=BUCKETS)
        kept = np.flatnonzero(texts_of_bucket >= (2 if len(texts) >= 50 else 1))
        kept = np.sort(kept[np.argsort(-texts_of_bucket[kept], kind="stable")][:FEATURES])
        idf = np.log((1 + len(texts)) / (1 + texts_of_bucket[kept])) + 1
        self._arrays = {"bucket": kept, "idf": idf.astype(np.float32)}
        weights = self._weighted(bucket_N, row_N, count_N, len(texts))
        self._arrays["direction"] = _directions(weights, self.width, self.seed)
        return self

    def encode(self, given: Sequence[str], advance: Advance = nothing) -> FloatArray:
        """See `TextEncoder`.

        Raises:
            NotTrainedError: It was not fitted.
        """
        direction = self.arrays()["direction"]
        vector_NC = np.zeros((len(given), self.width), dtype=np.float32)
        for begin in range(0, len(given), BLOCK):
            block = given[begin : begin + BLOCK]
            vector_NC[begin : begin + len(block)] = self._weighted(*self._counted(block), len(block)) @ direction
            advance(len(block))
        return unit(vector_NC)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """What was fitted: `bucket`, `idf`, `direction`.

        Raises:
            NotTrainedError: Nothing was.
        """
        if not self._arrays:
            raise NotTrainedError("The hashed encoder has seen no texts.", hint="Call fit(texts) first.")
        return self._arrays

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The encoder that had these arrays."""
        made = cls(arrays["direction"].shape[1])
        made._arrays = dict(arrays)
        return made

    def _counted(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray]:
        """Bucket, row and count of every feature that a text has, by row."""
        found = [np.concatenate([*self._buckets(text), np.zeros(0, np.int64)]) for text in texts]
        row_N = np.repeat(np.arange(len(texts)), [len(one) for one in found])
        cell_N, count_N = np.unique(
            row_N * BUCKETS + np.concatenate([*found, np.zeros(0, np.int64)]), return_counts=True
        )
        return cell_N % BUCKETS, cell_N // BUCKETS, count_N.astype(np.float32)

    def _buckets(self, text: str) -> Iterator[npt.NDArray[np.int64]]:
        words = _WORD.findall(text.casefold())
        for word in words:
            if word not in self._of_word:
                if len(self._of_word) > 500_000:
                    self._of_word.clear()
                self._of_word[word] = _hashes(_groups(word))
            yield self._of_word[word]
        yield _hashes(f"{one} {other}" for one, other in itertools.pairwise(words))

    def _weighted(
        self, bucket_N: npt.NDArray[np.int64], row_N: npt.NDArray[np.int64], count_N: FloatArray, rows: int
    ) -> sparse.csr_array:
        """The rows' TF-IDF over the kept buckets, each of length 1."""
        kept = self._arrays["bucket"]
        if not len(kept):
            return sparse.csr_array((rows, 0), dtype=np.float32)
        column_N = np.searchsorted(kept, bucket_N).clip(max=len(kept) - 1)
        is_kept = kept[column_N] == bucket_N
        column_N, row_N, count_N = column_N[is_kept], row_N[is_kept], count_N[is_kept]
        weight_N = ((1 + np.log(count_N)) * self._arrays["idf"][column_N]).astype(np.float32)
        length = np.sqrt(np.bincount(row_N, weight_N**2, minlength=rows)).astype(np.float32)
        return sparse.csr_array((weight_N / length[row_N], (row_N, column_N)), shape=(rows, len(kept)))


def _groups(word: str) -> Iterator[str]:
    if _NO_SPACES.search(word):
        for size in (1, 2, 3):
            yield from (word[at : at + size] for at in range(len(word) - size + 1))
        return
    yield word
    edged = f"<{word[:64]}>"
    for size in (3, 4, 5):
        yield from (edged[at : at + size] for at in range(len(edged) - size + 1))


def _hashes(features: Iterator[str]) -> npt.NDArray[np.int64]:
    """CRC-32, which is the same in every process; Python's own hash is not."""
    return np.fromiter((zlib.crc32(one.encode()) % BUCKETS for one in features), dtype=np.int64)


def _directions(weights: sparse.csr_array, width: int, seed: int) -> FloatArray:
    """The first right singular vectors, `[features, C]`; each with its largest entry positive."""
    rows, features = weights.shape
    direction = np.zeros((features, width), dtype=np.float32)
    rank = min(width, rows, features)
    if not rank:
        return direction
    start = np.random.default_rng(seed).standard_normal((features, min(rank + OVERSAMPLED, rows, features)))
    span = np.linalg.qr(weights @ start.astype(np.float32))[0]
    for _ in range(POWERS):
        span = np.linalg.qr(weights @ (weights.T @ span))[0]
    inner = weights.T @ span
    square, turn = np.linalg.eigh(inner.T.astype(np.float64) @ inner)  # ascending; small, whatever the catalog's size
    strong = np.flatnonzero(square > 1e-6 * max(square[-1], 1e-30))[::-1][:rank]
    found = inner @ (turn[:, strong] / np.sqrt(square[strong])).astype(np.float32)
    largest = np.take_along_axis(found, np.abs(found).argmax(axis=0, keepdims=True), axis=0)
    direction[:, : len(strong)] = found * np.sign(largest)
    return direction
