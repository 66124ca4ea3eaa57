"""``python -m htr_lightning``: train a model. Composes the configuration with Hydra, validates it, and runs it."""

import importlib.util
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from htr_lightning.cli.arguments import Arguments, parse_arguments
from htr_lightning.cli.console import ExitError, exit_with_message
from htr_lightning.config.compose import build_run_folder_error, check_composition, conf_dir, resume_config
from htr_lightning.config.overrides import quote, resolve_folder
from htr_lightning.config.schema import AUTO, ConfigError
from htr_lightning.config.trust import read_targets
from htr_lightning.config.validate import format_problems, validate
from htr_lightning.files import RunFolder, check_writable

log = logging.getLogger(__name__)

_LAUNCHER_PACKAGES = {"workstation": "joblib", "slurm": "submitit", "ray_cluster": "ray"}
_command_line: Arguments | None = None  # the command line of this process; trials in other processes have none


class RunFailedError(CompactHydraException):
    """A trial of a sweep failed; the other trials continue. Hydra prints the message without a traceback."""


@exit_with_message()
def main() -> None:
    """Check the command line for what Hydra would report with a traceback, and let Hydra run `train`.

    Raises:
        SystemExit: the command line or the configuration is wrong, or the run failed.
    """
    global _command_line
    _command_line = parse_arguments(sys.argv[1:])
    values = dict(override.lstrip("+").partition("=")[::2] for override in _command_line.overrides if "=" in override)
    resume = values.get("resume", "null")
    is_new = resume in ("null", quote("null"), AUTO, quote(AUTO))
    if not is_new and not RunFolder(resolve_folder(resume)).config.is_file():
        raise build_run_folder_error(resolve_folder(resume))
    if not is_new and _command_line.is_sweep:
        raise ConfigError("a single run is resumed", key="resume", remedy="leave out --multirun")
    if _command_line.has_own_config:
        check_composition(_command_line.overrides, _command_line.config_dir, is_sweep=_command_line.is_sweep)
    _check_launcher(values.get("hydra/launcher", ""))
    if _command_line.is_sweep:
        _check_sweeper(values)
    if is_new and _command_line.is_run:
        _check_new_folder(values, "hydra.sweep.dir" if _command_line.is_sweep else "hydra.run.dir")
    sys.argv[1:] = _command_line.for_hydra()
    train()


def _check_new_folder(values: Mapping[str, str], key: str) -> None:
    """Check that the folder of a new run or sweep can be written, and that all of its processes have the same one.

    Raises:
        ConfigError: each process would have its own.
        OutputError: the folder cannot be written.
    """
    has_folder = bool({"hydra.run.dir", "hydra.sweep.dir"} & values.keys())
    if _count_started_processes() > 1 and not has_folder and AUTO not in values.get("resume", ""):
        raise ConfigError(
            "the processes that torchrun or srun started must write into the same folder",
            key="hydra.run.dir",
            remedy="set hydra.run.dir=FOLDER or resume=auto (runs/RUN_NAME)",
        )
    check_writable(resolve_folder(values.get(key, "runs")), key)
    if "run_name" in values:
        check_writable(Path("runs", f"00-00-00-{resolve_folder(values['run_name'])}"), "run_name")


def _count_started_processes() -> int:
    """Return how many processes of one run torchrun or srun started; 1 for a process that was started by itself."""
    torchrun = os.environ.get("WORLD_SIZE", "1") if "TORCHELASTIC_RUN_ID" in os.environ else "1"
    srun = os.environ.get("SLURM_NTASKS", "1") if "SLURM_STEP_ID" in os.environ else "1"
    return max(int(torchrun), int(srun))


def _check_launcher(name: str) -> None:
    """Refuse a launcher whose plugin is not installed.

    Raises:
        ConfigError: names the package and how to install it.
    """
    package = _LAUNCHER_PACKAGES.get(name, name.partition("_")[0])
    if package in _LAUNCHER_PACKAGES.values() and not _is_installed(f"hydra_plugins.hydra_{package}_launcher"):
        raise ConfigError(
            f"hydra-{package}-launcher is not installed",
            key="hydra/launcher",
            value=name,
            remedy='run: pip install "htr-lightning[cluster]"',
        )


