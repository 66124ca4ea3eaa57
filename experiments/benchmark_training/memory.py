"""Compare training steps with and without kept memory, huge pages and fast dropout; see README.md.

    python experiments/benchmark_training/memory.py [--rounds 3] [--out FILE.json]

Each variant is a process of its own, in turn, on one thread: random images of mixed widths, forward pass, mean square
of the logits instead of CTC, backward pass, AdamW; in bf16 where that is fast. Prints the median of the lines per
second of the processor, the ratio to the first variant in each round, and the peak memory.
"""

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from htr_lightning.device import enlarge_onednn_cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
VARIANTS = {
    "as PyTorch does it": "",
    "memory kept": "memory",
    "huge pages": "pages",
    "both": "memory pages",
    "both, and dropout": "memory pages dropout",
}
MODELS = {"crnn_small": (48, 128), "zoo:latin-large": (64, 256)}  # height, size of the LSTM
BATCH_PIXELS = (300_000, 1_600_000)
WIDTHS = range(320, 1601, 128)


class Result(NamedTuple):
    """Lines per second of the processor, and the largest memory of the process."""

    speed: float
    peak_mb: float


def measure(model: str, pixels: int, settings: str) -> Result:
    """Measure a variant in this process."""
    enlarge_onednn_cache()
    os.environ["THP_MEM_ALLOC_ENABLE"] = "1" if "pages" in settings else "0"
    if "memory" in settings:
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 2**25)  # bytes; the largest value that glibc takes
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    import torch
    from torch import nn

    import htr_lightning.model.crnn as crnn
    from htr_lightning.device import is_bf16_fast

    torch.set_num_threads(1)
    height, size = MODELS[model]
    network = crnn.CRNN(155, height_px=height, rnn_size=size).train()
    if "dropout" not in settings:
        vars(network.rnn)["forward"] = nn.LSTM.forward.__get__(network.rnn)
        vars(network.dropout)["forward"] = nn.Dropout.forward.__get__(network.dropout)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    random = torch.Generator().manual_seed(1)
    num_lines, seconds = 0, 0.0
    for repetition in range(3):  # the first one compiles kernels
        for index in torch.randperm(len(WIDTHS), generator=random).tolist():
            images = torch.rand(max(1, pixels // (height * WIDTHS[index])), 1, height, WIDTHS[index])
            start = time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16_fast("cpu")):
                loss = network(images).logits.float().square().mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if repetition:
                num_lines += len(images)
                seconds += time.process_time() - start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return Result(round(num_lines / seconds, 1), round(peak_mb))


def main() -> None:
    """Measure all variants in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--variant", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        model, pixels, settings = options.variant
        print(json.dumps(measure(model, int(pixels), settings)))
        return
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "THP_", "GLIBC_"))}
    results: dict[str, dict[str, list[Result]]] = {}
    for _ in range(options.rounds):
        for model in MODELS:
            for pixels in BATCH_PIXELS:
                case = results.setdefault(f"{model}, {pixels:,} pixels a batch", {})
                for name, settings in VARIANTS.items():
                    command = [sys.executable, __file__, "--variant", model, str(pixels), settings]
                    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
                    case.setdefault(name, []).append(Result(*json.loads(output.stdout)))
    for title, variants in results.items():
        print(f"\n| {title} | lines/s | ratio in each round | peak memory, MB |\n|---|---|---|---|")
        first = variants[next(iter(VARIANTS))]
        for name, rounds in variants.items():
            ratios = ", ".join(f"{now.speed / before.speed:.2f}" for now, before in zip(rounds, first, strict=True))
            speed = statistics.median(result.speed for result in rounds)
            print(f"| {name} | {speed:.1f} | {ratios} | {max(result.peak_mb for result in rounds):.0f} |")
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
