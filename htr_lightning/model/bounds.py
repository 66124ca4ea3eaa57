"""Checks of what a model file claims against what it contains, before anything of that size is allocated."""

import threading
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

_MAX_UNSAVED = 16  # parameters that a network may create beyond those in its file: shared ones, for example


def check_weights(build: Callable[[], nn.Module], weights: Mapping[str, Tensor], num_bytes: int) -> None:
    """Check that a network has the weights of its file, without allocating it.

    Args:
        build: builds the network that the metadata describes.
        weights: the tensors in the file.
        num_bytes: size of the file.

    Raises:
        ValueError: the file is too small for its tensors, or they are not those of the network.
        RuntimeError: their names or shapes differ.
    """
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    if claimed > num_bytes:
        raise ValueError(f"its weights take {claimed:,} bytes, but the file has {num_bytes:,}")
    build_on_meta(build, len(weights)).load_state_dict(dict(weights), assign=True)


def build_on_meta(build: Callable[[], nn.Module], num_weights: int) -> nn.Module:
    """Build a network without memory for its parameters (on torch's ``meta`` device).

    Raises:
        ValueError: it has many more parameters than ``num_weights``, perhaps so many that it could never be built.
    """
    thread, num_created = threading.get_ident(), 0

    def count(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal num_created
        if threading.get_ident() != thread:  # the hook sees the networks of all threads
            return
        num_created += 1
        if num_created > 2 * num_weights + _MAX_UNSAVED:
            raise ValueError(f"the network needs more than the {num_weights} weights in the file")

    hook = register_module_parameter_registration_hook(count)
    try:
        with torch.device("meta"):
            return build()
    finally:
        hook.remove()


def find_archive_damage(path: Path) -> str | None:
    """Return why a checkpoint is no complete archive as `torch.save` writes it, or None.

    The checksums of all its parts are verified, which `torch.load` does not do; and parts that would be larger in
    memory than in the file are refused, which `torch.load` would unpack.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
                return "its parts are compressed"
            if sum(part.file_size for part in archive.infolist()) > path.stat().st_size:
                return "its parts are larger than the file"
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError, zlib.error) as error:
        return str(error) or "not a zip archive"
    return None if damaged is None else f"the checksum of its part {damaged} is wrong"
