"""Metadata of line finders. PyTorch is not needed for it."""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from htr_lightning.image.page_pixels import PagePreprocess
from htr_lightning.model.info import ModelFileError
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
        info.build_preprocess(), info.build_follower()
    except (TypeError, ValueError, AttributeError) as error:
        raise build_damage_error(path, str(error)) from None
    return info


def build_damage_error(path: Path, reason: str) -> ModelFileError:
    """Return the error for damaged metadata or weights."""
    remedy = "copy or download it again, or train it again"
    return ModelFileError(f"its metadata is damaged ({reason})", file=path, remedy=remedy, kind="damaged")
