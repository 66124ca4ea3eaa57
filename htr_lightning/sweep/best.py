"""The configuration of a sweep's best trial, as an experiment to run again."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from htr_lightning.config import ConfigError, composed
from htr_lightning.files import write_text
from htr_lightning.folder import flat
from htr_lightning.sweep.trials import IGNORED, TrialRecord


def write_experiment(trial: TrialRecord, folder: Path, config_dir: Path | None) -> Path:
    """Write ``experiment/best.yaml``: the options that the trial was composed of, and what differs from theirs.

    Args:
        trial: that is done.
        folder: of the sweep, under which the file is written, unless there is a
        config_dir: where the sweep took more configurations from.

    Returns:
        The file; ``--config-dir FOLDER +experiment=best`` runs it, with the folder above that of the file.

    Raises:
        ConfigError: the trial cannot be composed again from what is installed here.
    """
    chosen = {group: option for group, option in trial.choices.items() if group != "experiment" and option}
    base = flat(composed([f"{group}={option}" for group, option in chosen.items()], config_dir))
    wanted = flat(OmegaConf.load(trial.folder / "config.yaml"))
    changed = {key: value for key, value in wanted.items() if key not in IGNORED and base.get(key, base) != value}
    where = config_dir or folder  # beside the options that it names
    path = where / "experiment" / "best.yaml"
    path.parent.mkdir(exist_ok=True)
    write_text(path, _text(trial, chosen, changed))
    again = flat(composed(["+experiment=best"], where))
    keys = (wanted.keys() | again.keys()) - set(IGNORED)
    differing = [key for key in keys if wanted.get(key) != again.get(key)]
    if differing:
        path.unlink()
        raise ConfigError(
            f"trial {trial.number}: cannot be written as an experiment; {', '.join(sorted(differing))} would not be "
            f"the same; its whole configuration is {trial.folder / 'config.yaml'}"
        )
    return path


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
