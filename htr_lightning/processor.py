"""Which device a model computes on, how exactly, and what it does fast."""

import argparse
import os
from typing import Literal, get_args

Precision = Literal["fp32", "bf16"]


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--device`` to a command that computes with a model."""
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: a GPU if there is one)")


def add_precision_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--precision`` to a command that reads with a model."""
    parser.add_argument("--precision", choices=get_args(Precision), default="fp32", help="bf16: multiply in 16 bits, "
                        "which is faster on processors and GPUs that can, and reads a few lines otherwise "
                        "(default: fp32)")  # fmt: skip


def num_cores() -> int:
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


def keep_cpu_kernels() -> None:
    """Let oneDNN keep a kernel for every shape of a batch: making one takes as long as using it several times.

    Its own limit of 1,024 kernels is less than the shapes of one epoch need; training on a CPU becomes a third
    faster (experiments/copiste). Must happen before the first convolution.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")
