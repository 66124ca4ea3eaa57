"""Model files: everything that inference needs, in one safetensors file, without pickle."""

import functools
import hashlib
import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.device import DeviceError, Precision, is_bf16_fast
from htr_lightning.files import atomic_write
from htr_lightning.image.ink import to_ink
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.bounds import check_weights, find_archive_damage
from htr_lightning.model.info import (
    CHECKSUM_KEY,
    FORMAT_VERSION,
    METADATA_KEY,
    ModelFileError,
    ModelInfo,
    build_foreign_error,
    build_info,
    find_model,
    read_info,
)
from htr_lightning.model.network import Network, NetworkError, find_class, hash_source, is_ours
from htr_lightning.model.network_check import check_network

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """A PyTorch recognizer (`htr_lightning.model.load.Recognizer`): a network in evaluation mode with its metadata.

    Attributes:
        network: in evaluation mode; inference runs on its device.
        charset: the mapping between class ids and characters.
        preprocess: the preprocessing from images to the lines that `logits` takes.
        info: the metadata.
        precision: ``fp32``, or ``bf16`` by autocast.
    """

    network: Network
    charset: Charset
    preprocess: Preprocess
    info: ModelInfo
    precision: Precision = "fp32"

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return next(self.network.parameters()).device

    @property
    def frame_px(self) -> int:
        """Width of a frame in pixels of the line image."""
        return self.network.frame_px

    @property
    def pixels_per_batch(self) -> int:
        """Recommended batch size in pixels: small on CPUs, so that every core gets a batch; large on GPUs."""
        return 250_000 if self.is_parallel else 1_000_000

    @property
    def is_parallel(self) -> bool:
        """True on CPUs: one core for each batch is faster than all cores for one batch, which wait for each other."""
        return self.device.type == "cpu"

    @torch.inference_mode()
    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits ``(N, T, K)`` of line images ``(N, H, W)``, paper 255."""
        before = torch.get_num_threads()
        torch.set_num_threads(1)  # several would stall while other programs use the cores; counts for this thread only
        try:
            ink = to_ink(torch.from_numpy(images)[:, None].to(self.device))
            with torch.autocast(
                self.device.type, torch.bfloat16, enabled=self.precision == "bf16", cache_enabled=False
            ):
                logits = self.network(ink).logits
            return np.asarray(logits.float().cpu().numpy(), np.float32)
        finally:
            torch.set_num_threads(before)

    def frame_lengths(self, widths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of frames of lines that are ``widths`` pixels wide, both ``(N,)``."""
        return np.asarray(self.network.frame_lengths(torch.from_numpy(widths)).numpy(), np.int64)


