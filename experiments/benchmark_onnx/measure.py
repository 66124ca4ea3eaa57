"""Measure speed and CER of prediction with PyTorch, in fp32 and bf16, and ONNX Runtime, in fp32 and int8.

    python experiments/benchmark_onnx/measure.py [--data data/copiste/val.tsv] [--out experiments/benchmark_onnx]

Exports zoo:latin to runs/benchmark_onnx, predicts all lines with each model in turn, and writes result.json.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from htr_lightning.data.line import Line
from htr_lightning.data.sources.manifest import read_manifest
from htr_lightning.decode.confidence import log_softmax
from htr_lightning.decode.forward import text_log_probabilities
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.device import is_bf16_fast
from htr_lightning.image.transform import Transform
from htr_lightning.metrics import cer
from htr_lightning.model.file import Model, load_model, with_precision
from htr_lightning.model.load import Recognizer, load_recognizer
from htr_lightning.model.onnx_export import write_onnx
from htr_lightning.reading.lines import LineReader, Prediction
from htr_lightning.reading.quantization import get_calibration_lines

sys.path.insert(0, str(Path(__file__).parents[1]))
from floor import count_work

RUNS = Path("runs/benchmark_onnx")
DATA = Path(os.environ.get("HTR_DATA", "data")) / "copiste" / "val.tsv"


def predict_timed(model: Recognizer, lines: Sequence[Line]) -> tuple[float, float, list[Prediction]]:
    """Predict lines; return wall-clock seconds, CPU seconds and the predictions."""
    start, cpu_start = time.perf_counter(), time.process_time()
    predictions = list(LineReader(model).read(lines))
    return time.perf_counter() - start, time.process_time() - cpu_start, predictions


def measure(models: dict[str, Recognizer], lines: Sequence[Line], repetitions: int) -> dict[str, dict[str, Any]]:
    """Predict all lines with every model in turn, so that other load on the machine affects all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in models}
    cpu_seconds: dict[str, list[float]] = {name: [] for name in models}
    texts: dict[str, list[str]] = {}
    for model in models.values():
        predict_timed(model, lines[:64])
    for _ in range(repetitions):
        for name, model in models.items():
            wall_s, cpu_s, predictions = predict_timed(model, lines)
            seconds[name].append(wall_s)
            cpu_seconds[name].append(cpu_s)
            texts[name] = [prediction.text for prediction in predictions]
            print(f"{name}: {len(lines) / wall_s:.0f} lines/s", flush=True)
    first = next(iter(models))
    return {
        name: {
            "lines_per_second": len(lines) / statistics.median(seconds[name]),
            "lines_per_second_of_each_repetition": [len(lines) / s for s in seconds[name]],
            "processor_ms_per_line": 1000 * statistics.median(cpu_seconds[name]) / len(lines),
            "cer": cer([line.text for line in lines], texts[name]),
            "lines_read_otherwise": sum(a != b for a, b in zip(texts[first], texts[name], strict=True)),
        }
        for name in models
    }


