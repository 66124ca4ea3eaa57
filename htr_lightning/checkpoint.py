"""What a model file holds: everything that reading needs, in one safetensors file, without pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from htr_lightning import __version__
from htr_lightning.charset import Charset
from htr_lightning.data.preprocess import Preprocess
from htr_lightning.files import replacing
from htr_lightning.model.recognizer import CRNN, rebuild

FORMAT = 1
KEY = "htr_lightning"


class ModelFileError(ValueError):
    """A model file that cannot be read; the message names the file, the reason and the remedy."""


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model, besides its weights; plain JSON types only.

    Attributes:
        architecture: name of the network's class.
        arguments: of its constructor, without the number of classes.
        charset: as `Charset.to_dict` gives it.
        preprocess: as `Preprocess.to_dict` gives it.
        width_step_px: lines were padded to multiples of this width in training.
        scores: what was measured at the end of training, such as ``val/cer``.
        data: the training data's name and fingerprint.
        licence: of the weights, where known.
        version: of this package.
        commit: of the working tree that trained it, where known.
        format: of the file.
    """

    architecture: str
    arguments: dict[str, Any]
    charset: dict[str, Any]
    preprocess: dict[str, Any]
    width_step_px: int
    scores: dict[str, float] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    licence: str = ""
    version: str = __version__
    commit: str = ""
    format: int = FORMAT


@dataclass(frozen=True)
class Model:
    """A model ready to use: the network in evaluation mode, and what surrounds it."""

    network: CRNN
    charset: Charset
    preprocess: Preprocess
    info: ModelInfo


def write_model(path: Path, weights: Mapping[str, torch.Tensor], info: ModelInfo) -> None:
    """Write a model file; it appears whole or not at all.

    Args:
        path: where to.
        weights: the network's state dict.
        info: everything else.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    data = safetensors.torch.save(tensors, {KEY: json.dumps(asdict(info), ensure_ascii=False)})
    with replacing(path) as file:
        file.write(data)


def read_info(path: Path) -> ModelInfo:
    """Read what is known of a model, without its weights.

    Raises:
        ModelFileError: missing, truncated, not ours, or of a newer format.
    """
    if not path.is_file():
        hint = " (a folder; name the model.safetensors in it)" if path.is_dir() else ""
        raise ModelFileError(f"{path}: there is no such model file{hint}")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelFileError(f"{path}: not a complete safetensors file ({error}); copy or download it again") from None
    if KEY not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not a model of htr_lightning; train or export one")
    try:
        values = json.loads(metadata[KEY])
        number = int(values["format"])
        if number < 1:
            raise ValueError(number)
    except (ValueError, KeyError, TypeError):
        raise ModelFileError(f"{path}: its description is damaged; copy or download it again") from None
    if number > FORMAT:
        raise ModelFileError(
            f"{path}: model format {number}, but htr_lightning {__version__} reads up to {FORMAT}; "
            "upgrade with pip install -U htr-lightning"
        )
    try:
        return ModelInfo(**values)
    except TypeError as error:
        raise ModelFileError(f"{path}: its description is damaged ({error}); train or export it again") from None


def read_model(path: Path, device: str | torch.device = "cpu") -> Model:
    """Read a model file.

    Raises:
        ModelFileError: missing, truncated, not ours, of a newer format, or weights that do not fit.
    """
    info = read_info(path)
    try:
        charset = Charset.from_dict(info.charset)
        preprocess = Preprocess.from_dict(info.preprocess)
        network = rebuild(info.architecture, charset.num_classes, info.arguments)
        network.load_state_dict(safetensors.torch.load_file(path))
    except (ValueError, TypeError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
        raise ModelFileError(
            f"{path}: cannot be built as it describes itself ({error}); train or export it again"
        ) from None
    return Model(network.to(device).eval(), charset, preprocess, info)
