"""Quantized ONNX files: `export --int8`."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from htr_lightning.data.line import Line, load_pixels
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.image.line_image import ImageFile
from htr_lightning.metrics import cer
from htr_lightning.model.file import Model
from htr_lightning.model.load import load_recognizer
from htr_lightning.model.onnx_export import ExportError, write_onnx
from htr_lightning.reading.lines import LineReader
from htr_lightning.reading.quantization import get_calibration_lines

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def int8(latin: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("int8") / "latin.onnx"
    write_onnx(path, latin, int8=get_calibration_lines(latin))
    return path


@pytest.fixture
def lines(write_lines: Callable[[Sequence[str], str], Path]) -> Path:
    return write_lines(["dans la nuit", "le roi dit non", "bel ami", "et rit mal et bon ciel", "dada"], "val")


def test_eight_bits_are_a_quarter_of_the_size_and_read_nearly_the_same(
    latin: Model, latin_onnx: Path, int8: Path
) -> None:
    assert int8.stat().st_size < 0.3 * latin_onnx.stat().st_size
    line = Synthetic(num_train=1, num_val=1, num_test=1, seed=320).lines("val")[0]
    images, small = load_pixels(line, latin.preprocess)[None], load_recognizer(int8)
    assert 1e-3 < np.abs(small.logits(images) - latin.logits(images)).max() < 3
    assert json.loads(int8.with_suffix(".json").read_text())["onnx"]["weights"] == "int8"


def test_convolutions_are_computed_in_eight_bits_and_other_weights_stored_in_them(int8: Path) -> None:
    graph = onnx.load(int8).graph
    producers = {name: node.op_type for node in graph.node for name in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 12
    assert all(producers[name] == "DequantizeLinear" for node in convolutions for name in node.input)
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    large = [t.name for t in graph.initializer if np.prod(t.dims) > 5_000]
    assert large and all(types[name] == onnx.TensorProto.INT8 for name in large)
    recurrent = [node for node in graph.node if node.op_type == "LSTM"]
    assert len(recurrent) == 2 and all(producers[node.input[i]] == "Mul" for node in recurrent for i in (1, 2))


def test_eight_bits_read_nearly_as_well(latin: Model, int8: Path) -> None:
    lines = Synthetic(num_train=1, num_val=24, num_test=1, seed=7).lines("val")
    rates = []
    for model in (latin, load_recognizer(int8)):
        rates.append(cer([line.text for line in lines], [r.text for r in LineReader(model).read(lines)]))
    assert 0 < rates[0] < 0.1 and rates[1] < rates[0] + 0.02


def test_eight_bits_without_fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, latin: Model) -> None:
    monkeypatch.setattr("fontpkg.families", dict)
    with pytest.raises(
        ExportError,
        match=r"calibrated on synthetic lines, which cannot be rendered.*not installed.*export-onnx",
    ):
        write_onnx(tmp_path / "latin.onnx", latin, int8=get_calibration_lines(latin))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["latin_onnx", "int8"])
def test_the_prediction_of_a_line_does_not_depend_on_its_batch(
    kind: str, lines: Path, request: pytest.FixtureRequest
) -> None:
    reader = LineReader(load_recognizer(request.getfixturevalue(kind)))
    given = [Line(path.name, ImageFile(path), "") for path in sorted((lines / "val").iterdir())] * 30
    together = list(reader.read(given))
    assert [reading.id for reading in together] == [line.id for line in given]
    for line, reading in zip(given[:5], together[:5], strict=True):
        (alone,) = reader.read([line])
        assert alone.text == reading.text and alone.confidence == pytest.approx(reading.confidence, abs=1e-5)
