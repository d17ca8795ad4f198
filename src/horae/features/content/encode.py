"""A catalog in, vectors out: its texts and pictures, each content once, those that the cache knows not at all.

In: a catalog, which columns, which encoder. Out: `ContentVectors`. It reads the files that a column of pictures names,
and the cache; it does not know networks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import polars as pl

from horae.errors import DataError, StoreError
from horae.features.content.batches import distinct
from horae.features.content.cache import ContentCache
from horae.features.content.choosing import text_encoder
from horae.features.content.encoder import Advance, Encoder, FloatArray, ImageEncoder, TextEncoder
from horae.features.content.hashed import HashedEncoder
from horae.features.content.images import ColorEncoder, check_pillow
from horae.features.content.telling import counted
from horae.features.content.texts import MAX_CHARS, coverage, plain_text, text_columns, texts_of
from horae.features.content.vectors import ContentVectors, launch_times
from horae.schema import ITEM, DataReport, Step

__all__ = ["CacheWish", "encode_catalog", "encode_images", "encode_texts", "ids_of", "report_on"]

KEPT_AT_ONCE: Final = 1_024
"""A run that is killed loses at most so many."""
PICTURES_AT_ONCE: Final = 256
"""Files' contents held in memory."""
SHOWN: Final = 5
CacheWish = str | os.PathLike[str] | ContentCache | bool
Given = TypeVar("Given", bound=str | bytes)


def encode_texts(
    texts: Sequence[str],
    encoder: str | TextEncoder = "auto",
    *,
    cache: CacheWish = True,
    progress: bool | None = None,
) -> FloatArray:
    """Texts to vectors.

    Args:
        texts: As they are; markup and control characters are taken out.
        encoder: `auto` (the best that is installed for these texts), `minilm` (English), `multilingual`, `hashed`
            (needs nothing, fitted on these texts), a local folder of a Hugging Face or sentence-transformers model, or
            an encoder of your own.
        cache: A folder; True: the user's own; False: none. `hashed` is never cached.
        progress: A bar; None: where a person watches.

    Returns:
        float32 `[N, C]`; zeros where a text says nothing.

    Raises:
        DataError: No such encoder, or a folder that is refused.
        MissingExtraError: The encoder needs the extra `text`.
        StoreError: A cache that was named cannot be used.
    """
    cleaned = [plain_text(text) for text in texts]
    chosen = text_encoder(encoder, cleaned) if isinstance(encoder, str) else encoder
    with counted(f"{chosen.name}: texts", len(cleaned), progress) as advance:
        return _encoded(cleaned, chosen, _cache_of(cache, chosen), advance)


def encode_images(
    pictures: Sequence[bytes | str | os.PathLike[str] | None],
    encoder: str | ImageEncoder = "colors",
    *,
    cache: CacheWish = True,
    progress: bool | None = None,
) -> FloatArray:
    """Pictures to vectors.

    Args:
        pictures: Files' content or paths: JPEG, PNG, WebP, GIF, BMP, TIFF; of an animated one the first frame.
        encoder: `colors` (color and edge statistics, which need no weights and know no meaning), a local folder of a
            vision model that transformers reads, or an encoder of your own.
        cache: As in `encode_texts`.
        progress: A bar; None: where a person watches.

    Returns:
        float32 `[N, C]`; zeros where there is no picture, or one that is broken or has over 50 million pixels.

    Raises:
        DataError: No such encoder, or a folder that is refused.
        MissingExtraError: Pillow (extra `image`), or what the encoder needs, is not installed.
        StoreError: A cache that was named cannot be used.
    """
    check_pillow()
    chosen = _image_encoder(encoder) if isinstance(encoder, str) else encoder
    vector_NC = np.zeros((len(pictures), chosen.width), dtype=np.float32)
    kept = _cache_of(cache, chosen)
    with counted(f"{chosen.name}: pictures", len(pictures), progress) as advance:
        for begin in range(0, len(pictures), PICTURES_AT_ONCE):
            contents = [_content(picture) for picture in pictures[begin : begin + PICTURES_AT_ONCE]]
            vector_NC[begin : begin + len(contents)] = _encoded(contents, chosen, kept, advance)
    return vector_NC


