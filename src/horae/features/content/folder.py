"""Texts to vectors by a network from a local folder: anything that transformers reads, pooled as the folder says.

In: plain texts, a folder in the layout of Hugging Face or sentence-transformers. Out: its vectors. It does not know
where the folder came from and never asks the network for more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from horae.errors import DataError
from horae.features.content.adapter import Adapter, add_adapters
from horae.features.content.batches import by_length
from horae.features.content.encoder import Advance, FloatArray, fingerprint_of, nothing
from horae.features.content.weights import (
    check_folder,
    content_digest,
    document,
    network,
    onnx_session,
    tokenizer_of,
    width_of,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["FolderEncoder", "Pooling"]

BLOCK: Final = 1_024
CHARS_A_TOKEN: Final = 16
"""A text is cut to so many before it is tokenized: most of a megabyte would be tokenized to be thrown away."""
ITEM_PROMPTS: Final = ("document", "passage", "corpus", "doc")
POOLINGS: Final = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
}


@dataclass(frozen=True)
class Pooling:
    """How one vector is made of a text's token vectors, as `modules.json` and its folders say.

    Attributes:
        kinds: Of `cls`, `mean`, `max`, `last`; several are put side by side.
        dense: Folders of linear layers over that.
        normalize: To length 1.
    """

    kinds: tuple[str, ...] = ("mean",)
    dense: tuple[Path, ...] = ()
    normalize: bool = True

    @classmethod
    def of_folder(cls, folder: Path) -> Pooling:
        """As the folder says; a plain model without modules is averaged over its tokens.

        Raises:
            DataError: It has a step that Horae does not know, or one that is code of its own.
        """
        import json

        file = folder / "modules.json"
        if not file.is_file():
            return cls()
        try:
            steps = [
                (str(one["type"]).rpartition(".")[2], folder / one["path"]) for one in json.loads(file.read_text())
            ]
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise DataError(f"{file} is damaged: {error}.", hint="Get the folder anew.") from error
        strange = [kind for kind, _ in steps if kind not in ("Transformer", "Pooling", "Dense", "Normalize", "Dropout")]
        if strange:
            raise DataError(
                f"{folder} has a step {strange[0]!r} that Horae does not have.",
                hint="Compute the vectors with sentence-transformers and give them as a Parquet file.",
            )
        pools = [_kinds(path) for kind, path in steps if kind == "Pooling"]
        dense = tuple(path for kind, path in steps if kind == "Dense")
        return cls(pools[0] if pools else ("mean",), dense, any(kind == "Normalize" for kind, _ in steps))


class FolderEncoder:
    """Sentences by a pretrained network: texts of like length together, bfloat16 products where the processor has them.

    Args:
        folder: With `config.json`, a tokenizer and `*.safetensors`; a name where it is not the folder's own.
        name: As users call it.
        prefix: Put before every text; None: the folder's own prompt for documents, if it has one.
        max_tokens: Longer texts are cut; None: as the folder says.
        precision: Of the products. `auto`: bfloat16 where the processor multiplies it, which is 1.7 times as fast.
            `onnx`: an ONNX file of the folder's own (extra `export`), quantized where it is.
        adapter: What a training added to this very folder's network.

    Raises:
        DataError: The folder is incomplete, pickled, or needs code of its own; or the adapter is another folder's.

    Source: Reimers & Gurevych 2019 (arXiv:1908.10084), section 3: pooling over a pretrained network.
    Differs: Batches are cut by a budget of tokens over sorted lengths; pooling is in float32 always.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str | None = None,
        prefix: str | None = None,
        max_tokens: int | None = None,
        precision: Literal["auto", "float32", "bfloat16", "onnx"] = "auto",
        adapter: Adapter | None = None,
    ) -> None:
        assert adapter is None or precision != "onnx"
        config = check_folder(folder, onnx=precision == "onnx")
        if config.get("is_encoder_decoder"):
            raise DataError(f"{folder} is an encoder with a decoder, no encoder of texts.", hint="Take an encoder.")
        self.folder = folder
        self.name = name or folder.name
        self.pooling = Pooling.of_folder(folder)
        self.prefix = _item_prompt(folder) if prefix is None else prefix
        self.max_tokens = max_tokens or _max_tokens(folder, config)
        self.precision = precision
        self.width = self._width(config)
        self.adapter = adapter
        if adapter is not None and content_digest(folder) != adapter.base:
            raise DataError(
                f"{folder} is not the encoder that this run was trained with: its files are others.",
                hint="Restore the folder as it was, or train the run again with this one.",
            )
        self._loaded: tuple[Any, Any, list[Callable[[Tensor], Tensor]]] | None = None
        self._fingerprint: str | None = None

    @property
    def fingerprint(self) -> str:
        """Of the folder's files, and of how they are used here."""
        if self._fingerprint is None:
            how = (self.prefix, self.max_tokens, "onnx" if self.precision == "onnx" else self._bfloat16())
            learned = () if self.adapter is None else (self.adapter.fingerprint,)
            self._fingerprint = fingerprint_of("folder", 1, content_digest(self.folder), *how, *learned)
        return self._fingerprint

    def encode(self, given: Sequence[str], advance: Advance = nothing) -> FloatArray:
        """See `TextEncoder`.

        Raises:
            DataError: The architecture is unknown, weights are missing or damaged.
            MissingExtraError: transformers is not installed.
        """
        vector_NC = np.zeros((len(given), self.width), dtype=np.float32)
        if not len(given):
            return vector_NC
        import torch

        for begin in range(0, len(given), BLOCK):
            tokens = self._tokens(given[begin : begin + BLOCK])
            for row_B in by_length([len(one) for one in tokens]):
                with torch.inference_mode():
                    vector_BC = self._vectors([tokens[row] for row in row_B])
                vector_NC[begin + row_B] = vector_BC.cpu().numpy()
                advance(len(row_B))
        return vector_NC

    def learns(self, rank: int, seed: int, device: torch.device) -> dict[str, nn.Parameter]:
        """Have the network learn by adapters, those that it has or new ones, on a device; these by their names.

        Raises:
            DataError: As in `encode`, or the network takes no adapters.
            MissingExtraError: peft or transformers is not installed.
        """
        model = network(self.folder)
        learned = add_adapters(model, rank, seed, self.adapter)
        cut = tokenizer_of(self.folder)
        self._loaded = model.to(device), cut, [_dense(folder) for folder in self.pooling.dense]
        return learned

    def with_gradient(self, given: Sequence[str]) -> Tensor:
        """`[N, C]`, as `encode` makes it but for its gradient, on the network's device.

        More than a batch of texts is computed twice, batch by batch, so that what is kept for the gradient is never
        more than one batch's.
        """
        import torch
        from torch.utils.checkpoint import checkpoint

        tokens = self._tokens(given)
        rows = list(by_length([len(one) for one in tokens]))
        batches = [[tokens[row] for row in row_B] for row_B in rows]
        if len(batches) == 1:
            parts = [self._vectors(batches[0])]
        else:
            parts = [checkpoint(self._vectors, batch, use_reentrant=False) for batch in batches]
        vector_NC: Tensor = torch.cat(parts)
        return vector_NC[np.argsort(np.concatenate(rows))]

    def _tokens(self, given: Sequence[str]) -> list[list[int]]:
        _, cut, _ = self._model()
        texts = [self.prefix + text[: CHARS_A_TOKEN * self.max_tokens] for text in given]
        tokens: list[list[int]] = cut(texts, truncation=True, max_length=self.max_tokens, return_attention_mask=False)[
            "input_ids"
        ]
        return tokens

    def _vectors(self, tokens: list[list[int]]) -> Tensor:
        import torch

        model, cut, dense = self._model()
        length_B = torch.tensor([max(len(one), 1) for one in tokens])
        token_BL = torch.full((len(tokens), int(length_B.max())), cut.pad_token_id or 0)
        for row, one in enumerate(tokens):
            token_BL[row, : len(one)] = torch.tensor(one)
        mask_BL = torch.arange(token_BL.shape[1]) < length_B[:, None]
        if self.precision != "onnx":
            device = next(model.parameters()).device
            token_BL, mask_BL, length_B = token_BL.to(device), mask_BL.to(device), length_B.to(device)
        h_BLC = self._states(model, token_BL, mask_BL)
        h_BC = torch.cat([_pooled(kind, h_BLC, mask_BL, length_B) for kind in self.pooling.kinds], dim=1)
        for layer in dense:
            h_BC = layer(h_BC)
        return torch.nn.functional.normalize(h_BC, dim=1) if self.pooling.normalize else h_BC

    def _states(self, model: Any, token_BL: Tensor, mask_BL: Tensor) -> Tensor:
        import torch

        if self.precision == "onnx":
            given = {
                "input_ids": token_BL,
                "attention_mask": mask_BL.long(),
                "token_type_ids": torch.zeros_like(token_BL),
            }
            names = [one.name for one in model.get_inputs()]
            out = model.run(None, {name: given[name].numpy() for name in names})
            return torch.from_numpy(out[0]).float()
        with torch.autocast(token_BL.device.type, torch.bfloat16, enabled=self._bfloat16()):
            states: Tensor = model(input_ids=token_BL, attention_mask=mask_BL.long()).last_hidden_state
        return states.float()

    def _model(self) -> tuple[Any, Any, list[Callable[[Tensor], Tensor]]]:
        if self._loaded is None:
            cut = tokenizer_of(self.folder)
            model = onnx_session(self.folder) if self.precision == "onnx" else network(self.folder)
            if self.adapter is not None:
                add_adapters(model, self.adapter.rank, adapter=self.adapter)
            self._loaded = model, cut, [_dense(folder) for folder in self.pooling.dense]
        return self._loaded

    def _bfloat16(self) -> bool:
        if self.precision != "auto":
            return self.precision == "bfloat16"
        import torch

        known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # torch before 2.10 cannot say
        return bool(known.get("avx512_bf16") or known.get("amx_bf16"))

    def _width(self, config: dict[str, Any]) -> int:
        if self.pooling.dense:
            return int(document(self.pooling.dense[-1], "config.json")["out_features"])
        width = width_of(config)
        if width is None:
            raise DataError(f"{self.folder} does not say how wide its vectors are (hidden_size).", hint="Take another.")
        return width * len(self.pooling.kinds)


