"""Kill a training run at 20 random moments, let it go on by itself, and compare the weights it ends with.

Every run has a folder of its own. It is started with resume=auto, killed (SIGKILL) after a random time, started again
with the same command, and compared with a run that nobody killed: model.safetensors and checkpoints/last.ckpt, byte by
byte of each tensor.
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
    "dataset.num_train=200", "+dataset.num_val=20", "+dataset.num_test=20", "loader.pixels_per_batch=100_000",
    "trainer.max_epochs=3", "checkpoint_minutes=0.02", "+optim.ema_decay=0.99", "resume=auto",
    "+trainer.enable_progress_bar=false",
]  # fmt: skip


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the run in a folder, or go on with it."""
    command = [sys.executable, "-m", "htr_lightning", *SETTINGS, f"hydra.run.dir={folder}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Read what a run ended with: the best weights and the last."""
    best = load_file(folder / "model.safetensors")
    last = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return {f"best.{name}": value for name, value in best.items()} | {f"last.{k}": v for k, v in last.items()}


def where(folder: Path) -> str:
    """Say how far a killed run had come."""
    if (folder / "result.json").is_file():
        return "after the end"
    if not (folder / "checkpoints" / "last.ckpt").is_file():
        return "before the first checkpoint"
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return f"step {state['global_step']} kept"


def main() -> None:
    """Run all, and write ``result.json``."""
    shutil.rmtree(RUNS, ignore_errors=True)
    began = time.monotonic()
    assert start(RUNS / "whole").wait() == 0
    seconds = time.monotonic() - began
    expected = weights(RUNS / "whole")
    generator, rows = random.Random(1), []
    for number in range(NUM_KILLS):
        folder = RUNS / str(number)
        process, after_s = start(folder), generator.uniform(0, seconds)
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        place = where(folder)
        status = start(folder).wait()
        found = weights(folder) if status == 0 else {}
        same = found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)
        rows.append({"killed_after_s": round(after_s, 1), "place": place, "status": status, "identical": same})
        print(rows[-1], flush=True)
        shutil.rmtree(folder)
    summary = {"whole_run_s": round(seconds, 1), "identical": sum(row["identical"] for row in rows), "kills": rows}
    (HERE / "result.json").write_text(json.dumps(summary, indent=2) + "\n")


if __name__ == "__main__":
    main()
