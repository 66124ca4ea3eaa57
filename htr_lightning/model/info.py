"""Model metadata, and where model files are found. PyTorch is not needed for it."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import safetensors

from htr_lightning.errors import InputError
from htr_lightning.files import RunFolder
from htr_lightning.image.files import MAX_WIDTH_STEP_PX
from htr_lightning.version import __version__

FORMAT_VERSION = 4
"""Version of the model file format; raise it when the metadata changes in a way that older versions cannot read."""
METADATA_KEY = "htr_lightning"
"""Key of the metadata in safetensors files, ONNX files and checkpoints."""
FINDER_KEY = "htr_lightning_finder"
"""The same key in files of line finders (`htr_lightning.model.finder_info`)."""
CHECKSUM_KEY = "weights_checksum"
"""Key of the checksum of the weights in the metadata of safetensors files."""


class ModelFileError(InputError):
    """A model file that is missing or cannot be used."""


@dataclass(frozen=True)
class ModelInfo:
    """Metadata of a model: everything but its weights. JSON types only.

    Attributes:
        architecture: import path of the network's class.
        arguments: arguments of its constructor, without the number of classes.
        charset: see `Charset.to_dict`.
        preprocess: see `Preprocess.to_dict`.
        width_step_px: in training, lines were padded to multiples of this width.
        scores: metrics at the end of training, such as ``val/cer``.
        data: name and fingerprint of the training data.
        license: of the weights; empty if unknown.
        languages: ISO 639-1 codes of the languages in the training data; empty if unknown.
        lm: language model with which the model is decoded by default, such as ``auto``; see
            `htr_lightning.decode.decoder.build_default_decoder`. Empty for greedy decoding.
        int8: whether the CER of validation lines is the same within 0.1 points in 8 bits, so that reading on a CPU uses
            them by default; see `htr_lightning.reading.runtime`. False also if that was not measured.
        attribution: whom to credit for the training data, and its terms; empty if unknown.
        temperature: logits are divided by it before the softmax, so that confidences are calibrated.
        version: of this package.
        commit: of the working tree that trained the model; empty if unknown.
        source_digest: of the source of the network's class, if it is not of this package.
        format: version of the file format.

    Raises:
        ValueError: ``width_step_px`` is out of range.
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
    lm: str = ""
    int8: bool = False
    attribution: str = ""
    temperature: float = 1.0
    version: str = __version__
    commit: str = ""
    source_digest: str = ""
    format: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if type(self.width_step_px) is not int or not 1 <= self.width_step_px <= MAX_WIDTH_STEP_PX:
            raise ValueError(f"width_step_px={self.width_step_px} is not a number from 1 to {MAX_WIDTH_STEP_PX}")


def read_info(path: Path) -> ModelInfo:
    """Read the metadata of a safetensors model file, without its weights.

    Raises:
        ModelFileError: the file is missing, truncated, not a model of this package, or of a newer format.
    """
    check_exists(path)
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelFileError(
            f"not a complete safetensors file ({error})", file=path, remedy="copy or download it again", kind="damaged"
        ) from None
    if METADATA_KEY not in metadata:
        remedy = "train or export a model with htr_lightning"
        raise build_foreign_error("a safetensors file, but not a model of htr_lightning", path, remedy, metadata)
    return build_info(parse_metadata(metadata[METADATA_KEY], path), path)


def build_foreign_error(problem: str, path: Path, remedy: str, metadata: Mapping[str, Any]) -> ModelFileError:
    """Return the error for a file that is no recognizer; one that is a line finder is named as such.

    Args:
        problem: what the file is, unless it is a line finder.
        path: of the file.
        remedy: likewise.
        metadata: of the file.
    """
    if FINDER_KEY in metadata:
        problem, remedy = "a line finder, not a recognizer", "give it to --finder, and a recognizer as the model"
    return ModelFileError(problem, file=path, remedy=remedy, kind="foreign")


def check_exists(path: Path) -> None:
    """Check that a model file exists.

    Raises:
        ModelFileError: the file is missing, or is a folder.
    """
    if path.is_dir():
        raise ModelFileError("is a folder", file=path, remedy="name the model.safetensors in it", kind="missing")
    if not path.is_file():
        raise ModelFileError("there is no such model file", file=path, remedy="check the path", kind="missing")


def parse_metadata(text: str, path: Path) -> dict[str, Any]:
    """Parse the JSON metadata of a model file, and upgrade it to the current format.

    Args:
        text: the JSON.
        path: of the model file, for error messages.

    Raises:
        ModelFileError: the metadata is damaged, or of a newer format.
    """
    try:
        values: dict[str, Any] = json.loads(text)
        version = int(values["format"])
        if version < 1:
            raise ValueError(version)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise ModelFileError(
            "its metadata is damaged", file=path, remedy="copy or download it again", kind="damaged"
        ) from None
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"model format {version}, but htr_lightning {__version__} reads formats up to {FORMAT_VERSION}",
            file=path,
            remedy="upgrade with pip install -U htr-lightning",
            kind="newer",
        )
    values.pop(CHECKSUM_KEY, None)
    return _upgrade(values) if version < FORMAT_VERSION else values


