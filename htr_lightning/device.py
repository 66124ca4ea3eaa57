"""Devices and precisions: which are available, and which are fast; and the part of the work that a machine takes."""

import ctypes
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from htr_lightning.errors import InputError

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16"]
Item = TypeVar("Item")


class DeviceError(InputError):
    """A device or a precision that is not available."""


def count_cores() -> int:
    """Return the number of CPU cores that this process may use; in a job these can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_threads() -> int:
    """Return the number of threads for reading: ``OMP_NUM_THREADS`` if it is set, at most one for each core."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return min(count_cores(), int(wanted)) if wanted.isdecimal() and int(wanted) else count_cores()


def has_cuda() -> bool:
    """Whether PyTorch can use a GPU; PyTorch, which takes seconds to import, is only asked if there is a driver."""
    if importlib.util.find_spec("torch") is None:
        return False
    if "torch" not in sys.modules and not Path("/dev/kfd").exists():  # the driver of AMD, which PyTorch also calls CUDA
        try:
            ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        except OSError:
            return False
    import torch

    return torch.cuda.is_available()


def is_bf16_fast(device_type: str) -> bool:
    """Whether a device has instructions for bf16, so that bf16 is faster than fp32; nothing is run to find out.

    Args:
        device_type: ``cpu`` or ``cuda``.
    """
    import torch

    if device_type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    fast = device_type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return fast and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def enlarge_onednn_cache() -> None:
    """Let oneDNN cache more kernels: it compiles one for every batch shape, which takes as long as several runs of it.

    The default capacity of 1,024 kernels is too small for the batch shapes of one epoch; with 16,384, training on a CPU
    is a third faster (experiments/copiste). Call it before the first convolution.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")


def select_device(name: str | None) -> "torch.device":
    """Return a PyTorch device.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:1``, ...; None for the first GPU, or the CPU if there is no GPU.

    Raises:
        DeviceError: the device is not available.
    """
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(
            "unknown device", key="--device", value=name, remedy="choose from cpu, cuda, cuda:1, mps", kind="unknown"
        ) from None
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(
            f"not available here ({reason})", key="--device", value=name, remedy="use cpu", kind="unavailable"
        ) from None
    return device


@dataclass(frozen=True, slots=True)
class Shard:
    """The part of a list that one of several machines works on: every ``count``-th item.

    Attributes:
        number: from 1.
        count: of all parts.

    Raises:
        InputError: there is no such part.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            remedy = "give two numbers as in 1/8, the first from 1 to the second"
            raise InputError("there is no such part", key="--shard", value=f"{self.number}/{self.count}", remedy=remedy)

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Parse ``1/8``.

        Raises:
            InputError: it is nothing like that, or there is no such part.
        """
        number, slash, count = text.partition("/")
        if not (slash and number.strip().isdecimal() and count.strip().isdecimal()):
            raise InputError("this is no part", key="--shard", value=text, remedy="give two numbers as in 1/8")
        return cls(int(number), int(count))

    def take(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items of this part, in order."""
        return items[self.number - 1 :: self.count]
