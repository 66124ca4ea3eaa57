"""Files of line finders: weights, architecture, preprocessing and the settings of the follower, without pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from htr_lightning.files import atomic_write
from htr_lightning.image.page_pixels import PagePreprocess
from htr_lightning.model.file import compute_checksum
from htr_lightning.model.info import ModelFileError, check_exists
from htr_lightning.model.line_finder import LineFinder
from htr_lightning.segmentation.follower import LineFollower
from htr_lightning.version import __version__

FINDER_KEY = "htr_lightning_finder"
"""Key of the metadata in safetensors files, ONNX files and checkpoints of line finders."""
FINDER_FORMAT = 1
"""Version of the file format; raise it when the metadata changes in a way that older versions cannot read."""


@dataclass(frozen=True)
class FinderInfo:
    """Metadata of a line finder: everything but its weights. JSON types only.

    Attributes:
        arguments: of the constructor of `LineFinder`.
        preprocess: of `PagePreprocess`.
        follower: of `LineFollower`.
        scores: metrics at the end of training, such as ``val/f1``.
        data: fingerprint of the training pages.
        license: of the weights; empty if unknown.
        attribution: whom to credit for the training pages; empty if unknown.
        version: of this package.
        commit: of the working tree that trained it; empty if unknown.
        checksum: of the weights; empty in checkpoints.
        format: version of the file format.
    """

    arguments: dict[str, Any]
    preprocess: dict[str, Any]
    follower: dict[str, Any]
    scores: dict[str, float] = field(default_factory=dict)
    data: str = ""
    license: str = ""
    attribution: str = ""
    version: str = __version__
    commit: str = ""
    checksum: str = ""
    format: int = FINDER_FORMAT

    def build_preprocess(self) -> PagePreprocess:
        """Return the preprocessing."""
        return PagePreprocess(**self.preprocess)

    def build_follower(self) -> LineFollower:
        """Return the follower."""
        return LineFollower(**self.follower)


@dataclass(frozen=True, eq=False)
class Finder:
    """A line finder of PyTorch, in evaluation mode on the CPU, with its metadata."""

    network: LineFinder
    info: FinderInfo


def parse_finder_info(text: str, path: Path) -> FinderInfo:
    """Parse the metadata of a line finder.

    Raises:
        ModelFileError: it is damaged, or of a newer format.
    """
    try:
        values: dict[str, Any] = json.loads(text)
        version = int(values["format"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _build_damage_error(path, "its metadata cannot be parsed") from None
    if version > FINDER_FORMAT:
        raise ModelFileError(
            f"line finder of format {version}, but htr_lightning {__version__} reads formats up to {FINDER_FORMAT}",
            file=path,
            remedy="upgrade with pip install -U htr-lightning",
            kind="newer",
        )
    try:
        unknown = values.keys() - {f.name for f in fields(FinderInfo)}
        if version < 1 or unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}" if unknown else f"format {version}")
        info = FinderInfo(**values)
        info.build_preprocess(), info.build_follower()
    except (TypeError, ValueError, AttributeError) as error:
        raise _build_damage_error(path, str(error)) from None
    return info


def _build_damage_error(path: Path, reason: str) -> ModelFileError:
    remedy = "copy or download it again, or train it again"
    return ModelFileError(f"its metadata is damaged ({reason})", file=path, remedy=remedy, kind="damaged")


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


def read_finder(path: Path) -> Finder:
    """Read a line finder: a safetensors file, or a checkpoint of a run.

    Raises:
        ModelFileError: the file is missing, damaged, of a newer format, or no line finder.
    """
    check_exists(path)
    text, weights = _read_checkpoint(path) if path.suffix == ".ckpt" else _read_safetensors(path)
    info = parse_finder_info(text, path)
    if info.checksum and info.checksum != compute_checksum(weights):
        raise _build_damage_error(path, "the checksum of the weights is wrong")
    try:
        network = LineFinder(**info.arguments)
        network.load_state_dict(weights)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _build_damage_error(path, " ".join(str(error).split())[:200]) from None
    if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
        raise _build_damage_error(path, "weights that are not finite")
    return Finder(network.eval(), info)


def _read_safetensors(path: Path) -> tuple[str, dict[str, torch.Tensor]]:
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
        if FINDER_KEY in metadata:
            return metadata[FINDER_KEY], safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, RuntimeError) as error:
        raise ModelFileError(
            f"not a complete safetensors file ({error})", file=path, remedy="copy or download it again", kind="damaged"
        ) from None
    raise _build_foreign_error(path)


def _read_checkpoint(path: Path) -> tuple[str, dict[str, torch.Tensor]]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle and zip raise many types for a damaged file
        reason = str(error).partition("\n")[0]
        raise ModelFileError(
            f"not a complete checkpoint ({reason})", file=path, remedy="copy it again", kind="damaged"
        ) from None
    if not isinstance(state, dict) or FINDER_KEY not in state:
        raise _build_foreign_error(path)
    weights = {n.removeprefix("model."): t for n, t in state["state_dict"].items() if n.startswith("model.")}
    return json.dumps(state[FINDER_KEY]), weights


def _build_foreign_error(path: Path) -> ModelFileError:
    remedy = "give a model that task=find_lines trained, or zoo:finder"
    return ModelFileError("this is no line finder", file=path, remedy=remedy, kind="foreign")
