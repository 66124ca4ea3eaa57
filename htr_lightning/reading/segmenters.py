"""Segmenters by name: line finders, which ONNX Runtime or PyTorch runs, and the classical way."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Literal

from htr_lightning.charset import Charset
from htr_lightning.directions.bidi import Direction
from htr_lightning.model.info import ModelFileError, find_model
from htr_lightning.segmentation.finder import LineFinderSegmenter
from htr_lightning.segmentation.ideographs import IdeographSegmenter
from htr_lightning.segmentation.maps import MapPredictor
from htr_lightning.segmentation.page import PageDirection, PageSegmenter
from htr_lightning.segmentation.row_finders import ClassicalRows, RowFinder, ShrunkenRows
from htr_lightning.segmentation.segmenter import Segmenter

DEFAULT_FINDER = "zoo:finder"
CLASSICAL = "classical"


def load_segmenter(
    finder: str | Path = DEFAULT_FINDER,
    *,
    min_line_confidence: float = 0.0,
    direction: PageDirection | Literal["auto"] = "auto",
    charset: Charset | None = None,
) -> PageSegmenter:
    """Load what finds the lines of pages.

    Args:
        finder: ``zoo:finder``; a model file, an ONNX file, a checkpoint or a run folder of ``task=find_lines``; or
            ``classical`` for the way without a network.
        min_line_confidence: lines with a lower confidence are dropped.
        direction: of writing; see `direct_segmenter`.
        charset: of the recognizer that will read the lines; None for one of letters from left to right.

    Raises:
        ModelFileError: it is missing or cannot be used, or neither ONNX Runtime nor PyTorch is installed.
    """
    return direct_segmenter(load_undirected(finder, min_line_confidence), direction, charset)


def load_undirected(
    finder: str | Path = DEFAULT_FINDER, min_line_confidence: float = 0.0
) -> Segmenter | LineFinderSegmenter:
    """Load what finds lines from left to right; see `load_segmenter`."""
    if str(finder) == CLASSICAL:
        return Segmenter()
    predict = load_finder(find_model(str(finder), is_finder=True))
    info = predict.info  # type: ignore[attr-defined]
    return LineFinderSegmenter(predict, info.build_preprocess(), info.build_follower(), min_line_confidence)


def direct_segmenter(
    segmenter: Segmenter | LineFinderSegmenter,
    direction: PageDirection | Literal["auto"] = "auto",
    charset: Charset | None = None,
) -> PageSegmenter:
    """Return a segmenter for a direction of writing.

    Args:
        segmenter: finds lines from left to right.
        direction: of writing; ``auto`` for that of the charset, which may have scripts that are written in rows and in
            columns: then each page tells which it has.
        charset: of the recognizer that will read the lines; None if it is not known.
    """
    if direction in ("ttb", "ttb-lr"):
        return IdeographSegmenter(_build_row_finder(segmenter), None, direction)
    rows: Direction = "ltr" if charset is None else charset.page_direction
    if direction in ("ltr", "rtl"):
        rows = direction
    columns = None if charset is None else charset.column_direction
    if columns is None:
        return replace(segmenter, direction=rows)
    return IdeographSegmenter(_build_row_finder(segmenter), rows, columns if direction == "auto" else None)


def _build_row_finder(segmenter: Segmenter | LineFinderSegmenter) -> RowFinder:
    if isinstance(segmenter, Segmenter):
        return ClassicalRows(segmenter)
    return ShrunkenRows(segmenter, None if segmenter.min_line_confidence else Segmenter())


def load_finder(path: Path) -> MapPredictor:
    """Load a line finder, for ONNX Runtime if there is an ONNX file of it, else for PyTorch.

    Raises:
        ModelFileError: it cannot be used, or what runs it is not installed.
    """
    onnx = path.with_suffix(".onnx")
    has_onnx_runtime = importlib.util.find_spec("onnxruntime") is not None
    if path.suffix == ".onnx" or (has_onnx_runtime and path.suffix == ".safetensors" and onnx.is_file()):
        if not has_onnx_runtime:
            remedy = "install it with: pip install 'htr-lightning[onnx]'"
            problem = "reading an ONNX file requires ONNX Runtime, which is not installed"
            raise ModelFileError(problem, file=path, remedy=remedy, kind="not_installed")
        from htr_lightning.model.finder_onnx import read_onnx_finder

        return read_onnx_finder(onnx)
    if importlib.util.find_spec("torch") is None:
        problem = "neither ONNX Runtime nor PyTorch is installed, which run line finders"
        remedy = f"install one of them, or find lines without a network: --finder {CLASSICAL}"
        if has_onnx_runtime:
            problem = f"PyTorch is not installed, and {onnx.name}, which ONNX Runtime could run, is not beside it"
            remedy = f"export it where PyTorch is, install PyTorch, or use --finder {CLASSICAL}"
        raise ModelFileError(problem, file=path, remedy=remedy, kind="not_installed")
    from htr_lightning.model.finder_file import read_finder

    return read_finder(path)
