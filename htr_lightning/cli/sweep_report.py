"""``sweep-report``: what a sweep found, as a table, a page, and the best trial as an experiment."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.config.schema import ConfigError
from htr_lightning.files import write_text
from htr_lightning.sweep.best import write_experiment
from htr_lightning.sweep.html import render_sweep
from htr_lightning.sweep.importance import compute_importance
from htr_lightning.sweep.table import format_table
from htr_lightning.sweep.trials import TrialRecord, read_trials, varied_keys


def main(argv: Sequence[str] | None = None) -> None:
    """Read a sweep, print it, and write ``report.html`` and ``experiment/best.yaml`` into its folder.

    Raises:
        SystemExit: with a message for the user.
    """
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning sweep-report",
        description="Show what a sweep found: a table, DIR/report.html, and DIR/experiment/best.yaml, which "
        "--config-dir DIR +experiment=best runs again. A sweep that is still running can be looked at, too.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the sweep (hydra.sweep.dir)")
    parser.add_argument("--config-dir", type=Path, help="where the sweep took more configurations from")
    options = parser.parse_args(argv)
    folder: Path = options.folder
    try:
        trials = sorted(read_trials(folder), key=lambda trial: (trial.state != "done", trial.cer, trial.number))
        keys = varied_keys(trials)
        print(format_table(trials, keys))
        note = best_again(trials[0], folder, options.config_dir)
        write_text(
            folder / "report.html",
            render_sweep(folder.absolute().name, trials, keys, compute_importance(trials, keys), note),
        )
    except (ConfigError, OSError) as error:
        raise SystemExit(str(error)) from None
    print(f"{note}\n{folder / 'report.html'}: written".lstrip())


def best_again(best: TrialRecord, folder: Path, config_dir: Path | None) -> str:
    """Write the best trial as an experiment, and say how it is run, or why it cannot be."""
    if best.state != "done":
        return ""
    try:
        path = write_experiment(best, folder, config_dir)
    except ConfigError as error:
        return str(error)
    return f"The best trial again: python -m htr_lightning --config-dir {path.parent.parent} +experiment={path.stem}"