def _pooled(kind: str, h_BLC: Tensor, mask_BL: Tensor, length_B: Tensor) -> Tensor:
    if kind == "cls":
        return h_BLC[:, 0]
    if kind == "last":
        return h_BLC.take_along_dim((length_B - 1)[:, None, None], dim=1)[:, 0]
    if kind == "max":
        return h_BLC.masked_fill(~mask_BL[..., None], float("-inf")).amax(dim=1)
    return (h_BLC * mask_BL[..., None]).sum(dim=1) / length_B[:, None]


def _kinds(folder: Path) -> tuple[str, ...]:
    asked = document(folder, "config.json")
    if isinstance(mode := asked.get("pooling_mode"), str):  # as newer versions of sentence-transformers write it
        asked = {next((name for name in POOLINGS if mode in name), f"pooling_mode_{mode}"): True}
    on = [name for name, value in asked.items() if name.startswith("pooling_mode_") and value is True]
    strange = [name for name in on if name not in POOLINGS]
    if strange or not on:
        raise DataError(
            f"{folder}: pooling by {(strange or ['nothing'])[0]} is not known here.", hint="Take another model."
        )
    return tuple(POOLINGS[name] for name in POOLINGS if name in on)


def _dense(folder: Path) -> Callable[[Tensor], Tensor]:
    import torch
    from safetensors.torch import load_file

    said = document(folder, "config.json")
    file = folder / "model.safetensors"
    if not file.is_file():
        raise DataError(f"{folder} is incomplete: model.safetensors is missing.", hint="Get the folder anew.")
    arrays = load_file(file)
    weight, bias = arrays["linear.weight"], arrays.get("linear.bias")
    activation = str(said.get("activation_function", "Identity")).rpartition(".")[2]
    if activation not in ("Identity", "Tanh", "ReLU", "GELU"):
        raise DataError(f"{folder}: the activation {activation} is not known here.", hint="Take another model.")
    after = getattr(torch.nn, activation)()

    def layer(h_BC: Tensor) -> Tensor:
        its_bias = None if bias is None else bias.to(h_BC)
        made: Tensor = after(torch.nn.functional.linear(h_BC, weight.to(h_BC), its_bias))
        return made

    return layer


def _item_prompt(folder: Path) -> str:
    said = document(folder, "config_sentence_transformers.json")
    prompts = said.get("prompts") or {}
    name = next((name for name in ITEM_PROMPTS if name in prompts), said.get("default_prompt_name"))
    return str(prompts.get(name) or "")


def _max_tokens(folder: Path, config: dict[str, Any]) -> int:
    """What the folder says, within what the network's positions hold."""
    said = [
        document(folder, "sentence_bert_config.json").get("max_seq_length"),
        document(folder, "tokenizer_config.json").get("model_max_length"),
        config.get("max_position_embeddings"),
    ]
    known = [int(one) for one in said if isinstance(one, int | float) and 0 < one < 100_000]
    if config.get("model_type") in ("roberta", "xlm-roberta", "camembert") and config.get("max_position_embeddings"):
        known.append(int(config["max_position_embeddings"]) - 2)  # two positions are set aside for padding
    return min(known, default=512)
