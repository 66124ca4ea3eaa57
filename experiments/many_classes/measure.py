"""What a training step and reading cost with many classes: seconds and peak memory, one process for each number.

python experiments/many_classes/measure.py --out experiments/many_classes/result.json
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from htr_lightning.decode.alignment import align
from htr_lightning.decode.beam import BeamSearch
from htr_lightning.decode.confidence import character_log_probabilities, log_softmax
from htr_lightning.decode.forward import text_log_probabilities
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.model.crnn import CRNN
from htr_lightning.training.losses import ctc_loss

NUM_LINES, WIDTH_PX, LENGTH = 10, 640, 20  # of a batch: about the pixels of one step of the experiments on a CPU


def time_best(call: Callable[[], Any], repetitions: int = 3) -> float:
    """Return the least time of some calls, after one that does not count."""
    call()
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return round(min(times), 4)


def measure(num_classes: int) -> dict[str, float]:
    """Return CPU seconds of one batch, on one core, and the peak memory of this process in MB."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    network = CRNN(num_classes)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    images = torch.rand(NUM_LINES, 1, network.height_px, WIDTH_PX)
    targets = torch.randint(1, num_classes, (NUM_LINES * LENGTH,))
    lengths = network.frame_lengths(torch.full((NUM_LINES,), WIDTH_PX))
    target_lengths = torch.full((NUM_LINES,), LENGTH)

    def step() -> None:
        optimizer.zero_grad()
        ctc_loss(network(images).logits, targets, lengths, target_lengths).backward()
        optimizer.step()

    result = {"step": time_best(step)}
    network.eval()
    with torch.inference_mode():
        logits = network(images).logits.numpy()
        result["network"] = time_best(lambda: network(images))
    # Of an untrained network: sharpen the true classes, as a trained one does.
    frames = np.asarray(lengths, np.int64)
    logits = np.random.default_rng(1).normal(0, 1, logits.shape).astype(np.float32)
    logits[:, :, 0] += 12
    for row, text in enumerate(targets.reshape(NUM_LINES, LENGTH).tolist()):
        logits[row, 3 : 3 + 3 * LENGTH : 3, :][range(LENGTH), text] += 20
    texts = greedy_decode(logits, frames)

    def rate() -> None:
        log_probs = log_softmax(logits)
        text_log_probabilities(log_probs, frames, texts)
        character_log_probabilities(log_probs, align(log_probs, frames, texts), texts)

    result["greedy"] = time_best(lambda: greedy_decode(logits, frames))
    result["confidences and positions"] = time_best(rate)
    result["beam"] = time_best(lambda: BeamSearch().decode(logits, frames), 1)
    result["parameters, millions"] = round(sum(p.numel() for p in network.parameters()) / 1e6, 2)
    result["memory, MB"] = round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) / 1024)
    return result


def main() -> None:
    """Measure each number of classes in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=[100, 1000, 7000])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if len(options.classes) == 1 and options.out is None:
        print(json.dumps(measure(options.classes[0])))
        return
    result = {}
    for number in options.classes:
        command = [sys.executable, __file__, "--classes", str(number)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        result[str(number)] = json.loads(output)
        print(number, result[str(number)], flush=True)
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
