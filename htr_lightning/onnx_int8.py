"""An ONNX file whose weights have 8 bits and whose convolutions are computed in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.checkpoint import Model
from htr_lightning.data.line import Split
from htr_lightning.data.preprocess import pixels_of
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.data.widths import pad_lines
from htr_lightning.onnx_model import INPUT

_COMPUTED = ("Conv", "Relu", "Add")  # with what follows a convolution, so that all of it runs in 8 bits
_STORED = {"LSTM": (1, 2), "MatMul": (1,)}  # which inputs are weights


def quantise(source: Path, target: Path, model: Model) -> None:
    """Compute convolutions in 8 bits, and keep the other weights in 8 bits, but compute with them in 32.

    The range of every layer's values is that which it has on synthetic lines (Jacob et al. 2018, *Quantization and
    Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, section 2.1), so what is read in a
    line does not depend on the lines beside it. Kernels have 7 bits, and a scale for each channel: with 8, sums of
    products would overflow on processors without instructions for neural networks.

    Args:
        source: the network in 32 bits.
        target: the file to write.
        model: whose preprocessing makes the lines.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    network = onnx.load(source)
    # Else a warning would ask for another program to run first, which finds nothing to do in this network.
    onnx.helper.set_model_props(network, {"onnx.quant.pre_process": "onnxruntime.quant"})
    quantize_static(
        network,
        target,
        _Lines(model),
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


class _Lines:
    """Batches as ONNX Runtime's calibration asks for them."""

    def __init__(self, model: Model) -> None:
        self._images = synthetic_lines(model, "train")

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next line as the network takes it; None after the last."""
        images = next(self._images, None)
        return None if images is None else {INPUT: images[:, None]}


def synthetic_lines(model: Model, split: Split) -> Iterator[NDArray[np.uint8]]:
    """Yield lines in the fonts of the packages, each ``(1, H, W)``, paper 255, as the model takes them.

    64 for calibration (train), and others for a check (val). Their letters are Latin, whatever the model's charset is:
    what counts is strokes.
    """
    step = model.info.width_step_px
    source = Synthetic(num_train=64, num_val=8, num_test=1, max_length=48)
    for line in source.lines(split):
        pixels = pixels_of(line, model.preprocess)
        yield pad_lines([pixels], -(-pixels.shape[1] // step) * step)


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