class TimedRecognizer:
    """A recognizer that runs one batch at a time and measures the seconds in its network."""

    is_parallel = False

    def __init__(self, model: Recognizer) -> None:
        self.model, self.seconds = model, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the logits of line images."""
        start = time.perf_counter()
        logits = self.model.logits(images)
        self.seconds += time.perf_counter() - start
        return logits


def measure_stages(model: Recognizer, lines: Sequence[Line]) -> dict[str, float]:
    """Measure the time of each stage with one thread, in ms per line."""
    cv2.setNumThreads(1)
    times = [time.perf_counter()]
    images = [line.image.read() for line in lines]
    times.append(time.perf_counter())
    for image in images:
        model.preprocess(image, Transform())
    times.append(time.perf_counter())
    timed_model = TimedRecognizer(model)
    batches = list(LineReader(timed_model).logits(lines))
    times.append(time.perf_counter())
    for _, logits, lengths in batches:
        text_log_probabilities(log_softmax(logits), lengths, greedy_decode(logits, lengths))
    times.append(time.perf_counter())
    files, preprocessing, _, decoding = (1000 * (b - a) / len(lines) for a, b in itertools.pairwise(times))
    return {
        "image_file_ms": files,
        "preprocessing_ms": preprocessing,
        "network_ms": 1000 * timed_model.seconds / len(lines),
        "decoding_and_confidence_ms": decoding,
    }


def measure_matmul_rates(size: int = 2048, repetitions: int = 8) -> dict[str, float]:
    """Measure how fast ONNX Runtime multiplies large matrices on all cores: GFLOP/s in 32 bits, and in 8."""
    rates = {}
    for name, op_type, a_type, b_type, c_type in (
        ("float32", "MatMul", np.float32, np.float32, np.float32),
        ("int8", "MatMulInteger", np.uint8, np.int8, np.int32),
    ):
        node = helper.make_node(op_type, ["a", "b"], ["c"])
        generator = np.random.default_rng(1)
        b = generator.integers(-9, 9, (size, size)).astype(b_type)
        types = [helper.np_dtype_to_tensor_dtype(np.dtype(t)) for t in (a_type, c_type)]
        values = [helper.make_tensor_value_info(n, t, [size, size]) for n, t in zip("ac", types, strict=True)]
        graph = helper.make_graph([node], name, values[:1], values[1:], [numpy_helper.from_array(b, "b")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        a = generator.integers(0, 9, (size, size)).astype(a_type)
        seconds = []
        for _ in range(repetitions):
            start = time.perf_counter()
            session.run(None, {"a": a})
            seconds.append(time.perf_counter() - start)
        rates[f"{name}_gflop_per_s"] = 2 * size**3 / statistics.median(seconds[2:]) / 1e9
    return rates


def compute_lower_bounds(model: Model, lines: Sequence[Line]) -> dict[str, Any]:
    """Return the ms per line that the arithmetic alone needs on all cores: in fp32, and with int8 convolutions."""
    widths = [model.preprocess(line.image.read()).shape[1] for line in lines]
    width = round(statistics.mean(widths))
    work = count_work(model.network, torch.rand(1, 1, model.preprocess.height_px, width))
    machine = measure_matmul_rates()
    convolution, rest = work["convolution_mflop"], work["lstm_mflop"] + work["linear_mflop"]
    float32, int8 = machine["float32_gflop_per_s"], machine["int8_gflop_per_s"]
    return {
        "mean_width_px": width,
        "work_of_a_line": work,
        "machine": machine,
        "onnx_floor_ms": (convolution + rest) / float32,
        "onnx int8_floor_ms": convolution / int8 + rest / float32,
    }


def measure_startup_s(model: str, line: Line, repetitions: int) -> float:
    """Return the median seconds of a process that predicts one line."""
    command = [sys.executable, "-m", "htr_lightning", "predict", model, line.image.path.as_posix()]  # type: ignore[attr-defined]
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    """Export the model, measure, and write ``result.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    lines = read_manifest(options.data)
    RUNS.mkdir(parents=True, exist_ok=True)
    torch_model = load_model("zoo:latin")
    models: dict[str, Recognizer] = {"torch": torch_model}
    files = {"torch": "zoo:latin"}
    export_facts: dict[str, dict[str, Any]] = {"torch": {}}
    if is_bf16_fast("cpu"):
        models["torch bf16"], export_facts["torch bf16"] = with_precision(torch_model, "bf16"), {}
    for name, int8 in (("onnx", False), ("onnx int8", True)):
        path = RUNS / ("latin-int8.onnx" if int8 else "latin.onnx")
        written = write_onnx(path, torch_model, int8=get_calibration_lines(torch_model) if int8 else None)
        export_facts[name] = {"megabytes": path.stat().st_size / 1e6, "largest_difference": written.max_difference}
        models[name], files[name] = load_recognizer(path, "cpu"), str(path)
    results = measure(models, lines, options.repetitions)
    for name in models:
        results[name] |= export_facts[name]
        if name in files:
            results[name]["seconds_to_read_one_line"] = measure_startup_s(files[name], lines[0], 5)
    for name in models:
        results[name] |= measure_stages(models[name], lines)
    result = {
        "floor": compute_lower_bounds(torch_model, lines),
        "lines": len(lines),
        "cores": os.cpu_count(),
        "repetitions": options.repetitions,
        **results,
    }
    text = json.dumps(result, indent=2)
    print(text)
    (options.out / "result.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
