"""Pictures to vectors by a vision network from a local folder that transformers reads (ViT, CLIP, ResNet, DINO, ...).

In: picture files' content, a folder in the layout of Hugging Face. Out: its vectors, of length 1. Sizes, crops and
means are those of the folder's `preprocessor_config.json`. It never asks the network for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from horae.errors import DataError
from horae.features.content.encoder import Advance, FloatArray, fingerprint_of, nothing, unit
from horae.features.content.images import check_pillow, picture_of
from horae.features.content.weights import check_folder, content_digest, document, network, width_of

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FolderImageEncoder"]

BATCH: Final = 16
HALF: Final = (0.5, 0.5, 0.5)


class FolderImageEncoder:
    """The network's own summary of a picture where it has one (CLIP's projection, a pooled output), else the mean.

    Args:
        folder: With `config.json`, `preprocessor_config.json` and `*.safetensors`.

    Raises:
        DataError: The folder is incomplete, pickled, or needs code of its own.
        MissingExtraError: Pillow is not installed.
    """

    def __init__(self, folder: Path) -> None:
        check_pillow()
        self._config = check_folder(folder)
        self._steps = document(folder, "preprocessor_config.json")
        if not self._steps:
            raise DataError(
                f"{folder} is incomplete: preprocessor_config.json is missing.", hint="Get the folder anew."
            )
        self.folder = folder
        self.name = folder.name
        self._model: Any = None
        self._fingerprint: str | None = None

    @property
    def width(self) -> int:
        """C, as the settings say; where they do not, as a picture shows."""
        if "projection_dim" in self._config:
            return int(self._config["projection_dim"])
        width = None if "hidden_sizes" in self._config else width_of(self._config)
        return width if width is not None else self._vectors([np.zeros((*self._size(), 3), np.uint8)]).shape[1]

    @property
    def fingerprint(self) -> str:
        """Of the folder's files."""
        if self._fingerprint is None:
            self._fingerprint = fingerprint_of("image folder", 1, content_digest(self.folder))
        return self._fingerprint

    def encode(self, given: Sequence[bytes], advance: Advance = nothing) -> FloatArray:
        """See `ImageEncoder`."""
        vector_NC = np.zeros((len(given), self.width), dtype=np.float32)
        for begin in range(0, len(given), BATCH):
            block = given[begin : begin + BATCH]
            rows, pictures = [], []
            for row, content in enumerate(block, begin):
                try:
                    pictures.append(np.asarray(self._fitted(picture_of(content, max(self._size())))))
                    rows.append(row)
                except DataError:
                    continue  # zeros: whoever asked counts them
            if rows:
                vector_NC[rows] = self._vectors(pictures)
            advance(len(block))
        return unit(vector_NC)

    def _fitted(self, picture: Image) -> Image:
        """Scaled as the folder says: to a height and width, or by the shorter side and cropped about the middle."""
        from PIL.Image import Resampling
        from PIL.ImageOps import fit

        high, wide = self._size()
        resample = Resampling(int(self._steps.get("resample", Resampling.BILINEAR)))
        size = self._steps.get("size")
        if isinstance(size, dict) and "height" in size and not self._steps.get("do_center_crop"):
            return picture.resize((wide, high), resample)
        said = size.get("shortest_edge") if isinstance(size, dict) else size
        edge = high if said is None else int(said)
        return fit(picture, (wide, high), resample, bleed=max(0.0, (1 - high / max(edge, high)) / 2))

    def _size(self) -> tuple[int, int]:
        """Height and width that the network sees."""
        sizes: list[Any] = [self._steps.get("size")]
        if self._steps.get("do_center_crop"):
            sizes.insert(0, self._steps.get("crop_size"))
        for said in sizes:
            if isinstance(said, int):
                return said, said
            if isinstance(said, dict):
                edge = int(said.get("shortest_edge") or 224)
                return int(said.get("height") or edge), int(said.get("width") or edge)
        return 224, 224

    def _vectors(self, pictures: Sequence[Any]) -> FloatArray:
        import torch

        if self._model is None:
            self._model = network(self.folder)
        mean = np.asarray(
            self._steps.get("image_mean", HALF) if self._steps.get("do_normalize", True) else 0.0, np.float32
        )
        std = np.asarray(
            self._steps.get("image_std", HALF) if self._steps.get("do_normalize", True) else 1.0, np.float32
        )
        pixel_BYX3 = np.stack(pictures).astype(np.float32) * np.float32(self._steps.get("rescale_factor", 1 / 255))
        pixel_B3YX = torch.from_numpy(np.ascontiguousarray(((pixel_BYX3 - mean) / std).transpose(0, 3, 1, 2)))
        with torch.inference_mode():
            if hasattr(self._model, "get_image_features"):
                out = self._model.get_image_features(pixel_values=pixel_B3YX)
            else:
                out = self._model(pixel_values=pixel_B3YX)
        return np.asarray(_summary(out).float().numpy(), dtype=np.float32)


def _summary(out: Any) -> Any:
    """`[B, C]` of whatever a vision network gives."""
    import torch

    if isinstance(out, torch.Tensor):
        return out
    pooled = getattr(out, "pooler_output", None)
    if pooled is not None:
        return pooled.flatten(1)
    last = out.last_hidden_state
    return last.mean(dim=1) if last.ndim == 3 else last.mean(dim=(2, 3))