def write_model(path: Path, weights: Mapping[str, torch.Tensor], info: ModelInfo, *, half: bool = False) -> None:
    """Write a model file atomically.

    Args:
        path: the file.
        weights: state dict of the network.
        info: the metadata.
        half: store matrices and kernels in 16 bits, biases and normalization in 32. Networks compute in fp32 either
            way.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    if half:
        tensors = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in tensors.items()}
    metadata = asdict(replace(info, format=FORMAT_VERSION)) | {CHECKSUM_KEY: compute_checksum(tensors)}
    # One entry: safetensors writes several in any order, and equal models are to be equal files.
    data = safetensors.torch.save(tensors, {METADATA_KEY: json.dumps(metadata, ensure_ascii=False)})
    with atomic_write(path) as file:
        file.write(data)


def read_model(path: Path, device: str | torch.device = "cpu", trust: Collection[str] = ()) -> Model:
    """Read a model file.

    Args:
        path: the file.
        device: device of the network.
        trust: see `load_model`.

    Raises:
        ModelFileError: the file is missing, truncated, not a model of this package, or of a newer format; its weights
            do not fit its metadata; or its class is not trusted, cannot be imported, or does not keep the protocol.
    """
    info = read_info(path)
    try:
        weights = safetensors.torch.load_file(path)
        _verify_checksum(path, weights)
        return _build_model(info, weights, path.stat().st_size, device, trust)
    except DeviceError:
        raise
    except NetworkError as error:
        raise ModelFileError(error.problem, file=path, remedy=error.remedy, kind=error.kind) from None
    except Exception as error:  # the metadata are arguments of constructors, which raise anything for wrong types
        raise ModelFileError(
            f"its weights or metadata are inconsistent ({error})",
            file=path,
            remedy="train or export it again",
            kind="damaged",
        ) from None


def compute_checksum(weights: Mapping[str, torch.Tensor]) -> str:
    """Return a digest of the names and values of weights."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(weights):
        digest.update(f"{name}\0".encode())
        digest.update(weights[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _verify_checksum(path: Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Compare weights with the checksum in their file; files of earlier versions have none.

    Raises:
        ValueError: they differ.
    """
    with safetensors.safe_open(path, framework="np") as file:
        checksum = json.loads(file.metadata()[METADATA_KEY]).get(CHECKSUM_KEY)
    if checksum is not None and checksum != compute_checksum(weights):
        raise ValueError("the checksum of the weights is wrong")


def load_model(source: str | Path, device: str | torch.device = "cpu", trust: Collection[str] = ()) -> Model:
    """Load a PyTorch model.

    Args:
        source: a model file, a Lightning checkpoint (``.ckpt``) of this package, a run folder, or ``zoo:NAME``.
        device: device of the network.
        trust: import paths of classes, modules or packages outside of this package that the model may name; loading it
            imports and calls them.

    Raises:
        ModelFileError: the model is missing or cannot be used, or its class is not trusted.
    """
    path = find_model(str(source))
    if path.suffix == ".onnx":
        raise ModelFileError(
            "an ONNX file can only be used for inference",
            file=path,
            remedy="give the model that it was exported from (model.safetensors, a run folder, or zoo:NAME)",
        )
    read = read_checkpoint if path.suffix == ".ckpt" else read_model
    return read(path, device, trust)


def with_precision(model: Model, precision: Precision) -> Model:
    """Return a copy of a model that computes in a precision; its weights stay in fp32.

    Raises:
        DeviceError: the precision is unknown, or slow on the model's device.
    """
    if precision not in get_args(Precision):
        choices = ", ".join(get_args(Precision))
        raise DeviceError("unknown precision", key="precision", value=precision, remedy=f"choose from {choices}")
    if precision == "bf16" and not is_bf16_fast(model.device.type):
        raise DeviceError(
            f"{model.device} has no instructions for bf16, and would be slower than in fp32",
            key="--precision",
            value=precision,
            remedy="use fp32",
            kind="unavailable",
        )
    return replace(model, precision=precision)


def read_checkpoint(path: Path, device: str | torch.device = "cpu", trust: Collection[str] = ()) -> Model:
    """Read the model in a Lightning checkpoint that a run wrote.

    Args:
        path: the checkpoint.
        device: device of the network.
        trust: see `load_model`.

    Raises:
        ModelFileError: the file is missing, truncated, or not a checkpoint of this package.
    """
    if not path.is_file():
        raise ModelFileError("there is no such checkpoint", file=path, remedy="check the path", kind="missing")
    try:
        if damage := find_archive_damage(path):
            raise ValueError(damage)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle and zip raise many types for a damaged file
        reason = str(error).partition("\n")[0]
        raise ModelFileError(
            f"not a complete checkpoint ({reason})", file=path, remedy="copy it again", kind="damaged"
        ) from None
    if not isinstance(state, dict) or METADATA_KEY not in state or "state_dict" not in state:
        metadata = state if isinstance(state, dict) else {}
        remedy = "give a model trained with htr_lightning"
        raise build_foreign_error("a checkpoint, but not of htr_lightning", path, remedy, metadata)
    try:
        info = build_info(state[METADATA_KEY], path)
        weights = {n.removeprefix("model."): t for n, t in state["state_dict"].items() if n.startswith("model.")}
        return _build_model(info, weights, path.stat().st_size, device, trust)
    except (DeviceError, ModelFileError):
        raise
    except NetworkError as error:
        raise ModelFileError(error.problem, file=path, remedy=error.remedy, kind=error.kind) from None
    except Exception as error:  # as in `read_model`
        raise ModelFileError(
            f"its weights or metadata are inconsistent ({error})", file=path, remedy="train it again", kind="damaged"
        ) from None


def _build_model(
    info: ModelInfo,
    weights: Mapping[str, torch.Tensor],
    num_bytes: int,
    device: str | torch.device,
    trust: Collection[str],
) -> Model:
    """Build a model from its metadata and the weights in a file of ``num_bytes``."""
    charset = Charset.from_dict(info.charset)
    preprocess = Preprocess.from_dict(info.preprocess)
    network = _build_network(info, weights, charset.num_classes, num_bytes, trust)
    if network.height_px != preprocess.height_px:
        heights = f"{network.height_px} and {preprocess.height_px} px"
        raise ValueError(f"the lines of its network and of its preprocessing have different heights, {heights}")
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ValueError(f"{name} has weights that are not finite (NaN or infinite)")
    return Model(network.to(device).eval(), charset, preprocess, info)


def _build_network(
    info: ModelInfo, weights: Mapping[str, torch.Tensor], num_classes: int, num_bytes: int, trust: Collection[str]
) -> Network:
    """Build the network that metadata describes, with its weights.

    Raises:
        NetworkError: its class is not trusted, cannot be imported, or does not keep the protocol.
        ValueError: the weights are not those of the class, which may have changed since.
    """
    cls: Any = find_class(info.architecture, trust)
    changed = ""
    if info.source_digest and info.source_digest != hash_source(cls):
        changed = f"the source of {info.architecture} has changed since the model was trained"
    try:
        if is_ours(cls):  # these can be built without memory
            check_weights(functools.partial(cls, num_classes, **info.arguments), weights, num_bytes)
        network: Network = cls(num_classes, **info.arguments)
        network.load_state_dict(weights)
    except Exception as error:  # whatever a class raises
        raise ValueError(f"{error}; {changed}" if changed else str(error)) from None
    if not is_ours(cls):
        check_network(network, num_classes)
    if changed:
        log.warning("%s; its predictions may differ", changed)
    return network
