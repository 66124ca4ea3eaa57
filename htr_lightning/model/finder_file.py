"""Files of line finders: weights with their metadata, without pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray

from htr_lightning.files import atomic_write
from htr_lightning.model.file import compute_checksum
from htr_lightning.model.finder_info import (
    FINDER_FORMAT,
    FinderInfo,
    build_damage_error,
    build_foreign_finder_error,
    build_incomplete_error,
    parse_finder_info,
    read_finder_metadata,
)
from htr_lightning.model.info import FINDER_KEY, ModelFileError, check_exists
from htr_lightning.model.line_finder import LineFinder, to_darkness


@dataclass(frozen=True, eq=False)
class Finder:
    """A line finder that PyTorch runs (`htr_lightning.segmentation.maps.MapPredictor`).

    Attributes:
        network: in evaluation mode, on the CPU.
        info: its metadata.
    """

    network: LineFinder
    info: FinderInfo

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Predict the maps of a page ``(H, W)``."""
        pages = torch.from_numpy(pixels)[None, None]
        lines, orientations = self.network(to_darkness(pages)).to_maps()
        return lines[0].numpy(), orientations[0].numpy()


def write_finder(path: Path, weights: Mapping[str, torch.Tensor], info: FinderInfo, *, half: bool = False) -> None:
    """Write a line finder atomically.

    Args:
        path: the file.
        weights: state dict of the network.
        info: its metadata.
        half: store kernels in 16 bits. Networks compute in fp32 either way.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    if half:
        tensors = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in tensors.items()}
    metadata = asdict(info) | {"checksum": compute_checksum(tensors), "format": FINDER_FORMAT}
    data = safetensors.torch.save(tensors, {FINDER_KEY: json.dumps(metadata, ensure_ascii=False)})
    with atomic_write(path) as file:
        file.write(data)


def is_finder_file(path: Path) -> bool:
    """Return whether a file is a line finder or a checkpoint of one.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    check_exists(path)
    try:
        _read_checkpoint(path) if path.suffix == ".ckpt" else read_finder_metadata(path)
    except ModelFileError as error:
        if error.kind == "foreign":
            return False
        raise
    return True


def read_finder(path: Path) -> Finder:
    """Read a line finder: a safetensors file, or a checkpoint of a run.

    Raises:
        ModelFileError: the file is missing, damaged, of a newer format, or no line finder.
    """
    check_exists(path)
    text, weights = _read_checkpoint(path) if path.suffix == ".ckpt" else _read_safetensors(path)
    info = parse_finder_info(text, path)
    if info.checksum and info.checksum != compute_checksum(weights):
        raise build_damage_error(path, "the checksum of the weights is wrong")
    try:
        network = LineFinder(**info.arguments)
        network.load_state_dict(weights)
    except (TypeError, ValueError, RuntimeError) as error:
        raise build_damage_error(path, " ".join(str(error).split())[:200]) from None
    if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
        raise build_damage_error(path, "weights that are not finite")
    return Finder(network.eval().to(memory_format=torch.channels_last), info)


def _read_safetensors(path: Path) -> tuple[str, dict[str, torch.Tensor]]:
    text = read_finder_metadata(path)
    try:
        return text, safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, RuntimeError) as error:
        raise build_incomplete_error(path, error) from None


def _read_checkpoint(path: Path) -> tuple[str, dict[str, torch.Tensor]]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle and zip raise many types for a damaged file
        reason = str(error).partition("\n")[0]
        raise ModelFileError(
            f"not a complete checkpoint ({reason})", file=path, remedy="copy it again", kind="damaged"
        ) from None
    if not isinstance(state, dict) or FINDER_KEY not in state:
        raise build_foreign_finder_error(path)
    weights = {n.removeprefix("model."): t for n, t in state["state_dict"].items() if n.startswith("model.")}
    return json.dumps(state[FINDER_KEY]), weights