def encode_catalog(
    catalog: pl.DataFrame,
    columns: Sequence[str] | None = None,
    encoder: str | TextEncoder = "auto",
    *,
    images: str | None = None,
    image_encoder: str | ImageEncoder = "colors",
    max_chars: int = MAX_CHARS,
    cache: CacheWish = True,
    progress: bool | None = None,
) -> ContentVectors:
    """What a catalog says of its items, as vectors.

    Args:
        catalog: One row per item, with `item_id`. Items may lack any column's value; a column `launch_time` is kept.
        columns: Joined into one text in this order; lists and hierarchies (`A>B|C`) are flattened. None: those of
            `title, name, description, categories, category, genres, tags, brand` that are there; empty: no texts.
        encoder: As in `encode_texts`.
        images: A column of paths or of files' content.
        image_encoder: As in `encode_images`.
        max_chars: Longer texts are cut.
        cache: As in `encode_texts`.
        progress: A bar; None: where a person watches.

    Returns:
        Modality `text`, and `image` where a column of pictures was named.

    Raises:
        DataError: No `item_id`, an id twice, no such column, no such encoder.
        MissingExtraError: The encoder needs an extra that is not installed.
        StoreError: A cache that was named cannot be used.
    """
    ids = ids_of(catalog)
    report = DataReport("catalog", catalog.height, catalog.height)
    vectors, encoders, told = {}, {}, None
    if columns is None or len(columns) or images is None:
        named = text_columns(catalog, columns)
        texts = texts_of(catalog, named, max_chars)
        text = text_encoder(encoder, texts) if isinstance(encoder, str) else encoder
        with counted(f"{text.name}: texts", len(texts), progress) as advance:
            vectors["text"] = _encoded(texts, text, _cache_of(cache, text), advance)
        encoders["text"] = text.name
        told = coverage(catalog, named, max_chars)
        report_on(
            report, "text", ids, vectors["text"], f"{', '.join(named)}; {len(set(texts) - {''}):,} different texts"
        )
    if images is not None:
        pictures = catalog[text_columns(catalog, [images])[0]].to_list()
        image = _image_encoder(image_encoder) if isinstance(image_encoder, str) else image_encoder
        vectors["image"] = encode_images(pictures, image, cache=cache, progress=progress)
        encoders["image"] = image.name
        report_on(report, "image", ids, vectors["image"], images)
        _report_broken(report, ids, pictures, vectors["image"])
    return ContentVectors(
        ids,
        {name: np.vstack([np.zeros((1, one.shape[1]), np.float32), one]) for name, one in vectors.items()},
        {name: np.append(False, one.any(axis=1)) for name, one in vectors.items()},
        launch_times(catalog),
        encoders,
        told,
        report,
    )


def _encoded(
    given: Sequence[Given], encoder: Encoder[Given], cache: ContentCache | None, advance: Advance
) -> FloatArray:
    """Every content once, in blocks that are kept as they come; an empty one is a row of zeros."""
    contents, row_N = distinct(given)
    vector_MC = np.zeros((len(contents), encoder.width), dtype=np.float32)
    todo = [row for row, content in enumerate(contents) if content]
    keys = {} if cache is None else {row: ContentCache.key(_bytes(contents[row])) for row in todo}
    if cache is not None:
        wanted = todo
        found = cache.known(encoder.fingerprint, list(keys.values()), encoder.width)
        for place, vector in found.items():
            vector_MC[wanted[place]] = vector
        todo = [row for place, row in enumerate(wanted) if place not in found]
    advance(len(given) - len(todo))
    for begin in range(0, len(todo), KEPT_AT_ONCE):
        rows = todo[begin : begin + KEPT_AT_ONCE]
        vector_MC[rows] = _finite(encoder.encode([contents[row] for row in rows], advance), len(rows), encoder)
        if cache is not None:
            cache.keep(encoder.fingerprint, [keys[row] for row in rows], vector_MC[rows])
    return np.asarray(vector_MC[row_N], dtype=np.float32)


