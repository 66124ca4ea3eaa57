"""Measure the parts of a training step, and compare its time with the hardware limit; see README.md.

    python experiments/benchmark_training/measure.py [--model crnn_small] [--device cpu] [--compile]
    python experiments/benchmark_training/grid.py --model crnn --device cuda

Needs HTR_DATA (copiste). Writes result-MODEL-DEVICE.json and .md beside this file. Every figure is the median of
several repetitions in one process; run nothing else on the machine.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from htr_lightning.config.build import build, build_dataset
from htr_lightning.config.compose import compose_config
from htr_lightning.data.batch import Batch
from htr_lightning.data.module import LineDataModule
from htr_lightning.device import enlarge_onednn_cache
from htr_lightning.image.ink import to_ink
from htr_lightning.training.compilation import MAX_SHAPES, can_compile, compile_network
from htr_lightning.training.task import RecognitionTask

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from floor import count_work  # noqa: E402

REPETITIONS, STEPS = 5, 40


def measure_seconds(function: Callable[[], object], device: str) -> float:
    """Return the seconds that a function takes, until the device is idle."""
    synchronize(device)
    start = time.perf_counter()
    function()
    synchronize(device)
    return time.perf_counter() - start


def synchronize(device: str) -> None:
    """Wait until a GPU is idle."""
    if device == "cuda":
        torch.cuda.synchronize()


def measure_hardware(device: str) -> dict[str, float]:
    """Measure the hardware: products of large matrices (GFLOP/s) and copies (GB/s, read and written)."""
    size = 8192 if device == "cuda" else 2048
    rates: dict[str, float] = {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a, b = (torch.rand(size, size, device=device).to(dtype) for _ in range(2))
        seconds = [measure_seconds(lambda a=a, b=b: a @ b, device) for _ in range(8)]  # type: ignore[misc]
        rates[f"{name}_gflop_per_s"] = 2 * size**3 / statistics.median(seconds[2:]) / 1e9
    a = torch.rand(2**28 // 4 if device == "cuda" else 2**26, device=device)
    b = torch.empty_like(a)
    seconds = [measure_seconds(lambda: b.copy_(a), device) for _ in range(8)]
    rates["copy_gb_per_s"] = 2 * 4 * len(a) / statistics.median(seconds[2:]) / 1e9
    return rates


class StepTimer:
    """Runs training steps like `RecognitionTask`, and measures their parts.

    Attributes:
        is_detailed: measure each part separately, which synchronizes a GPU after each.
        seconds: time of each part, one number per step.
    """

    def __init__(self, data: LineDataModule, task: RecognitionTask, device: str, dtype: torch.dtype) -> None:
        self.data, self.task, self.device, self.dtype = data, task, device, dtype
        self.optimizer, _ = task.optim.build(task.model, 1000)
        self.is_detailed = False
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def batches(self) -> Iterator[Batch]:
        """Yield training batches forever."""
        while True:
            yield from self.data.train_dataloader()

    def run(self, batches: Iterator[Batch], num_steps: int) -> tuple[int, float]:
        """Take steps; return the number of lines and the seconds."""
        lines, start = 0, time.perf_counter()
        for _ in range(num_steps):
            lines += self.step(batches)
        synchronize(self.device)
        return lines, time.perf_counter() - start

    def step(self, batches: Iterator[Batch]) -> int:
        """Take a step; return its number of lines."""
        with self.measure("load"):
            batch = next(batches)
        with self.measure("augment"):
            images = to_ink(batch.images.to(self.device))
            images, widths = self.data.augment(images, batch.widths, torch.Generator().manual_seed(batch.seed))
        model = self.task.model
        with torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32):
            with self.measure("cnn"):
                channels_last = images.contiguous(memory_format=torch.channels_last)
                features = model.backbone(channels_last).amax(dim=2)
            with self.measure("lstm and heads"):
                auxiliary = model.auxiliary_head(features).transpose(1, 2)
                sequence, _ = model.rnn(model.dropout(features.permute(2, 0, 1)))
                logits = model.head(model.dropout(sequence)).transpose(0, 1)
        on_device = Batch(images, widths, batch.targets, batch.target_lengths, batch.ids, batch.texts, batch.seed)
        with self.measure("loss"):
            loss = self.task._loss(logits, on_device) + self.task.auxiliary_weight * self.task._loss(
                auxiliary, on_device
            )
        with self.measure("backward"):
            loss.backward()
        with self.measure("optimizer"):
            torch.nn.utils.clip_grad_norm_(model.parameters(), self.task.optim.clip_norm or 1e9)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        return len(batch)

    def measure(self, name: str) -> "contextlib.AbstractContextManager[None]":
        """Measure a part of the step in a with statement."""
        return Timer(self.seconds[name], self.device) if self.is_detailed else contextlib.nullcontext()


class Timer(contextlib.AbstractContextManager[None]):
    """Appends the time of a block to a list."""

    def __init__(self, seconds: list[float], device: str) -> None:
        self.seconds, self.device = seconds, device

    def __enter__(self) -> None:
        synchronize(self.device)
        self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        synchronize(self.device)
        self.seconds.append(time.perf_counter() - self.start)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure a model on a device."""
    enlarge_onednn_cache()
    device: str = options.device
    accelerator = "gpu" if device == "cuda" else "cpu"
    root = Path(os.environ.get("HTR_DATA", "data")) / "copiste"
    settings = [f"model={options.model}", f"dataset.root={root}", f"trainer.accelerator={accelerator}"]
    if options.precision:
        settings.append(f"trainer.precision={options.precision}")
    cfg = compose_config(["+experiment=copiste", *settings])
    data: LineDataModule = build(cfg.loader)(
        source=build_dataset(cfg), preprocess=build(cfg.preprocess), augment=build(cfg.augment), seed=1
    )
    if options.pixels_per_batch:
        data.pixels_per_batch = options.pixels_per_batch
    if options.compile:
        if not can_compile(accelerator):
            raise SystemExit("--compile: no working compiler found; install one or leave the option out")
        data.max_shapes = MAX_SHAPES  # as a run with compile=true does
    data.setup()
    assert data.charset is not None
    model = build(cfg.model)(data.charset.num_classes)
    width = int(data.packed["train"].widths.mean())
    work = count_work(model, torch.rand(1, 1, model.height_px, width))
    model.to(device).train()
    task = RecognitionTask(model, data.charset, build(cfg.optim), auxiliary_weight=cfg.auxiliary_weight)
    dtype = torch.bfloat16 if "bf16" in str(cfg.trainer.precision) else torch.float32
    if options.compile:
        compile_network(model)
    steps = StepTimer(data, task, device, dtype)
    batches = steps.batches()
    steps.run(batches, options.warm_up)
    rates = []
    for _ in range(REPETITIONS):
        lines, seconds = steps.run(batches, STEPS)
        rates.append(lines / seconds)
        print(f"{rates[-1]:.1f} lines/s", flush=True)
    memory_gb = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None
    steps.is_detailed = True
    steps.run(batches, 2 * STEPS)
    total = sum(map(sum, steps.seconds.values()))
    hardware = measure_hardware(device)
    gflop = 3 * sum(value for name, value in work.items() if name.endswith("mflop")) / 1e3
    peak = hardware["bfloat16_gflop_per_s" if dtype == torch.bfloat16 else "float32_gflop_per_s"]
    floor_ms = 1000 * max(gflop / peak, 3 * work["features_mb"] / 1000 / hardware["copy_gb_per_s"])
    return {
        "model": options.model,
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "threads": torch.get_num_threads(),
        "precision": str(cfg.trainer.precision),
        "compiled": options.compile,
        "pixels_per_batch": data.pixels_per_batch,
        "mean_width_px": width,
        "lines_per_second": statistics.median(rates),
        "lines_per_second_of_each_repetition": rates,
        "share_of_step": {name: sum(values) / total for name, values in steps.seconds.items()},
        "work_of_a_line": work,
        "machine": hardware,
        "floor_ms_per_line": floor_ms,
        "ms_per_line": 1000 / statistics.median(rates),
        "times_the_floor": 1000 / statistics.median(rates) / floor_ms,
        "seconds_for_6500_lines": 6500 / statistics.median(rates),
        "gpu_memory_gb": memory_gb,
    }


