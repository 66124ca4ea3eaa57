"""The part of a network that a compiler can make faster."""

import logging

import torch

from htr_lightning.model.recognizer import CRNN

MAX_SHAPES = 8
"""Widths of batches of a compiled network, where the configuration does not say."""

log = logging.getLogger(__name__)


def compile_backbone(model: CRNN) -> bool:
    """Let the convolutions be compiled (TorchInductor) when they are first used; the LSTM gains nothing from it.

    One kernel serves batches of every width and size. Where the compiler does not work (it needs a C++ compiler on a
    CPU, Triton on a GPU), the network stays as it is and a warning says so; where it fails at a part later, that part
    runs uncompiled.

    Returns:
        Whether it will be compiled.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.compile(_probe)(torch.ones(8, device=device))
    except Exception as error:  # whatever the compiler and its tools raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        log.warning("compile: the compiler does not work here (%s); training goes on without", reason)
        return False
    torch._dynamo.config.suppress_errors = True
    model.backbone.compile(dynamic=True)
    return True


def _probe(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x) + 1
