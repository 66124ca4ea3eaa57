"""Segmenters by name: line finders, which ONNX Runtime or PyTorch runs, and the classical way."""

import importlib.util
from pathlib import Path

from htr_lightning.model.info import ModelFileError, find_model
from htr_lightning.segmentation.finder import LineFinderSegmenter
from htr_lightning.segmentation.maps import MapPredictor
from htr_lightning.segmentation.page import PageDirection
from htr_lightning.segmentation.segmenter import Segmenter
from htr_lightning.segmentation.vertical import VerticalSegmenter

DEFAULT_FINDER = "zoo:finder"
CLASSICAL = "classical"


def load_segmenter(
    finder: str | Path = DEFAULT_FINDER, *, min_line_confidence: float = 0.0, direction: PageDirection = "ltr"
) -> Segmenter | LineFinderSegmenter | VerticalSegmenter:
    """Load what finds the lines of pages.

    Args:
        finder: ``zoo:finder``; a model file, an ONNX file, a checkpoint or a run folder of ``task=find_lines``; or
            ``classical`` for the way without a network.
        min_line_confidence: lines with a lower confidence are dropped.
        direction: of writing, for the reading order; ``ttb`` for vertical lines, which ``zoo:finder`` has not learned.

    Raises:
        ModelFileError: it is missing or cannot be used, or neither ONNX Runtime nor PyTorch is installed.
    """
    if direction == "ttb":
        return VerticalSegmenter(load_segmenter(finder, min_line_confidence=min_line_confidence))
    if str(finder) == CLASSICAL:
        return Segmenter(direction=direction)
    predict = load_finder(find_model(str(finder), is_finder=True))
    info = predict.info  # type: ignore[attr-defined]
    return LineFinderSegmenter(predict, info.build_preprocess(), info.build_follower(), min_line_confidence, direction)


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
