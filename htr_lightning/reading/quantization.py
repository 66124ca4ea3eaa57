"""Quantization of a recognizer to 8 bits, and whether it then reads as well as before."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.data.calibration_lines import render_calibration_lines
from htr_lightning.data.line import Line
from htr_lightning.metrics import edit_distance
from htr_lightning.model.load import Recognizer
from htr_lightning.reading.lines import LineReader

if TYPE_CHECKING:
    from htr_lightning.model.file import Model
    from htr_lightning.model.onnx_int8 import CalibrationLines

MAX_CER_INCREASE = 0.001
"""Largest increase of the CER with which a model file says that 8 bits read as well, a fraction: 0.1 points."""


@dataclass(frozen=True, slots=True)
class Int8Comparison:
    """The CER of a model on the same lines in 32 and in 8 bits, both run by ONNX Runtime.

    Attributes:
        float32: a fraction.
        int8: a fraction.
        num_lines: usable lines.
        num_changed: lines whose text differs.
    """

    float32: float
    int8: float
    num_lines: int
    num_changed: int

    @property
    def is_equal(self) -> bool:
        """Whether 8 bits cost at most `MAX_CER_INCREASE`."""
        return self.int8 - self.float32 <= MAX_CER_INCREASE


def get_calibration_lines(model: "Model") -> "CalibrationLines":
    """Return the lines that quantization ranges are measured on, drawn when they are iterated."""
    from htr_lightning.model.onnx_int8 import CalibrationLines

    preprocess, step = model.preprocess, model.info.width_step_px
    return CalibrationLines(
        render_calibration_lines(preprocess, step, "train"), render_calibration_lines(preprocess, step, "val")
    )


def export_for_comparison(model: "Model") -> tuple[Recognizer, Recognizer]:
    """Export a model to ONNX in 32 and in 8 bits, in memory.

    Raises:
        ExportError: see `htr_lightning.model.onnx_export.export_onnx`.
    """
    from htr_lightning.model.onnx_export import export_onnx
    from htr_lightning.model.onnx_model import read_onnx

    contents = (export_onnx(model)[0], export_onnx(model, int8=get_calibration_lines(model))[0])
    float32, int8 = (read_onnx(Path(__file__), "cpu", content=content) for content in contents)
    return float32, int8


def compare_int8(float32: Recognizer, int8: Recognizer, lines: Sequence[Line]) -> Int8Comparison:
    """Read lines with known text in 32 and in 8 bits, greedily; lines that cannot be used are left out.

    Args:
        float32: see `export_for_comparison`.
        int8: likewise.
        lines: at least one of them usable and with text.
    """
    num_lines, num_changed, length, edits = 0, 0, 0, [0, 0]
    readings = (LineReader(model).read(lines) for model in (float32, int8))
    for line, *predictions in zip(lines, *readings, strict=True):
        if any(prediction.error is not None for prediction in predictions):
            continue
        reference = float32.charset.normalize(line.text)
        num_lines, length = num_lines + 1, length + len(reference)
        num_changed += predictions[0].text != predictions[1].text
        for number, prediction in enumerate(predictions):
            edits[number] += edit_distance(reference, prediction.text)
    return Int8Comparison(edits[0] / max(1, length), edits[1] / max(1, length), num_lines, num_changed)
