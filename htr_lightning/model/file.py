"""What a model file holds: everything that reading needs, in one safetensors file, without pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.device import DeviceError, Precision, is_bf16_fast
from htr_lightning.files import replacing
from htr_lightning.image.ink import to_ink
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN, build_network
from htr_lightning.model.info import FORMAT_VERSION, METADATA_KEY, ModelFileError, ModelInfo, find_model, read_info


@dataclass(frozen=True)
class Model:
    """A model ready to use: the network in evaluation mode, and what surrounds it.

    It is a `htr_lightning.model.load.Recognizer`, which reads where the network is.
    """

    network: CRNN
    charset: Charset
    preprocess: Preprocess
    info: ModelInfo
    precision: Precision = "fp32"

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @property
    def frame_px(self) -> int:
        """How many columns of pixels each frame stands for."""
        return self.network.frame_px

    @property
    def pixels_per_batch(self) -> int:
        """So few that all cores have some, or so many that a GPU has enough to do."""
        return 250_000 if self.is_parallel else 1_000_000

    @property
    def is_parallel(self) -> bool:
        """On CPUs: a core for each batch is faster than all cores for one, as they need not wait for each other."""
        return self.device.type == "cpu"

    @torch.inference_mode()
    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Read lines ``(N, H, W)``, paper 255: logits ``(N, T, K)``."""
        before = torch.get_num_threads()
        torch.set_num_threads(1)  # of this thread; where other work is on the machine, several would stall
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
        """Return the frames of lines that are ``widths`` pixels wide, both ``(N,)``."""
        return np.asarray(self.network.frame_lengths(torch.from_numpy(widths)).numpy(), np.int64)


def write_model(path: Path, weights: Mapping[str, torch.Tensor], info: ModelInfo, *, half: bool = False) -> None:
    """Write a model file; it appears whole or not at all.

    Args:
        path: where to.
        weights: the network's state dict.
        info: everything else.
        half: write matrices and kernels in 16 bits; biases and normalization keep 32. Networks compute in fp32 all
            the same.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    if half:
        tensors = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in tensors.items()}
    data = safetensors.torch.save(
        tensors, {METADATA_KEY: json.dumps(asdict(replace(info, format=FORMAT_VERSION)), ensure_ascii=False)}
    )
    with replacing(path) as file:
        file.write(data)


def read_model(path: Path, device: str | torch.device = "cpu") -> Model:
    """Read a model file.

    Raises:
        ModelFileError: missing, truncated, not ours, of a newer format, or weights that do not fit.
    """
    info = read_info(path)
    try:
        return _assembled(info, safetensors.torch.load_file(path), device)
    except (ValueError, TypeError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
        raise ModelFileError(
            f"{path}: cannot be built as it describes itself ({error}); train or export it again"
        ) from None


def load_model(where: str | Path, device: str | torch.device = "cpu") -> Model:
    """Read a model from wherever it is.

    Args:
        where: a model file, a Lightning checkpoint (``.ckpt``) of this package, a run folder, or ``zoo:NAME``.
        device: of the network.

    Raises:
        ModelFileError: there is no model, or it cannot be used.
    """
    path = find_model(str(where))
    if path.suffix == ".onnx":
        raise ModelFileError(
            f"{path}: an ONNX file can only be read with; give the model that it was exported from "
            "(model.safetensors, a run folder, or zoo:NAME)"
        )
    return read_checkpoint(path, device) if path.suffix == ".ckpt" else read_model(path, device)


def with_precision(model: Model, precision: Precision) -> Model:
    """Return a model that computes so; its weights stay in fp32.

    Raises:
        DeviceError: there is no such precision, or it is not fast on the device.
    """
    if precision not in get_args(Precision):
        raise DeviceError(f"precision {precision!r}: there is {' and '.join(get_args(Precision))}")
    if precision == "bf16" and not is_bf16_fast(model.device.type):
        raise DeviceError(f"--precision bf16: {model.device} has no instructions for it, and would be slower; use fp32")
    return replace(model, precision=precision)


def read_checkpoint(path: Path, device: str | torch.device = "cpu") -> Model:
    """Read the model in a Lightning checkpoint that a run wrote.

    Raises:
        ModelFileError: missing, truncated, or not a checkpoint of this package.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: there is no such checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises whatever its pickle or its archive makes of it
        first = str(error).partition("\n")[0]
        raise ModelFileError(f"{path}: cannot be read as a checkpoint ({first}); copy it again") from None
    if not isinstance(state, dict) or METADATA_KEY not in state or "state_dict" not in state:
        raise ModelFileError(f"{path}: a checkpoint, but not of htr_lightning; start from a model that it trained")
    try:
        info = ModelInfo(**state[METADATA_KEY])
        weights = {n.removeprefix("model."): t for n, t in state["state_dict"].items() if n.startswith("model.")}
        return _assembled(info, weights, device)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise ModelFileError(f"{path}: cannot be built as it describes itself ({error}); train it again") from None


def _assembled(info: ModelInfo, weights: Mapping[str, torch.Tensor], device: str | torch.device) -> Model:
    charset = Charset.from_dict(info.charset)
    preprocess = Preprocess.from_dict(info.preprocess)
    network = build_network(info.architecture, charset.num_classes, info.arguments)
    network.load_state_dict(weights)
    return Model(network.to(device).eval(), charset, preprocess, info)
