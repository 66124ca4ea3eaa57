"""Metadata of line finders. PyTorch is not needed for it."""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import safetensors

from htr_lightning.image.page_pixels import PagePreprocess
from htr_lightning.model.info import FINDER_KEY, ModelFileError, check_exists
from htr_lightning.segmentation.follower import LineFollower
from htr_lightning.version import __version__

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


def read_finder_info(path: Path) -> FinderInfo:
    """Read the metadata of the safetensors file of a line finder, without its weights.

    Raises:
        ModelFileError: the file is missing, damaged, of a newer format, or no line finder.
    """
    check_exists(path)
    return parse_finder_info(read_finder_metadata(path), path)


def read_finder_metadata(path: Path) -> str:
    """Return the metadata of the safetensors file of a line finder, as it is written.

    Raises:
        ModelFileError: the file is damaged, or no line finder.
    """
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise build_incomplete_error(path, error) from None
    if FINDER_KEY not in metadata:
        raise build_foreign_finder_error(path)
    return str(metadata[FINDER_KEY])


def parse_finder_info(text: str, path: Path) -> FinderInfo:
    """Parse the metadata of a line finder.

    Raises:
        ModelFileError: it is damaged, or of a newer format.
    """
    try:
        values: dict[str, Any] = json.loads(text)
        version = int(values["format"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise build_damage_error(path, "its metadata cannot be parsed") from None
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
        info.arguments.setdefault("row_dilations", [])  # files of before November 30, 2026
        info.build_preprocess(), info.build_follower()
    except (TypeError, ValueError, AttributeError) as error:
        raise build_damage_error(path, str(error)) from None
    return info


def build_damage_error(path: Path, reason: str) -> ModelFileError:
    """Return the error for damaged metadata or weights."""
    remedy = "copy or download it again, or train it again"
    return ModelFileError(f"its metadata is damaged ({reason})", file=path, remedy=remedy, kind="damaged")


def build_incomplete_error(path: Path, error: Exception) -> ModelFileError:
    """Return the error for a safetensors file that cannot be opened."""
    problem = f"not a complete safetensors file ({error})"
    return ModelFileError(problem, file=path, remedy="copy or download it again", kind="damaged")


def build_foreign_finder_error(path: Path) -> ModelFileError:
    """Return the error for a file that is no line finder."""
    remedy = "give a model that task=find_lines trained, or zoo:finder"
    return ModelFileError("this is no line finder", file=path, remedy=remedy, kind="foreign")
