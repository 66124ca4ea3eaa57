"""The configuration of the best trial of a sweep, as an experiment file."""

import re
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from htr_lightning.config.compose import compose_unvalidated, list_shipped_targets, read_config
from htr_lightning.config.schema import ConfigError
from htr_lightning.config.trust import check_targets, read_targets
from htr_lightning.files import RunFolder, write_text
from htr_lightning.report.outputs import Kind
from htr_lightning.sweep.trials import IGNORED, TrialRecord
from htr_lightning.training.run_folder import flatten_config

BEST: Kind = re.compile(rb"# @package _global_\n# The best trial of a sweep")
"""The experiment files that `write_experiment` writes."""


def write_experiment(trial: TrialRecord, folder: Path, config_dir: Path | None) -> Path:
    """Write an experiment file: the group options of the trial, and the values that differ from them.

    It is ``experiment/best.yaml`` in the folder of the sweep; if the sweep used a ``--config-dir``, it is
    ``experiment/best-SWEEP.yaml`` there, beside the options that it names.

    Args:
        trial: a trial that is done.
        folder: of the sweep.
        config_dir: the ``--config-dir`` of the sweep.

    Raises:
        ConfigError: the trial cannot be composed from the configuration files that are installed.
    """
    chosen = {group: option for group, option in trial.choices.items() if group != "experiment" and option}
    base = flatten_config(compose_unvalidated([f"{group}={option}" for group, option in chosen.items()], config_dir))
    saved = read_config(RunFolder(trial.folder).config)
    own = set() if config_dir is None else read_targets(config_dir)
    check_targets(saved, list_shipped_targets(), own, RunFolder(trial.folder).config)  # as its reader will trust it
    wanted = flatten_config(saved)
    changed = {key: value for key, value in wanted.items() if key not in IGNORED and base.get(key, base) != value}
    where = config_dir or folder
    path = find_experiment_file(folder, config_dir)
    path.parent.mkdir(exist_ok=True)
    write_text(path, _text(trial, chosen, changed))
    try:
        again = flatten_config(compose_unvalidated([f"+experiment={path.stem}"], where))
    except ConfigError:
        path.unlink()
        raise
    keys = (wanted.keys() | again.keys()) - set(IGNORED)
    differing = [key for key in keys if wanted.get(key) != again.get(key)]
    if differing:
        path.unlink()
        raise ConfigError(
            f"trial {trial.number}: cannot be written as an experiment, because {', '.join(sorted(differing))} would "
            f"differ; its resolved configuration is {trial.folder / 'config.yaml'}"
        )
    return path


def find_experiment_file(folder: Path, config_dir: Path | None) -> Path:
    """Return the file that `write_experiment` writes."""
    name = "best.yaml" if config_dir is None else f"best-{folder.absolute().name}.yaml"
    return (config_dir or folder) / "experiment" / name


def _text(trial: TrialRecord, chosen: dict[str, str], changed: dict[str, Any]) -> str:
    head = (
        "# @package _global_\n"
        f"# The best trial of a sweep, number {trial.number}: val CER {100 * trial.cer:.2f} %.\n"
        "defaults:\n"
    )
    defaults = "".join(f"  - override /{group}: {option}\n" for group, option in chosen.items())
    values = OmegaConf.create({})
    for key, value in changed.items():
        OmegaConf.update(values, key, value, force_add=True)
    return head + defaults + "\n" + OmegaConf.to_yaml(values)
