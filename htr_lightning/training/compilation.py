"""Compiling networks with TorchInductor."""

import logging
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

from htr_lightning.model.network import Network

MAX_SHAPES = 8
"""Default number of different batch widths for a compiled network: kernels are compiled for each."""

log = logging.getLogger(__name__)


def can_compile(accelerator: str) -> bool:
    """Whether TorchInductor can compile here: on a CPU it needs a C++ compiler, on a GPU Triton.

    A warning says why not.

    Args:
        accelerator: as the trainer's configuration names it.
    """
    gpu = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    try:
        torch.compile(_probe)(torch.ones(8, device="cuda" if gpu else "cpu"))
    except Exception as error:  # whatever the compiler and its tools raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        log.warning("compile: the compiler does not work here (%s); training continues without", reason)
        return False
    return True


def compile_network(model: Network) -> None:
    """Compile the module ``backbone`` when it is first used, or the whole network if it has none.

    Of the CRNN that are the convolutions; the LSTM would gain nothing. If the compiler fails, a warning says so, and
    the module runs in eager mode.
    """
    module = dict(model.named_modules()).get("backbone", cast(nn.Module, model))
    module.compile(dynamic=True)  # batches of one width differ in their number of lines
    compiled = cast(Callable[..., Any], module._compiled_call_impl)

    def run(*images: torch.Tensor) -> Any:
        try:
            return compiled(*images)
        except torch._dynamo.exc.TorchDynamoException as error:
            module._compiled_call_impl = None
            reason = " ".join(str(error).strip().splitlines()[:2]) or type(error).__name__
            log.warning("compile: falling back to eager mode (%s)", reason)
            return module(*images)

    module._compiled_call_impl = run


def _probe(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x) + 1
