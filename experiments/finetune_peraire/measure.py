"""Fine-tune zoo:latin to peraire's hand with ever more lines, and train from nothing beside it; see README.md.

Needs HTR_DATA. Runs that are there already are not run again: delete runs/finetune_peraire to begin anew.
"""

import json
import subprocess
import sys
from pathlib import Path

STEPS = {50: 300, 100: 400, 400: 700, 1787: 1200}
"""Training lines, and the optimiser steps that both ways are given."""
FROM_NOTHING = [
    "stage=pretrain", "~stage.start_from", "model=crnn_small", "preprocess=default", "+preprocess.deslant=true",
    "optim.lr=3e-3",
]  # fmt: skip
RUNS = Path("runs/finetune_peraire")


def run(name: str, num_lines: int, more: list[str]) -> dict[str, float]:
    """Run an experiment, or find what it gave before."""
    folder = RUNS / f"{name}-{num_lines}"
    if not (folder / "result.json").is_file():
        settings = [
            f"hydra.run.dir={folder}", f"+loader.max_train_lines={num_lines}", f"trainer.max_steps={STEPS[num_lines]}",
            "+trainer.enable_progress_bar=false",
        ]  # fmt: skip
        command = [sys.executable, "-m", "htr_lightning", "+experiment=finetune_peraire", *settings, *more]
        subprocess.run(command, check=True)
    provenance = json.loads((folder / "run.json").read_text())
    result: dict[str, float] = json.loads((folder / "result.json").read_text())
    return result | {"start": provenance["start"], "end": provenance["end"]}


def main() -> None:
    """Run all, and write ``result.json``."""
    results = {
        f"{name}-{num_lines}": run(name, num_lines, more)
        for num_lines in STEPS
        for name, more in (("latin", []), ("nothing", FROM_NOTHING))
    }
    Path(__file__).with_name("result.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
