"""The name of a device in, a device that can be used here out: the one place where a GPU is chosen."""

from __future__ import annotations

import torch

from horae.errors import HoraeError

__all__ = ["device_of"]


def device_of(name: str | torch.device) -> torch.device:
    """The device of that name; `auto` takes a GPU where there is one.

    Raises:
        HoraeError: There is no such device here, or it has no float64, which times need.
    """
    if str(name) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, dtype=torch.float64, device=device).item()  # a device that holds no numbers refuses
    except (RuntimeError, AssertionError, TypeError) as error:
        raise HoraeError(
            f"The device {str(name)!r} cannot be used here.", hint="Give --device cpu, or auto."
        ) from error
    return device
