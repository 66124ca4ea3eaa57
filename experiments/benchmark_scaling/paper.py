"""Estimate training on many GPUs, on paper: a step from its arithmetic and from the bytes that gradients move.

python experiments/benchmark_scaling/paper.py [--lines 34000 1000000] [--batch-lines 64] [--width-px 1600]

Nothing is measured here; the assumptions are the options. The gradients of all N processes are averaged by a ring:
each process sends and receives 2 (N - 1) / N times their size (Patarasuk and Yuan 2009, *Bandwidth optimal all-reduce
algorithms for clusters of workstations*), over the slowest link between two of them. The backward pass hides a part.
"""

import argparse
import math
import sys
from pathlib import Path

import torch

from htr_lightning.config.build import build
from htr_lightning.config.compose import compose_config

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from floor import count_work

NUM_CLASSES = 155
SETUPS = (
    ("1 GPU", 1, math.inf),
    ("8 GPUs of one node, NVLink, 300 GB/s", 8, 300e9),
    ("8 nodes of one GPU, InfiniBand, 25 GB/s", 8, 25e9),
    ("8 nodes of one GPU, Ethernet, 1.25 GB/s", 8, 1.25e9),
    ("8 nodes of 8 GPUs, InfiniBand, 25 GB/s a node", 64, 25e9),
    ("8 nodes of 8 GPUs, Ethernet, 1.25 GB/s a node", 64, 1.25e9),
)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="crnn")
    parser.add_argument("--lines", type=int, nargs="+", default=[34_000, 1_000_000], help="of the training set")
    parser.add_argument("--batch-lines", type=int, default=64, help="lines of a step of one GPU")
    parser.add_argument("--width-px", type=int, default=1600, help="mean width of a line, at the height of the model")
    parser.add_argument("--tflops", type=float, default=60.0, help="that a GPU does: 15 %% of 400 in bf16, for example")
    parser.add_argument("--hidden", type=float, default=0.5, help="fraction of a step behind which traffic hides")
    parser.add_argument("--copy-gb", type=float, default=1500.0, help="GB/s at which a GPU moves features")
    options = parser.parse_args()
    model = build(compose_config([f"model={options.model}"]).model)(NUM_CLASSES)
    work = count_work(model, torch.rand(1, 1, model.height_px, options.width_px))
    flop = 3e6 * options.batch_lines * sum(value for name, value in work.items() if name.endswith("mflop"))
    features = 3e6 * options.batch_lines * work["features_mb"]
    compute = max(flop / options.tflops / 1e12, features / options.copy_gb / 1e9)
    gradients = 4 * sum(p.numel() for p in model.parameters())
    print(f"{options.model}: {gradients / 4e6:.2f} M parameters, gradients of {gradients / 1e6:.1f} MB in 32 bits;")
    print(f"a step of {options.batch_lines} lines of {options.width_px} px computes for {1000 * compute:.1f} ms\n")
    heads = " | ".join(f"{lines:,} lines: steps, s an epoch" for lines in options.lines)
    print(f"| | MB a step and GPU | ms of traffic | ms a step | efficiency | {heads} |")
    print("|---" * (5 + len(options.lines)) + "|")
    for name, number, speed in SETUPS:
        moved = 2 * (number - 1) / number * gradients
        traffic = moved / speed
        step = compute + max(0.0, traffic - options.hidden * compute)
        steps = [math.ceil(lines / options.batch_lines / number) for lines in options.lines]
        cells = [f"{moved / 1e6:.0f}", f"{1000 * traffic:.1f}", f"{1000 * step:.1f}", f"{compute / step:.0%}"]
        cells += [f"{count:,}; {count * step:.1f}" for count in steps]
        print(f"| {' | '.join([name, *cells])} |")


if __name__ == "__main__":
    main()
