"""A study from its overrides to its end."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from htr_lightning.config.schema import ConfigError
from htr_lightning.config.validate import format_problems
from htr_lightning.errors import InputError
from htr_lightning.files import file_lock, report_write_errors

log = logging.getLogger(__name__)


class Sweeping(Protocol):
    """What a sweeper has: see ``StudySweeper``."""

    num_trials: int
    num_parallel: int
    sampler: str
    pruner: str
    prune_after: int
    seed: int
    storage: str | None

    def check(self, overrides: Sequence[str]) -> None:
        """Raise where a trial cannot be composed."""
        ...

    def launch(self, batch: Sequence[Sequence[str]], first: int) -> Sequence[float | str | None]:
        """Run trials."""
        ...


@contextlib.contextmanager
def claim_sweep_folder(folder: Path) -> Iterator[None]:
    """Make the folder of a study, and keep other sweeps out of it.

    Raises:
        ConfigError: another sweep uses the folder.
        OutputError: the folder cannot be written.
    """

    def refuse() -> None:
        remedy = "wait until it ends, or choose another folder"
        raise ConfigError("another sweep uses this folder", key="hydra.sweep.dir", value=folder, remedy=remedy)

    with contextlib.ExitStack() as stack:
        with report_write_errors(folder, "hydra.sweep.dir"):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(file_lock(folder / ".lock", refuse))
        yield


def run_study(sweeper: Sweeping, overrides: Sequence[Override], folder: Path) -> float:
    """Run a study to its end, and log its best trial.

    Args:
        sweeper: its settings, and how trials are run.
        overrides: of the command line.
        folder: of the sweep.

    Returns:
        The lowest ``val/cer``.

    Raises:
        ConfigError: a setting is wrong, or Optuna is not installed.
        InputError: no trial was completed.
    """
    try:
        from htr_lightning.sweep import space, study
    except ModuleNotFoundError as error:
        remedy = 'run: pip install "htr-lightning[sweep]"'
        raise ConfigError(f"{error.name} is not installed", key="hydra/sweeper", value="study", remedy=remedy) from None
    for key in ("num_trials", "num_parallel"):
        if (value := getattr(sweeper, key)) < 1:
            raise ConfigError(f"{value} is too small", key=f"hydra.sweeper.{key}", remedy="choose 1 or more")
    storage = sweeper.storage or f"sqlite:///{folder / 'study.db'}"
    fixed, drawn = space.parse_space(overrides)
    opened = study.open_study(storage, sweeper.sampler, sweeper.pruner, sweeper.prune_after, sweeper.seed)

    def trial_url(number: int) -> str:
        return study.trial_url(storage, number).replace("\\", "\\\\").replace("'", "\\'")

    def overrides_of(number: int, params: Mapping[str, Any]) -> list[str]:
        return [*fixed, *space.format_overrides(params), "resume=auto", f"trial='{trial_url(number)}'"]

    try:
        for params in space.cover_choices(drawn):
            sweeper.check(overrides_of(0, params))
    except (ConfigError, OmegaConfBaseException) as error:
        raise ConfigError(format_problems(error)) from None
    study.sweep(
        opened, drawn, overrides_of, sweeper.launch, num_trials=sweeper.num_trials, num_parallel=sweeper.num_parallel
    )
    done = [trial for trial in opened.trials if trial.value is not None and trial.state.name == "COMPLETE"]
    log.info("%d trials, %d of them completed", len(opened.trials), len(done))
    if not done:
        report = f"python -m htr_lightning sweep-report {folder}"
        raise InputError("No trial was completed", remedy=f"see the reasons with {report}")
    best = min(done, key=lambda trial: trial.value or 0.0)
    shown = ", ".join(space.format_overrides(best.params))
    log.info("The best, %d: val CER %.2f %% with %s", best.number, 100 * (best.value or 0.0), shown)
    log.info("All of them: python -m htr_lightning sweep-report %s", folder)
    return best.value or 0.0


def refuse_several_devices(cfg: DictConfig) -> None:
    """Refuse a trial on several devices: Lightning would start its other processes with the command line of the sweep.

    Raises:
        ConfigError: the trial is on several devices.
    """
    for key in ("devices", "num_nodes"):
        if (value := cfg.trainer.get(key, 1)) != 1:
            raise ConfigError(
                f"{value} in a sweep",
                key=f"trainer.{key}",
                remedy="use 1, and run trials in parallel (hydra/launcher=workstation, slurm, ray_cluster), or run the "
                "configurations one by one",
            )
