"""What a model file holds: everything that reading needs, in one safetensors file, without pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
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

FORMAT = 2
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
        languages: ISO 639-1 codes of what it learnt to read, where known.
        attribution: whom the data is owed to, and on what terms, where known.
        temperature: what scores are divided by before they are taken for probabilities, so that confidences are true.
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
    languages: list[str] = field(default_factory=list)
    attribution: str = ""
    temperature: float = 1.0
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


def write_model(path: Path, weights: Mapping[str, torch.Tensor], info: ModelInfo, *, half: bool = False) -> None:
    """Write a model file; it appears whole or not at all.

    Args:
        path: where to.
        weights: the network's state dict.
        info: everything else.
        half: write matrices and kernels in 16 bits; biases and normalisation keep 32. Networks compute in fp32 all
            the same.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    if half:
        tensors = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in tensors.items()}
    data = safetensors.torch.save(tensors, {KEY: json.dumps(asdict(replace(info, format=FORMAT)), ensure_ascii=False)})
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
    path = model_path(str(where))
    return read_checkpoint(path, device) if path.suffix == ".ckpt" else read_model(path, device)


def model_path(where: str) -> Path:
    """Return the file that a name stands for: see `load_model`.

    Raises:
        ModelFileError: a run folder without a model, or a name that the zoo does not have.
    """
    if where.startswith("zoo:"):
        return zoo_path(where.removeprefix("zoo:"))
    path = Path(where)
    if not path.is_dir():
        return path
    inside = [path / "model.safetensors", path / "checkpoints" / "best.ckpt", path / "checkpoints" / "last.ckpt"]
    found = next((file for file in inside if file.is_file()), None)
    if found is None:
        raise ModelFileError(f"{path}: holds no model (model.safetensors, checkpoints/best.ckpt); name another folder")
    return found


def zoo() -> dict[str, Path]:
    """Return the models that ship with this package, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "zoo").glob("*.safetensors"))}


def zoo_path(name: str) -> Path:
    """Return the file of a model that ships with this package.

    Raises:
        ModelFileError: there is none of that name.
    """
    models = zoo()
    if name not in models:
        raise ModelFileError(f"zoo:{name}: there is no such model; there is {', '.join(models) or 'none yet'}")
    return models[name]


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
    if not isinstance(state, dict) or KEY not in state or "state_dict" not in state:
        raise ModelFileError(f"{path}: a checkpoint, but not of htr_lightning; start from a model that it trained")
    try:
        info = ModelInfo(**state[KEY])
        weights = {n.removeprefix("model."): t for n, t in state["state_dict"].items() if n.startswith("model.")}
        return _assembled(info, weights, device)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise ModelFileError(f"{path}: cannot be built as it describes itself ({error}); train it again") from None


def _assembled(info: ModelInfo, weights: Mapping[str, torch.Tensor], device: str | torch.device) -> Model:
    charset = Charset.from_dict(info.charset)
    preprocess = Preprocess.from_dict(info.preprocess)
    network = rebuild(info.architecture, charset.num_classes, info.arguments)
    network.load_state_dict(weights)
    return Model(network.to(device).eval(), charset, preprocess, info)
