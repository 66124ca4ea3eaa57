"""``python -m htr_lightning sweep-report``: show the results of a sweep, and write the best trial as an experiment."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import exit_with_message, print_result
from htr_lightning.cli.options import add_config_dir_option, add_overwrite_option
from htr_lightning.files import report_write_errors, write_text
from htr_lightning.report.outputs import REPORT, Output, check_outputs

if TYPE_CHECKING:
    from htr_lightning.sweep.trials import TrialRecord


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Read a sweep, print it, and write ``report.html`` and ``experiment/best.yaml`` into its folder.

    Raises:
        SystemExit: the sweep cannot be read, or its folder cannot be written.
    """
    options = build_parser().parse_args(argv)
    folder: Path = options.folder

    from htr_lightning.sweep.best import BEST, find_experiment_file
    from htr_lightning.sweep.html import render_sweep
    from htr_lightning.sweep.importance import compute_importance
    from htr_lightning.sweep.table import format_table
    from htr_lightning.sweep.trials import find_varied_keys, read_trials

    trials = sorted(read_trials(folder), key=lambda trial: (trial.state != "done", trial.cer, trial.number))
    keys = find_varied_keys(trials)
    outputs = [
        Output(folder / "report.html", REPORT, key=""),
        Output(find_experiment_file(folder, options.config_dir), BEST, key=""),
    ]
    check_outputs(outputs, [], overwrite=options.overwrite)
    with report_write_errors(folder):
        note = write_best(trials[0], folder, options.config_dir)
        page = render_sweep(folder.absolute().name, trials, keys, compute_importance(trials, keys), note)
        write_text(folder / "report.html", page)
    print_result(format_table(trials, keys))
    print_result(f"{note}\n{folder / 'report.html'}: written".lstrip())


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning sweep-report",
        description="Show the results of a sweep, finished or not: print a table of its trials, and write "
        "FOLDER/report.html and, with the best trial, FOLDER/experiment/best.yaml. Run the best trial again with "
        "--config-dir FOLDER +experiment=best.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the sweep (hydra.sweep.dir)")
    add_overwrite_option(parser)
    add_config_dir_option(parser)
    return parser


def write_best(best: "TrialRecord", folder: Path, config_dir: Path | None) -> str:
    """Write the best trial as an experiment; return how to run it, or why it cannot be run again."""
    from htr_lightning.config.schema import ConfigError
    from htr_lightning.sweep.best import write_experiment

    if best.state != "done":
        return ""
    try:
        path = write_experiment(best, folder, config_dir)
    except ConfigError as error:
        return str(error)
    command = f"python -m htr_lightning --config-dir {path.parent.parent} +experiment={path.stem}"
    return f"Run the best trial again: {command}"


if __name__ == "__main__":
    main()