def format_table(result: dict[str, Any]) -> str:
    """Format the result as a Markdown table."""
    rows = [
        ("training", f"{result['lines_per_second']:.1f} lines/s, {result['ms_per_line']:.1f} ms per line"),
        *((f"of it: {name}", f"{fraction:.0%}") for name, fraction in result["share_of_step"].items()),
        (
            "work per line (forward)",
            ", ".join(f"{k.replace('_', ' ')} {v:.1f}" for k, v in result["work_of_a_line"].items()),
        ),
        ("hardware", ", ".join(f"{k.replace('_', ' ')} {v:.0f}" for k, v in result["machine"].items())),
        ("lower bound per line, forward and backward", f"{result['floor_ms_per_line']:.2f} ms"),
        ("measured, as a multiple of the lower bound", f"{result['times_the_floor']:.1f}"),
    ]
    head = f"{result['model']} on {result['device']}, {result['precision']}{', compiled' if result['compiled'] else ''}"
    return f"| {head} | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="crnn_small")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--precision", choices=["32-true", "bf16-mixed"], help="(default: the fastest on this machine)")
    parser.add_argument("--pixels-per-batch", type=int)
    parser.add_argument("--warm-up", type=int, default=120, help="steps before the measurement (default: 120)")
    parser.add_argument("--json", action="store_true", help="print the result, write no files")
    options = parser.parse_args()
    result = measure(options)
    if options.json:
        print(json.dumps(result))
        return
    parts = ("result", options.model, options.device, options.precision, "compiled" if options.compile else None)
    name = "-".join(part for part in parts if part)
    (HERE / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    (HERE / f"{name}.md").write_text(format_table(result))
    print(format_table(result))


if __name__ == "__main__":
    main()
