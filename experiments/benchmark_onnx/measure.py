"""How fast and how well lines are read with PyTorch, in 16 bits too, with ONNX Runtime, and with weights in 8 bits.

    python experiments/benchmark_onnx/measure.py [--data shared/data/copiste/val.tsv] [--out experiments/benchmark_onnx]

Exports zoo:latin to runs/benchmark_onnx, reads all lines with each, in turns, and writes result.json.
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
from numpy.typing import NDArray

from htr_lightning.checkpoint import in_precision, load_model
from htr_lightning.data.line import Line
from htr_lightning.data.sources.manifest import read_manifest
from htr_lightning.data.trace import Trace
from htr_lightning.decode.confidence import log_softmax
from htr_lightning.decode.forward import text_log_probabilities
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.metrics import cer
from htr_lightning.onnx_export import write_onnx
from htr_lightning.processor import is_bf16_fast
from htr_lightning.reader import LineReader, Reading
from htr_lightning.recogniser import Recogniser, load_recogniser

RUNS = Path("runs/benchmark_onnx")
DATA = Path(os.environ.get("HTR_DATA", "shared/data")) / "copiste" / "val.tsv"


def timed(model: Recogniser, lines: Sequence[Line]) -> tuple[float, float, list[Reading]]:
    """Read lines: seconds by the clock and of the processors, and the readings."""
    start, processor = time.perf_counter(), time.process_time()
    readings = list(LineReader(model).read(lines))
    return time.perf_counter() - start, time.process_time() - processor, readings


def measured(models: dict[str, Recogniser], lines: Sequence[Line], repetitions: int) -> dict[str, dict[str, Any]]:
    """Read all lines with every model in turn, so that whatever else the machine does befalls all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in models}
    processor: dict[str, list[float]] = {name: [] for name in models}
    texts: dict[str, list[str]] = {}
    for model in models.values():
        timed(model, lines[:64])
    for _ in range(repetitions):
        for name, model in models.items():
            clock, work, readings = timed(model, lines)
            seconds[name].append(clock)
            processor[name].append(work)
            texts[name] = [reading.text for reading in readings]
            print(f"{name}: {len(lines) / clock:.0f} lines/s", flush=True)
    first = next(iter(models))
    return {
        name: {
            "lines_per_second": len(lines) / statistics.median(seconds[name]),
            "lines_per_second_of_each_repetition": [len(lines) / s for s in seconds[name]],
            "processor_ms_per_line": 1000 * statistics.median(processor[name]) / len(lines),
            "cer": cer([line.text for line in lines], texts[name]),
            "lines_read_otherwise": sum(a != b for a, b in zip(texts[first], texts[name], strict=True)),
        }
        for name in models
    }


class Clocked:
    """A recogniser, one batch at a time, that counts the seconds in its network."""

    is_parallel = False

    def __init__(self, model: Recogniser) -> None:
        self.model, self.seconds = model, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pass lines on."""
        start = time.perf_counter()
        found = self.model.scores(images)
        self.seconds += time.perf_counter() - start
        return found


def shares(model: Recogniser, lines: Sequence[Line]) -> dict[str, float]:
    """Say where the time goes with one thread: ms of each line."""
    cv2.setNumThreads(1)
    clock = [time.perf_counter()]
    images = [line.image.read() for line in lines]
    clock.append(time.perf_counter())
    for image in images:
        model.preprocess(image, Trace())
    clock.append(time.perf_counter())
    clocked = Clocked(model)
    batches = list(LineReader(clocked).scores(lines))
    clock.append(time.perf_counter())
    for _, scores, lengths in batches:
        text_log_probabilities(log_softmax(scores), lengths, greedy_decode(scores, lengths))
    clock.append(time.perf_counter())
    files, preprocessing, _, decoding = (1000 * (b - a) / len(lines) for a, b in itertools.pairwise(clock))
    return {
        "image_file_ms": files,
        "preprocessing_ms": preprocessing,
        "network_ms": 1000 * clocked.seconds / len(lines),
        "decoding_and_confidence_ms": decoding,
    }


def seconds_to_start(model: str, line: Line, repetitions: int) -> float:
    """Return the seconds of a process that reads one line; the median."""
    command = [sys.executable, "-m", "htr_lightning", "predict", model, line.image.path.as_posix()]  # type: ignore[attr-defined]
    took = []
    for _ in range(repetitions):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def main() -> None:
    """Export, read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    lines = read_manifest(options.data)
    RUNS.mkdir(parents=True, exist_ok=True)
    torch_model = load_model("zoo:latin")
    models: dict[str, Recogniser] = {"torch": torch_model}
    files = {"torch": "zoo:latin"}
    facts: dict[str, dict[str, Any]] = {"torch": {}}
    if is_bf16_fast("cpu"):
        models["torch bf16"], facts["torch bf16"] = in_precision(torch_model, "bf16"), {}
    for name, int8 in (("onnx", False), ("onnx int8", True)):
        path = RUNS / ("latin-int8.onnx" if int8 else "latin.onnx")
        written = write_onnx(path, torch_model, int8=int8)
        facts[name] = {"megabytes": path.stat().st_size / 1e6, "largest_difference": written.difference}
        models[name], files[name] = load_recogniser(path, "cpu"), str(path)
    found = measured(models, lines, options.repetitions)
    for name in models:
        found[name] |= facts[name]
        if name in files:
            found[name]["seconds_to_read_one_line"] = seconds_to_start(files[name], lines[0], 5)
    for name in models:
        found[name] |= shares(models[name], lines)
    result = {"lines": len(lines), "cores": os.cpu_count(), "repetitions": options.repetitions, **found}
    text = json.dumps(result, indent=2)
    print(text)
    (options.out / "result.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
