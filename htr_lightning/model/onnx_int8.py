"""An ONNX file whose weights have 8 bits and whose convolutions are computed in them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from htr_lightning.model.onnx_model import INPUT

_COMPUTED = ("Conv", "Relu", "Add")  # with what follows a convolution, so that all of it runs in 8 bits
_STORED = {"LSTM": (1, 2), "MatMul": (1,)}  # which inputs are weights


class CalibrationLines(NamedTuple):
    """Lines as the model takes them, each ``(1, H, W)`` uint8, paper 255.

    Attributes:
        ranges: those whose values every layer's range is taken from.
        check: others, in which the file is compared with the model.
    """

    ranges: Iterable[NDArray[np.uint8]]
    check: Iterable[NDArray[np.uint8]]


def quantize(source: Path, target: Path, lines: Iterable[NDArray[np.uint8]]) -> None:
    """Compute convolutions in 8 bits, and keep the other weights in 8 bits, but compute with them in 32.

    The range of every layer's values is that which it has on the lines given (Jacob et al. 2018, *Quantization and
    Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, section 2.1), so what is read in a
    line does not depend on the lines beside it. Kernels have 7 bits, and a scale for each channel: with 8, sums of
    products would overflow on processors without instructions for neural networks.

    Args:
        source: the network in 32 bits.
        target: the file to write.
        lines: each ``(1, H, W)`` uint8, paper 255, as the model takes them.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    network = onnx.load(source)
    # Else a warning would ask for another program to run first, which finds nothing to do in this network.
    onnx.helper.set_model_props(network, {"onnx.quant.pre_process": "onnxruntime.quant"})
    quantize_static(
        network,
        target,
        _Batches(lines),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(_COMPUTED),
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
    )
    network = onnx.load(target)
    _store_in_8_bits(network.graph)
    onnx.save(network, target)


class _Batches:
    """Batches as ONNX Runtime's calibration asks for them."""

    def __init__(self, lines: Iterable[NDArray[np.uint8]]) -> None:
        self._images = iter(lines)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next line as the network takes it; None after the last."""
        images = next(self._images, None)
        return None if images is None else {INPUT: images[:, None]}


def _store_in_8_bits(graph: Any) -> None:
    """Replace weights by integers and a scale for each output, which are multiplied when the file is opened."""
    from onnx import TensorProto, helper, numpy_helper

    stored = {tensor.name: tensor for tensor in graph.initializer}
    opened = []
    for node in graph.node:
        for name in (node.input[place] for place in _STORED.get(node.op_type, ())):
            if name not in stored:
                continue
            weights = numpy_helper.to_array(stored[name])
            axis = -1 if node.op_type == "LSTM" else 0  # (directions, outputs, inputs) or (inputs, outputs)
            scale = np.maximum(np.abs(weights).max(axis=axis, keepdims=True) / 127, np.finfo(np.float32).tiny)
            graph.initializer.remove(stored.pop(name))
            graph.initializer.append(numpy_helper.from_array((weights / scale).round().astype(np.int8), f"{name}_int8"))
            graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
            opened.append(helper.make_node("Cast", [f"{name}_int8"], [f"{name}_cast"], to=TensorProto.FLOAT))
            opened.append(helper.make_node("Mul", [f"{name}_cast", f"{name}_scale"], [name]))
    for number, node in enumerate(opened):
        graph.node.insert(number, node)
