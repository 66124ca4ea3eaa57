"""The child process that adapts a model: ``python -m htr_lightning.correction.learning_process RUN LINES MODEL ...``.

It runs with low priority, tells the number of its steps in ``RUN.json`` before it begins, and ends when its standard
input is closed, so that it does not outlive the server.
"""

import contextlib
import os
import runpy
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.files import write_json

_NICENESS = 15


def main(run: Path, lines: Path, model: str, settings: Sequence[str] = ()) -> None:
    """Adapt a model to lines.

    Args:
        run: run folder.
        lines: folder of a ``lines`` dataset.
        model: to start from.
        settings: ``KEY=VALUE`` of the training, which replace those of the recipe.
    """
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    given = [setting.partition("=")[2] for setting in settings if setting.startswith("trainer.max_steps=")]
    num_steps = int(given[-1]) if given else count_steps(lines)
    write_json(run.with_suffix(".json"), {"steps": num_steps})
    sys.argv = ["htr_lightning", *build_overrides(run, lines, model, num_steps), *settings]
    runpy.run_module("htr_lightning", run_name="__main__", alter_sys=True)


def count_steps(lines: Path) -> int:
    """Return the number of optimizer steps that the recipe takes for the lines of a folder."""
    from htr_lightning.training.adapt import Adapt

    num_lines = len((lines / "train.tsv").read_text(encoding="utf-8").splitlines()) - 1
    return Adapt(start_from="").count_steps(num_lines)


def build_overrides(run: Path, lines: Path, model: str, num_steps: int) -> list[str]:
    """Return the command line of the training: the recipe that `docs/howto/adapt.md` describes."""
    return [
        "+experiment=adapt",
        f"dataset.root={lines}",
        f"stage.start_from={model}",
        f"hydra.run.dir={run}",
        f"loader.cache_dir={run.parent / 'packed'}",
        f"trainer.max_steps={num_steps}",
        f"trainer.log_every_n_steps={max(1, num_steps // 50)}",
        "+trainer.enable_progress_bar=false",
    ]


def _end_with_parent() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1):  # not sys.stdin, whose lock would be held when the interpreter ends
            pass
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
