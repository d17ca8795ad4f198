"""Pictures as files come, decoded with care, and described by their colors and edges.

In: the content of a picture file. Out: a small RGB picture, or why there is none; and, as the encoder that needs no
weights, statistics of it. It does not know what a picture shows: two red shoes and a red car may lie near each other.
"""

from __future__ import annotations

import contextlib
import io
import math
import struct
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from horae.errors import DataError, MissingExtraError
from horae.features.content.encoder import Advance, FloatArray, fingerprint_of, nothing, unit

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["ColorEncoder", "check_pillow", "picture_of"]

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO")
"""No others are tried: some formats call other programs."""
MAX_PIXELS: Final = 50_000_000
MAX_BYTES: Final = 64_000_000
SIDE: Final = 48
LEVELS, GRID, TURNS = 4, 4, 8


def picture_of(content: bytes, side: int) -> Image:
    """The first frame, upright, in RGB on white, read at about the size that is needed.

    Args:
        content: Of a file.
        side: The shorter side that is needed at least, in pixels; JPEGs are decoded near it.

    Raises:
        DataError: It is no picture, a broken one, or one of more than 50 million pixels (a decompression bomb).
        MissingExtraError: Pillow is not installed.
    """
    check_pillow()
    from PIL import Image, ImageOps

    if len(content) > MAX_BYTES:
        raise DataError(f"The picture has {len(content):,} bytes, more than {MAX_BYTES:,}.", hint="Scale it down.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; sizes are checked here
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise DataError(
                        f"The picture has {picture.width:,} x {picture.height:,} pixels, more than {MAX_PIXELS:,}.",
                        hint="Scale it down.",
                    )
                picture.draft("RGB", (side, side))
                upright = ImageOps.exif_transpose(picture)
                return _on_white(upright)
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        KeyError,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"The picture cannot be read: {error}.", hint="Save it anew, as JPEG or PNG.") from error


def check_pillow() -> None:
    """Refuse before any work.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Pictures need Pillow, which is not installed.", hint="Install it with: pip install 'horae[image]'"
        ) from error


class ColorEncoder:
    """Colors and edges: a histogram of 64 colors, the mean color of 16 fields, edge directions in 4, shape, contrast.

    Each part has length 1 before the whole is brought to it, so that none drowns the others. It tells pictures that
    look alike, nothing of what they show. For meaning give a folder with a vision model.

    Source: Swain & Ballard 1991 (color histograms); Dalal & Triggs 2005 (edge directions weighted by strength).
    Differs: 8 directions in 2 x 2 fields, without overlapping blocks; colors in RGB.
    """

    name = "colors"
    width = LEVELS**3 + 3 * GRID**2 + 4 * TURNS + 2
    fingerprint = fingerprint_of("colors", 1, SIDE, LEVELS, GRID, TURNS)

    def encode(self, given: Sequence[bytes], advance: Advance = nothing) -> FloatArray:
        """See `ImageEncoder`."""
        vector_NC = np.zeros((len(given), self.width), dtype=np.float32)
        for row, content in enumerate(given):
            with contextlib.suppress(DataError):  # zeros then: whoever asked counts them
                vector_NC[row] = _statistics(picture_of(content, SIDE))
            advance(1)
        return unit(vector_NC)


def _on_white(picture: Image) -> Image:
    from PIL import Image

    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        white = Image.new("RGBA", seen.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, seen).convert("RGB")
    return picture.convert("RGB")


def _statistics(picture: Image) -> FloatArray:
    from PIL.Image import Resampling

    shape = math.log(picture.width / picture.height)
    small: Any = picture.resize((SIDE, SIDE), Resampling.BILINEAR, reducing_gap=2.0)
    pixel_YX3 = np.asarray(small, dtype=np.float32) / 255
    level_YX3 = np.minimum((pixel_YX3 * LEVELS).astype(np.int64), LEVELS - 1)
    color_YX = (level_YX3[..., 0] * LEVELS + level_YX3[..., 1]) * LEVELS + level_YX3[..., 2]
    histogram = np.sqrt(np.bincount(color_YX.ravel(), minlength=LEVELS**3) / SIDE**2)
    field = SIDE // GRID
    means = pixel_YX3.reshape(GRID, field, GRID, field, 3).mean(axis=(1, 3)).ravel()
    gray_YX = pixel_YX3.mean(axis=2)
    down_YX, right_YX = np.gradient(gray_YX)
    strength_YX = np.hypot(down_YX, right_YX)
    turn_YX = ((np.arctan2(down_YX, right_YX) % np.pi) / np.pi * TURNS).astype(np.int64) % TURNS
    quarter_YX = np.add.outer(np.arange(SIDE) * 2 // SIDE * 2, np.arange(SIDE) * 2 // SIDE)
    edges = np.bincount((quarter_YX * TURNS + turn_YX).ravel(), strength_YX.ravel(), minlength=4 * TURNS)
    parts = [histogram, means, edges]
    whole = np.concatenate([unit(part[None].astype(np.float32))[0] for part in parts])
    return np.append(whole, [max(-2.0, min(2.0, shape)) / 4, gray_YX.std()]).astype(np.float32)
