"""Which runtime runs a line finder, and what is said where it cannot run."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.page_maps import tiny_finder

from htr_lightning.model import info
from htr_lightning.model.finder_export import write_onnx_finder
from htr_lightning.model.finder_file import Finder, write_finder
from htr_lightning.model.finder_onnx import OnnxFinder
from htr_lightning.model.info import ModelFileError, list_finders
from htr_lightning.reading.segmenters import load_finder, load_segmenter
from htr_lightning.segmentation.finder import LineFinderSegmenter
from htr_lightning.segmentation.segmenter import Segmenter


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that lets modules seem not to be installed."""

    def apply(*names: str) -> None:
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *given: None if name in names else find(name, *given)
        )

    return apply


@pytest.fixture
def finder(tmp_path: Path) -> Path:
    path = tmp_path / "finder.safetensors"
    write_finder(path, tiny_finder().network.state_dict(), tiny_finder().info)
    return path


def test_onnx_runtime_is_preferred_if_there_is_a_file_for_it(
    finder: Path, needs: Callable[[str], None], hide: Callable[..., None]
) -> None:
    needs("onnx")
    assert isinstance(load_finder(finder), Finder)
    write_onnx_finder(finder.with_suffix(".onnx"), tiny_finder())
    for path in (finder, finder.with_suffix(".onnx")):
        assert isinstance(load_finder(path), OnnxFinder)
    hide("torch")
    assert isinstance(load_finder(finder), OnnxFinder)
    hide("onnxruntime", "torch")
    with pytest.raises(ModelFileError, match="requires ONNX Runtime") as refused:
        load_finder(finder.with_suffix(".onnx"))
    assert refused.value.kind == "not_installed"


@pytest.mark.parametrize(
    ("hidden", "message"),
    [
        (("torch", "onnxruntime"), "neither ONNX Runtime nor PyTorch is installed"),
        (("torch",), "finder.onnx, which ONNX Runtime could run, is not beside it"),
    ],
)
def test_a_runtime_is_missing(
    hidden: tuple[str, ...], message: str, finder: Path, hide: Callable[..., None], needs: Callable[[str], None]
) -> None:
    needs("onnxruntime")
    hide(*hidden)
    with pytest.raises(ModelFileError, match=message) as refused:
        load_segmenter(finder)
    assert refused.value.kind == "not_installed" and "--finder classical" in str(refused.value)
    assert isinstance(load_segmenter("classical"), Segmenter)


def test_the_weights_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("onnxruntime")
    finder = list_finders()["finder"]
    shutil.copy(finder.with_suffix(".onnx"), tmp_path / "finder.onnx")  # its weights are in another file
    with pytest.raises(ModelFileError, match=r"finder\.onnx: not a complete ONNX file"):
        load_segmenter(tmp_path / "finder.onnx")
    monkeypatch.setattr(info, "list_finders", dict)
    with pytest.raises(ModelFileError, match=r"zoo:finder: there is no such line finder; .*install the package again"):
        load_segmenter()


def test_what_the_file_says_counts(finder: Path) -> None:
    segmenter = load_segmenter(finder, min_line_confidence=0.25)
    assert isinstance(segmenter, LineFinderSegmenter)
    assert segmenter.preprocess.longest_px == 256 and segmenter.min_line_confidence == 0.25
    assert segmenter.find(np.full((200, 150), 255, np.uint8)).orientation in range(4)