def _upgrade(values: dict[str, Any]) -> dict[str, Any]:
    """Rename the keys that formats 1 and 2 spelled differently, and the class: format 3 named it without its module."""
    upgraded = {"license" if key == "licence" else key: value for key, value in values.items()}
    if isinstance(upgraded.get("preprocess"), dict):
        preprocess = upgraded["preprocess"].items()
        upgraded["preprocess"] = {"gray" if key == "grey" else key: value for key, value in preprocess}
    if upgraded.get("architecture") == "CRNN":
        upgraded["architecture"] = "htr_lightning.model.crnn.CRNN"
    return upgraded | {"format": FORMAT_VERSION}


def build_info(values: Mapping[str, Any], path: Path) -> ModelInfo:
    """Build the metadata from parsed JSON.

    Args:
        values: the fields of `ModelInfo`.
        path: of the model file, for error messages.

    Raises:
        ModelFileError: a field is missing or unknown, or its value is of another type or out of range.
    """
    try:
        info = ModelInfo(**values)
        _check_fields(info)
        return info
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            f"its metadata is damaged ({error})", file=path, remedy="train or export it again", kind="damaged"
        ) from None


def _check_fields(info: ModelInfo) -> None:
    """Check types and ranges of metadata, which may come from anywhere.

    Raises:
        ValueError: names the field.
    """
    for field_, hint in get_type_hints(ModelInfo).items():
        value, kind = getattr(info, field_), get_origin(hint) or hint
        allowed = (int, float) if kind is float else kind
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{field_} is {value!r:.60}, which is not of the type {kind.__name__}")
    if not 0 < info.temperature < math.inf:
        raise ValueError(f"temperature is {info.temperature}, which is not a positive number")
    if not all(isinstance(score, int | float) for score in info.scores.values()):
        raise ValueError("a score is not a number")
    if not all(isinstance(language, str) for language in info.languages):
        raise ValueError("a language is not a string")


def find_model(source: str, *, is_finder: bool = False) -> Path:
    """Find the file of a model.

    Args:
        source: a file, a run folder, or ``zoo:NAME``; see `htr_lightning.model.load.load_recognizer`.
        is_finder: ``zoo:NAME`` is a line finder.

    Raises:
        ModelFileError: the run folder contains no model, or the zoo has no model of that name.
    """
    if source.startswith("zoo:"):
        name = source.removeprefix("zoo:")
        return find_zoo_finder(name) if is_finder else find_zoo_model(name)
    path = Path(source)
    if not path.is_dir():
        return path
    run = RunFolder(path)
    model = next((file for file in (run.model, run.best, run.last) if file.is_file()), None)
    if model is None:
        raise ModelFileError(
            "the folder contains no model (model.safetensors, checkpoints/best.ckpt, checkpoints/last.ckpt)",
            file=path,
            remedy="name another folder",
            kind="missing",
        )
    return model


def list_zoo_models() -> dict[str, Path]:
    """Return the models that ship with this package: name -> file."""
    return {path.stem: path for path in sorted((Path(__file__).parent.parent / "zoo").glob("*.safetensors"))}


def list_finders() -> dict[str, Path]:
    """Return the line finders that ship with this package: name -> file."""
    folder = Path(__file__).parent.parent / "zoo" / "finders"
    return {path.stem: path for path in sorted(folder.glob("*.safetensors"))}


def find_zoo_model(name: str) -> Path:
    """Find the file of a model that ships with this package.

    Raises:
        ModelFileError: there is no model of that name.
    """
    models = list_zoo_models()
    if name in list_finders():
        remedy = f"give it to --finder, and one of {', '.join(models)} as the model"
        raise ModelFileError("a line finder, not a recognizer", file=f"zoo:{name}", remedy=remedy, kind="foreign")
    if name not in models:
        raise ModelFileError(
            "there is no such model", file=f"zoo:{name}", remedy=f"choose from {', '.join(models)}", kind="missing"
        )
    return models[name]


def find_zoo_finder(name: str) -> Path:
    """Find the file of a line finder that ships with this package.

    Raises:
        ModelFileError: there is no line finder of that name.
    """
    finders = list_finders()
    if name not in finders:
        problem, choices = "there is no such line finder", ", ".join(f"zoo:{finder}" for finder in finders)
        if name in list_zoo_models():
            problem = "a recognizer, not a line finder"
        remedy = f"choose from {choices}" if finders else "this installation has none; install the package again"
        raise ModelFileError(problem, file=f"zoo:{name}", remedy=remedy, kind="missing")
    return finders[name]
