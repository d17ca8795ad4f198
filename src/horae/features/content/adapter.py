"""What a training may add to an encoder of texts: a small product of two matrices beside each linear layer (LoRA).

In: a network of transformers. Out: the same with adapters, and their weights as arrays, from which the same adapters
are made again. The network's own weights never move. This module does not know what is learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from horae.errors import DataError, MissingExtraError
from horae.features.content.encoder import FloatArray, fingerprint_of

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Adapter", "add_adapters", "check_peft"]

UNUSED: Final = r".*pooler.*"
"""Layers behind the states that are pooled: they decide over no vector."""

SCALE: Final = 0.25


@dataclass(frozen=True, eq=False)
class Adapter:
    """What was learned, and for which encoder.

    Attributes:
        rank: Columns of each of the two matrices.
        base: `content_digest` of the encoder's folder: with other weights, these mean nothing.
        arrays: The matrices by their names in the network.
    """

    rank: int
    base: str
    arrays: Mapping[str, FloatArray]

    @property
    def fingerprint(self) -> str:
        """Of all that decides over the vectors."""
        parts = [part for name in sorted(self.arrays) for part in (name, self.arrays[name].tobytes())]
        return fingerprint_of("lora", self.rank, self.base, *parts)

    def as_dict(self) -> dict[str, Any]:
        """For the card."""
        return {"rank": self.rank, "base": self.base}


def check_peft() -> Any:
    """The library that adds adapters.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import peft
    except ImportError as error:
        raise MissingExtraError(
            "[content] lora needs peft, which is not installed.", hint="Install it with: pip install 'horae[text]'"
        ) from error
    return peft


def add_adapters(model: nn.Module, rank: int, seed: int = 0, adapter: Adapter | None = None) -> dict[str, nn.Parameter]:
    """Put adapters beside every linear layer, so that nothing else of the network learns.

        y = W x + B A x / 4,    A: rank rows, drawn;    B: zero, so that it begins as it was

    Args:
        model: A network of transformers, changed in place.
        rank: Rows of A.
        seed: Of A.
        adapter: Begin with its weights.

    Returns:
        A and B of each layer, by their names.

    Raises:
        DataError: The network has no linear layers, or the adapter is one for other layers.
        MissingExtraError: peft is not installed.

    Source: Hu et al. 2021 (LoRA, arXiv:2106.09685), section 4.1, by the library peft.
    Differs: beside all linear layers, not the queries' and values' alone; no dropout; the scale, alpha / rank, is a
        quarter, since a recipe's learning rate is some times what encoders are tuned with.
    """
    import torch

    peft = check_peft()
    model.requires_grad_(False)
    settings = peft.LoraConfig(r=rank, lora_alpha=SCALE * rank, target_modules="all-linear", exclude_modules=UNUSED)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            peft.inject_adapter_in_model(settings, model)
    except ValueError as error:
        first = str(error).strip().partition("\n")[0]
        raise DataError(f"This encoder takes no adapters: {first}", hint="Write [content] lora = 0.") from error
    learned = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if adapter is not None:
        _load(learned, adapter)
    return learned


def _load(learned: Mapping[str, nn.Parameter], adapter: Adapter) -> None:
    import torch

    shapes = {name: tuple(one.shape) for name, one in learned.items()}
    if shapes != {name: array.shape for name, array in adapter.arrays.items()}:
        raise DataError(
            "The run's adapters are for another network than its encoder is now.",
            hint="Restore the encoder's folder, or train the run again.",
        )
    with torch.no_grad():
        for name, parameter in learned.items():
            parameter.copy_(torch.from_numpy(adapter.arrays[name].copy()))
