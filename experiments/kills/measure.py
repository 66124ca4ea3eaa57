"""Kill 20 training runs at random moments, resume them, and compare their final weights with an uninterrupted run.

Every run has its own folder. It starts with resume=auto, is killed (SIGKILL) after a random time, and starts again with
the same command. model.safetensors and checkpoints/last.ckpt are compared tensor by tensor.
"""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

NUM_KILLS = 20
RUNS, HERE = Path("runs/kills"), Path(__file__).parent
SETTINGS = [
    "dataset.num_train=200",
    "+dataset.num_val=20",
    "+dataset.num_test=20",
    "loader.pixels_per_batch=100_000",
    "trainer.max_epochs=3",
    "checkpoint_minutes=0.02",
    "+optim.ema_decay=0.99",
    "resume=auto",
    "+trainer.enable_progress_bar=false",
]


def start_run(folder: Path) -> subprocess.Popen[bytes]:
    """Start or resume the run in a folder."""
    command = [sys.executable, "-m", "htr_lightning", *SETTINGS, f"hydra.run.dir={folder}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def load_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Load the best and the last weights of a run."""
    best = load_file(folder / "model.safetensors")
    last = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return {f"best.{name}": value for name, value in best.items()} | {f"last.{k}": v for k, v in last.items()}


def describe_progress(folder: Path) -> str:
    """Describe the progress of a killed run."""
    if (folder / "result.json").is_file():
        return "after the end"
    if not (folder / "checkpoints" / "last.ckpt").is_file():
        return "before the first checkpoint"
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return f"step {checkpoint['global_step']} kept"


def main() -> None:
    """Run all, and write ``result.json``."""
    shutil.rmtree(RUNS, ignore_errors=True)
    start = time.monotonic()
    assert start_run(RUNS / "whole").wait() == 0
    seconds = time.monotonic() - start
    expected = load_weights(RUNS / "whole")
    generator, rows = random.Random(1), []
    for number in range(NUM_KILLS):
        folder = RUNS / str(number)
        process, after_s = start_run(folder), generator.uniform(0, seconds)
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        progress = describe_progress(folder)
        status = start_run(folder).wait()
        weights = load_weights(folder) if status == 0 else {}
        identical = weights.keys() == expected.keys() and all(torch.equal(weights[n], expected[n]) for n in expected)
        rows.append({"killed_after_s": round(after_s, 1), "place": progress, "status": status, "identical": identical})
        print(rows[-1], flush=True)
        shutil.rmtree(folder)
    summary = {"whole_run_s": round(seconds, 1), "identical": sum(row["identical"] for row in rows), "kills": rows}
    (HERE / "result.json").write_text(json.dumps(summary, indent=2) + "\n")


if __name__ == "__main__":
    main()
