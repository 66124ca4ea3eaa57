"""Train networks from scratch for the same time, and print their scores.

python experiments/conv_attention/compare.py --minutes 20 --dataset copiste --models crnn_small conv_attention

All of them train at the same time, each in a process with one thread, or one after the other with ``--trainer gpu``. A
first run of 150 steps measures the speed, from which the number of steps follows, so that the schedule of each run ends
with its time.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TRIAL_STEPS = 150


def start(model: str, options: argparse.Namespace, steps: int, name: str) -> subprocess.Popen[bytes]:
    """Start a run; it validates four times."""
    every = max(1, steps // 4)
    command = [
        *(sys.executable, "-m", "htr_lightning", f"dataset={options.dataset}"),
        *(f"model={model}", f"trainer={options.trainer}"),
        *("trainer.max_epochs=-1", f"+trainer.max_steps={steps}", f"+trainer.val_check_interval={every}"),
        *("+trainer.check_val_every_n_epoch=null", "trainer.log_every_n_steps=10", "loader.max_skipped=300"),
        *(f"seed={options.seed}", "augment=strong", f"hydra.run.dir={options.out / name}"),
        *(["model.height_px=128"] if options.trainer == "gpu" else []),
        *options.overrides,
    ]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})


def run_all(steps: dict[str, int], options: argparse.Namespace, suffix: str) -> None:
    """Run all models, at the same time on a CPU."""
    waiting = []
    for model, number in steps.items():
        process = start(model, options, number, f"{options.dataset}-{model}{suffix}")
        waiting.append(process)
        if options.trainer == "gpu":
            process.wait()
    if any(process.wait() for process in waiting):
        raise SystemExit("a run failed")


def read_speed(folder: Path) -> float:
    """Return the steps per second of a run, from the median of the times between two of its logged steps."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    points = events.Scalars("train/loss_step")
    return statistics.median((b.step - a.step) / (b.wall_time - a.wall_time) for a, b in itertools.pairwise(points))


def main() -> None:
    """Compare the models, and write result.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["crnn_small", "conv_attention"])
    parser.add_argument("--dataset", default="copiste")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--trainer", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/conv_attention"))
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_args()
    run_all(dict.fromkeys(options.models, TRIAL_STEPS), options, "-trial")
    speeds = {model: read_speed(options.out / f"{options.dataset}-{model}-trial") for model in options.models}
    run_all({model: int(60 * options.minutes * speed) for model, speed in speeds.items()}, options, "")
    results = {}
    for model in options.models:
        scores = json.loads((options.out / f"{options.dataset}-{model}" / "result.json").read_text())
        results[model] = {"steps_per_second": round(speeds[model], 3)} | scores
        print(model, f"{speeds[model]:.2f} steps/s", f"val CER {100 * scores['val/cer']:.1f} %", flush=True)
    (options.out / f"{options.dataset}.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
