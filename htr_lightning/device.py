"""Which device a model computes on, how exactly, and what it does fast."""

import os
from typing import TYPE_CHECKING, Literal

from htr_lightning.errors import InputError

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16"]


class DeviceError(InputError):
    """A device that is not there, or cannot do what is asked; the message names it, the reason and the remedy."""


def count_cores() -> int:
    """Return how many cores this process may use: those of its job, where they are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_bf16_fast(device_type: str) -> bool:
    """Whether it multiplies bf16 faster than fp32, judged without running anything.

    Args:
        device_type: ``cpu`` or ``cuda``.
    """
    import torch

    if device_type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    fast = device_type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return fast and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def enlarge_onednn_cache() -> None:
    """Let oneDNN keep a kernel for every shape of a batch: making one takes as long as using it several times.

    Its own limit of 1,024 kernels is less than the shapes of one epoch need; training on a CPU becomes a third
    faster (experiments/copiste). Must happen before the first convolution.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")


def select_device(name: str | None) -> "torch.device":
    """Return the device that a command line calls ``name``, or the best there is.

    Raises:
        DeviceError: there is none of that name.
    """
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(f"--device {name}: not available here ({str(error).splitlines()[0]}); use cpu") from None
    return device