def _check_sweeper(values: Mapping[str, str]) -> None:
    """Refuse an interval if nothing samples from it; Hydra's own sweeper would fail with a traceback.

    Raises:
        ConfigError: names the key.
    """
    for key, value in values.items():
        if "interval(" in value and not {"hydra/sweeper", "experiment"} & values.keys():
            remedy = "add hydra/sweeper=study, or list the values, separated by commas"
            raise ConfigError("only a study samples from an interval", key=key, value=value, remedy=remedy)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def train(cfg: DictConfig) -> float | str | None:
    """Run one experiment; return ``val/cer``, which sweeps minimize, or ``"pruned"`` for a pruned trial.

    Raises:
        SystemExit: the configuration is wrong, or the run failed.
        RunFailedError: the same, in a sweep.
    """
    if _command_line is not None:
        sys.argv[1:] = _command_line.typed  # for run.json and for processes that Lightning starts
    return run_trial(cfg) if HydraConfig.get().mode == RunMode.MULTIRUN else run_single(cfg)


@exit_with_message()
def run_single(cfg: DictConfig) -> float | str | None:
    """Run the only experiment of a command line; see `train`."""
    return run_experiment(cfg)


def run_trial(cfg: DictConfig) -> float | str | None:
    """Run one trial of a sweep; write into its folder why it failed.

    Raises:
        RunFailedError: it failed with a message.
        SystemExit: the sweep was asked to stop.
    """
    try:
        return run_experiment(cfg)
    except ExitError as error:
        if error.status != 1:  # Ctrl-C or a signal stops the whole sweep
            with exit_with_message():
                raise
        record_outcome("failed", str(error))
        log.error("%s", error)
        raise RunFailedError(str(error)) from None
    except Exception as error:
        record_outcome("failed", f"{type(error).__name__}: {error}")
        log.exception("The run failed")
        raise


def record_outcome(outcome: str, message: str) -> None:
    """Write into the folder of the current trial why it failed or was pruned."""
    from htr_lightning.sweep.trials import write_outcome

    hydra = HydraConfig.get()
    folder = RunFolder(Path(hydra.runtime.output_dir))
    path = folder.failed if outcome == "failed" else folder.pruned
    write_outcome(path, message, list(hydra.overrides.task))


def run_experiment(cfg: DictConfig) -> float | str | None:
    """Validate a configuration, and train, evaluate and write a model; returns as `train` does.

    Raises:
        ExitError: the configuration is wrong, or the run failed.
    """
    folder = RunFolder(Path(HydraConfig.get().runtime.output_dir))
    is_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        if cfg.resume not in (None, AUTO):
            cfg = resume_config(cfg, HydraConfig.get().overrides.task, list_trusted(cfg))
        validate(cfg)
        if is_sweep:
            from htr_lightning.sweep.run import refuse_several_devices

            refuse_several_devices(cfg)
        if cfg.resume == AUTO and (scores := load_finished(cfg, folder)):
            return get_objective(cfg, scores)
    except (ConfigError, OmegaConfBaseException) as error:
        raise ExitError(format_problems(error)) from None

    from htr_lightning.training.exits import PrunedError, exit_of
    from htr_lightning.training.lightning_fixes import is_rank_zero, silence_lightning
    from htr_lightning.training.run import run

    OmegaConf.set_readonly(cfg, True)
    silence_lightning()
    try:
        scores = run(cfg, folder.path)
    except PrunedError as error:
        log.info("The trial was %s", error)
        record_outcome("pruned", str(error))
        return "pruned"
    except BaseException as error:
        run_exit = exit_of(error, folder, cfg, sweeps=is_sweep)
        if run_exit is None:
            raise
        if not is_rank_zero():  # only the first prints; one that Lightning started must not fail
            raise ExitError("", 0 if _count_started_processes() == 1 else run_exit.status) from None
        raise ExitError(run_exit.message, run_exit.status) from None
    return get_objective(cfg, scores)


def get_objective(cfg: DictConfig, scores: Mapping[str, float]) -> float | None:
    """Return what a sweep minimizes of the scores of a run."""
    objective: float | None = get_object(cfg.task["_target_"]).monitor.to_objective(scores)
    return objective


def list_trusted(cfg: DictConfig) -> list[str]:
    """Return what the user vouches for: ``--trust``, and what the files of ``--config-dir`` name."""
    config_dir = None if _command_line is None else _command_line.config_dir
    own = set() if config_dir is None else read_targets(config_dir)
    return [*cfg.trust, *sorted(own)]


def load_finished(cfg: DictConfig, folder: RunFolder) -> dict[str, float] | None:
    """Return the scores of the run in a folder if it is finished, for ``resume=auto``; None if it is to be (re)started.

    Raises:
        ConfigError: the run in the folder has another configuration.
    """
    if not folder.config.is_file():
        return None
    from htr_lightning.training.run_folder import refuse_other_config

    refuse_other_config(folder, cfg)
    scores = folder.scores()
    if scores:
        log.info("The run in %s is complete; nothing to do", folder.path)
    return scores
