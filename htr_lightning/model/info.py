"""What is known of a model besides its weights, and where models are found. No PyTorch is needed for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors

from htr_lightning.errors import InputError
from htr_lightning.version import __version__

FORMAT_VERSION = 3
METADATA_KEY = "htr_lightning"


class ModelFileError(InputError):
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
        license: of the weights, where known.
        languages: ISO 639-1 codes of what it learnt to read, where known.
        attribution: whom the data is owed to, and on what terms, where known.
        temperature: what logits are divided by before they are taken for probabilities, so that confidences are true.
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
    license: str = ""
    languages: list[str] = field(default_factory=list)
    attribution: str = ""
    temperature: float = 1.0
    version: str = __version__
    commit: str = ""
    format: int = FORMAT_VERSION


def read_info(path: Path) -> ModelInfo:
    """Read what is known of a model in a safetensors file, without its weights.

    Raises:
        ModelFileError: missing, truncated, not ours, or of a newer format.
    """
    check_exists(path)
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelFileError(f"{path}: not a complete safetensors file ({error}); copy or download it again") from None
    if METADATA_KEY not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not a model of htr_lightning; train or export one")
    return build_info(parse_metadata(metadata[METADATA_KEY], path), path)


def check_exists(path: Path) -> None:
    """Raise where there is no file.

    Raises:
        ModelFileError: nothing is there, or a folder.
    """
    if not path.is_file():
        hint = " (a folder; name the model.safetensors in it)" if path.is_dir() else ""
        raise ModelFileError(f"{path}: there is no such model file{hint}")


def parse_metadata(text: str, path: Path) -> dict[str, Any]:
    """Read the JSON with which a model file describes itself.

    Raises:
        ModelFileError: damaged, or of a newer format; names the file.
    """
    try:
        values: dict[str, Any] = json.loads(text)
        number = int(values["format"])
        if number < 1:
            raise ValueError(number)
    except (ValueError, KeyError, TypeError):
        raise ModelFileError(f"{path}: its description is damaged; copy or download it again") from None
    if number > FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: model format {number}, but htr_lightning {__version__} reads up to {FORMAT_VERSION}; "
            "upgrade with pip install -U htr-lightning"
        )
    return _upgrade(values) if number < FORMAT_VERSION else values


def _upgrade(values: dict[str, Any]) -> dict[str, Any]:
    """Rename what formats 1 and 2 spelled otherwise."""
    upgraded = {"license" if key == "licence" else key: value for key, value in values.items()}
    if isinstance(upgraded.get("preprocess"), dict):
        preprocess = upgraded["preprocess"].items()
        upgraded["preprocess"] = {"gray" if key == "grey" else key: value for key, value in preprocess}
    return upgraded | {"format": FORMAT_VERSION}


def build_info(values: Mapping[str, Any], path: Path) -> ModelInfo:
    """Make a description of what was read.

    Raises:
        ModelFileError: there is too much or too little in it; names the file.
    """
    try:
        return ModelInfo(**values)
    except TypeError as error:
        raise ModelFileError(f"{path}: its description is damaged ({error}); train or export it again") from None


def find_model(where: str) -> Path:
    """Return the file that a name stands for: see `htr_lightning.model.load.load_recognizer`.

    Raises:
        ModelFileError: a run folder without a model, or a name that the zoo does not have.
    """
    if where.startswith("zoo:"):
        return find_zoo_model(where.removeprefix("zoo:"))
    path = Path(where)
    if not path.is_dir():
        return path
    inside = [path / "model.safetensors", path / "checkpoints" / "best.ckpt", path / "checkpoints" / "last.ckpt"]
    found = next((file for file in inside if file.is_file()), None)
    if found is None:
        raise ModelFileError(f"{path}: holds no model (model.safetensors, checkpoints/best.ckpt); name another folder")
    return found


def list_zoo_models() -> dict[str, Path]:
    """Return the models that ship with this package, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent.parent / "zoo").glob("*.safetensors"))}


def find_zoo_model(name: str) -> Path:
    """Return the file of a model that ships with this package.

    Raises:
        ModelFileError: there is none of that name.
    """
    models = list_zoo_models()
    if name not in models:
        raise ModelFileError(f"zoo:{name}: there is no such model; there is {', '.join(models) or 'none yet'}")
    return models[name]
