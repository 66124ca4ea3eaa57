"""``--runtime``: which library runs the recognizer."""

import argparse
import logging
import sys
from typing import TYPE_CHECKING

from htr_lightning.cli.console import print_error

if TYPE_CHECKING:
    from htr_lightning.model.load import Recognizer
    from htr_lightning.reading.runtime import Runtime, RuntimeOption

RUNTIMES: "tuple[RuntimeOption, ...]" = ("auto", "torch", "onnx", "onnx-int8")
"""Those of `htr_lightning.reading.runtime.RuntimeOption`, whose module takes too long to import for ``--help``."""

log = logging.getLogger(__name__)


def add_runtime_option(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, default: "RuntimeOption" = "auto"
) -> None:
    """Add ``--runtime``, and its default as ``default_runtime``."""
    by_default = (
        "default: auto: on a CPU ONNX Runtime where it is installed, in 8 bits if the model file says that they read "
        "as well; else PyTorch"
        if default == "auto"
        else f"default: {default}; auto is what predict uses"
    )
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        help="what runs the network: torch (PyTorch), onnx (ONNX Runtime in 32 bits), onnx-int8 (in 8 bits); the model "
        f"is exported once and kept ({by_default})",
    )
    parser.set_defaults(default_runtime=default)


def load_recognizer(options: argparse.Namespace) -> "Recognizer":
    """Load the recognizer that the options name; a terminal shows how long its export took."""
    from htr_lightning.reading.runtime import open_recognizer

    return open_recognizer(
        options.model,
        options.device,
        options.precision,
        options.trust,
        get_option(options),
        report=print_error,
        note=print_error if sys.stderr.isatty() else log.info,
    )


def choose_runtime(options: argparse.Namespace) -> "Runtime":
    """Return what ``--runtime`` stands for."""
    from htr_lightning.reading.runtime import choose_runtime as choose

    return choose(options.model, options.device, options.precision, get_option(options))


def get_option(options: argparse.Namespace) -> "RuntimeOption":
    """Return the runtime that the user has chosen, or the default; ONNX Runtime runs ONNX files by default."""
    if options.runtime is not None:
        chosen: RuntimeOption = options.runtime
        return chosen
    default: RuntimeOption = options.default_runtime
    return "auto" if str(options.model).endswith(".onnx") else default
