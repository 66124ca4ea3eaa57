"""Post-training quantization of an ONNX file: int8 weights, and convolutions computed in int8."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from htr_lightning.model.onnx_model import INPUT

_QUANTIZED_OPS = ("Conv", "Relu", "Add")  # including what follows a convolution, so that the whole block runs in int8
_STORED_IN_INT8 = {"LSTM": (1, 2), "MatMul": (1,)}  # op type -> indices of the inputs that are weights


class CalibrationLines(NamedTuple):
    """Preprocessed lines, each ``(1, H, W)`` uint8, paper 255.

    Attributes:
        calibration: lines that determine the activation range of every layer.
        validation: other lines, on which the logits of the file are compared with those of the model.
    """

    calibration: Iterable[NDArray[np.uint8]]
    validation: Iterable[NDArray[np.uint8]]


def quantize(source: Path, target: Path, lines: Iterable[NDArray[np.uint8]]) -> None:
    """Quantize an ONNX file: convolutions run in int8; other weights are stored in int8, but used in float32.

    Quantization is static: the activation range of every layer is measured on the given lines (Jacob et al. 2018,
    *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, section 2.1), so
    the prediction of a line does not depend on the other lines of its batch. The range is the mean of those of the
    lines (section 3.1): with that of all lines together, a few extreme values would make the steps between two
    values much coarser. Kernels have 7 bits and a scale for each channel: with 8 bits, sums of products would
    overflow on processors without VNNI instructions.

    Args:
        source: ONNX file in float32.
        target: the file to write.
        lines: preprocessed calibration lines, each ``(1, H, W)`` uint8, paper 255.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    network = onnx.load(source)
    # Without this mark, ONNX Runtime warns that the file was not pre-processed, which changes nothing here.
    onnx.helper.set_model_props(network, {"onnx.quant.pre_process": "onnxruntime.quant"})
    quantize_static(
        network,
        target,
        _CalibrationReader(lines),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(_QUANTIZED_OPS),
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        extra_options={"CalibMovingAverage": True},
    )
    network = onnx.load(target)
    _store_weights_in_int8(network.graph)
    onnx.save(network, target)


class _CalibrationReader:
    """Calibration data in the form of ONNX Runtime's ``CalibrationDataReader``."""

    def __init__(self, lines: Iterable[NDArray[np.uint8]]) -> None:
        self._images = iter(lines)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next line as input of the network; None after the last."""
        images = next(self._images, None)
        return None if images is None else {INPUT: images[:, None]}


def _store_weights_in_int8(graph: Any) -> None:
    """Replace float weights by int8 weights and a scale for each output; ONNX Runtime folds the product on loading."""
    from onnx import TensorProto, helper, numpy_helper

    initializers = {tensor.name: tensor for tensor in graph.initializer}
    dequantize_nodes = []
    for node in graph.node:
        for name in (node.input[index] for index in _STORED_IN_INT8.get(node.op_type, ())):
            if name not in initializers:
                continue
            weights = numpy_helper.to_array(initializers[name])
            axis = -1 if node.op_type == "LSTM" else 0  # (directions, outputs, inputs) or (inputs, outputs)
            scale = np.maximum(np.abs(weights).max(axis=axis, keepdims=True) / 127, np.finfo(np.float32).tiny)
            graph.initializer.remove(initializers.pop(name))
            graph.initializer.append(numpy_helper.from_array((weights / scale).round().astype(np.int8), f"{name}_int8"))
            graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
            cast = helper.make_node("Cast", [f"{name}_int8"], [f"{name}_cast"], to=TensorProto.FLOAT)
            multiply = helper.make_node("Mul", [f"{name}_cast", f"{name}_scale"], [name])
            dequantize_nodes += [cast, multiply]
    for position, node in enumerate(dequantize_nodes):
        graph.node.insert(position, node)
