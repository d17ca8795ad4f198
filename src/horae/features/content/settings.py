"""The recipe's `[content]` table: what items say and show, and who makes vectors of it.

In: plain values. Out: `ContentSettings`, checked. It knows no catalog and no encoder.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from horae.errors import RecipeError
from horae.features.content.texts import MAX_CHARS

__all__ = ["ContentSettings"]

LORA_ITEMS: Final = 64
NEVER_TRAINED: Final = ("none", "hashed", "multilingual")


@dataclass(frozen=True)
class ContentSettings:
    """Where the vectors of items come from; nothing, where a recipe does not say."""

    text: str = field(
        default="none",
        metadata={
            "doc": "Encoder of the catalog's texts: `auto` (the best that is installed for these texts), `minilm`, "
            "`multilingual`, `hashed`, a local folder of a Hugging Face or sentence-transformers model, or `none`."
        },
    )
    columns: tuple[str, ...] = field(
        default=(),
        metadata={"doc": "Columns of text, in this order; empty: those of the catalog that are known by their names."},
    )
    attributes: tuple[str, ...] = field(
        default=(),
        metadata={"doc": "Columns of values that many items share: `categories` (`A>B|A>C`), brands, lists of tags."},
    )
    image: str = field(
        default="none",
        metadata={"doc": "Encoder of the catalog's pictures: `colors`, a local folder of a vision model, or `none`."},
    )
    image_column: str = field(default="image", metadata={"doc": "Column of pictures: paths, or files' content."})
    vectors: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "Parquet files of vectors made elsewhere, by `item_id`: of sound, film, a large model; each list "
            "column is a modality of its own."
        },
    )
    width: int = field(
        default=128,
        metadata={"doc": "Numbers kept of each modality: its first principal components, scaled to be alike."},
    )
    max_chars: int = field(default=MAX_CHARS, metadata={"doc": "Longer texts are cut."})
    lora: int = field(
        default=0,
        metadata={
            "doc": "Rank of adapters by which the encoder of texts is trained with the network (LoRA), such as 8; 0: "
            "it stays as it is. For `minilm` and folders; needs `[model] fusion` and the extra `text`."
        },
    )
    lora_items: int = field(
        default=LORA_ITEMS,
        metadata={"doc": "`lora`: so many texts of a batch's items are encoded anew in each step, drawn where more."},
    )

    def __post_init__(self) -> None:
        for key in ("width", "max_chars", "lora_items"):
            if getattr(self, key) < 1:
                raise RecipeError(f"[content] {key} = {getattr(self, key)}: expected at least 1.", hint=f"Raise {key}.")
        self._check_training()
        if self.columns and self.text == "none":
            raise RecipeError('[content] columns has no effect with text = "none".', hint='Write text = "auto".')
        if self.image_column != "image" and self.image == "none":
            raise RecipeError(
                '[content] image_column has no effect with image = "none".', hint='Write image = "colors".'
            )

    def _check_training(self) -> None:
        """Refuse adapters that could not be, or what has no effect without them."""
        if self.lora < 0:
            raise RecipeError(f"[content] lora = {self.lora}: expected 0 or more.", hint="8 is a start.")
        if self.lora and self.text in NEVER_TRAINED:
            raise RecipeError(
                f'[content] lora = {self.lora} is not possible with text = "{self.text}", which is no network.',
                hint='Write text = "minilm", or the folder of a Hugging Face model; or lora = 0.',
            )
        if self.lora_items != LORA_ITEMS and not self.lora:
            raise RecipeError("[content] lora_items has no effect with lora = 0.", hint="Remove it, or write lora = 8.")

    @property
    def names_any(self) -> bool:
        """Is there any source of vectors?"""
        return self.needs_catalog or bool(self.vectors)

    @property
    def needs_catalog(self) -> bool:
        """Do they come from the catalog?"""
        return self.text != "none" or self.image != "none" or bool(self.attributes)