def _finite(vector_NC: FloatArray, rows: int, encoder: Encoder[Any]) -> FloatArray:
    if vector_NC.shape != (rows, encoder.width):
        raise DataError(
            f"The encoder {encoder.name} gave an array of shape {vector_NC.shape}, not {(rows, encoder.width)}.",
            hint="Its width must be that of its vectors, and each input must have one.",
        )
    if not np.isfinite(vector_NC).all():
        raise DataError(
            f"The encoder {encoder.name} gave NaN or infinity.", hint="Its weights are damaged, or too large."
        )
    return vector_NC


def _cache_of(wish: CacheWish, encoder: Encoder[Any]) -> ContentCache | None:
    """The cache asked for; the user's own is done without where it cannot be written."""
    if isinstance(encoder, HashedEncoder):
        return None  # fitted anew for every catalog, and as fast as reading
    if isinstance(wish, ContentCache):
        return wish
    if not isinstance(wish, bool):
        return ContentCache(wish)
    if not wish:
        return None
    cache = ContentCache()
    try:
        cache.folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return cache if os.access(cache.folder, os.W_OK) else None


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _content(picture: bytes | str | os.PathLike[str] | None) -> bytes:
    """A file's content, empty where there is no file."""
    if picture is None or isinstance(picture, bytes):
        return picture or b""
    try:
        return Path(picture).read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError):
        return b""
    except OSError as error:
        raise StoreError(f"Cannot read {picture}: {error.strerror or error}.", hint="Check its rights.") from error


def _image_encoder(name: str) -> ImageEncoder:
    from horae.features.content.image_folder import FolderImageEncoder
    from horae.features.content.weights import folder_of

    return ColorEncoder() if name == "colors" else FolderImageEncoder(folder_of(name))


def ids_of(catalog: pl.DataFrame) -> pl.Series:
    """The catalog's ids.

    Raises:
        DataError: There are none, one is missing, or one is there twice.
    """
    if ITEM not in catalog.columns:
        found = ", ".join(catalog.columns[:8])
        raise DataError(f"The catalog has no column {ITEM}; it has {found}.", hint=f"Name one column {ITEM}.")
    ids = catalog[ITEM]
    if ids.null_count():
        raise DataError(f"{ids.null_count():,} rows of the catalog have no {ITEM}.", hint="Leave them out.")
    twice = ids.filter(ids.is_duplicated())
    if len(twice):
        raise DataError(f"The catalog has {ITEM} {twice[0]!r} in several rows.", hint="Give one row for each.")
    return ids


def report_on(report: DataReport, modality: str, ids: pl.Series, vector_NC: FloatArray, made_of: str) -> None:
    """Say what vectors were made of, and whose are missing."""
    without = ids.filter(pl.Series(~vector_NC.any(axis=1)))
    report.add(Step(f"{modality}_from", "understood", len(ids) - len(without), f"made of {made_of}"))
    if len(without):
        examples = tuple(str(one) for one in without.head(SHOWN))
        message = f"{len(without):,} of {len(ids):,} items have none that can be used"
        report.add(Step(f"{modality}_missing", "warning", len(without), message, examples))


def _report_broken(
    report: DataReport, ids: pl.Series, pictures: Sequence[bytes | str | os.PathLike[str] | None], vector_NC: FloatArray
) -> None:
    """Say which pictures are named and cannot be used: no file there, or no picture in it."""
    named = [row for row, picture in enumerate(pictures) if picture]
    lost = [row for row in named if not vector_NC[row].any()]
    if lost:
        examples = tuple(f"{ids[row]}: {_called(pictures[row])}" for row in lost[:SHOWN])
        message = f"{len(lost):,} of {len(named):,} pictures that are named are missing or broken"
        report.add(Step("image_broken", "warning", len(lost), message, examples))


def _called(picture: object) -> str:
    """A path with what is the matter with it; content has no name."""
    if isinstance(picture, bytes):
        return "no picture that can be read"
    there = Path(str(picture)).is_file()
    return f"{picture} ({'no picture that can be read' if there else f'no such file from {Path.cwd()}'})"
