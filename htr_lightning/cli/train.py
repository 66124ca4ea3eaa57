"""The command line of experiments: compose, validate, run."""

import contextlib
import importlib.util
import logging
import os
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from htr_lightning.config.compose import conf_dir, list_groups
from htr_lightning.config.schema import AUTO, ConfigError
from htr_lightning.config.validate import format_problems, validate
from htr_lightning.files import RunFolder

log = logging.getLogger(__name__)


def start() -> None:
    """Check what Hydra would report with a traceback, such as a run folder that cannot be made, and run `main`.

    Raises:
        SystemExit: with a message for the user.
    """
    values = dict(a.lstrip("+").partition("=")[::2] for a in sys.argv[1:] if "=" in a)
    resume = values.get("resume", "").strip("'\"")
    new = resume in ("", "null", AUTO)
    if not new and not RunFolder(Path(resume)).config.is_file():
        raise SystemExit(f"resume: {resume} is not a run folder; it has no config.yaml")
    given = {"hydra.run.dir", "hydra.sweep.dir"} & values.keys()
    if _num_started_together() > 1 and not given and resume in ("", "null"):
        raise SystemExit(
            "hydra.run.dir: torchrun and srun start several processes, which must write into one folder; name it with "
            "hydra.run.dir=FOLDER, or use resume=auto (runs/RUN_NAME)"
        )
    runs = not any(a.startswith(("--cfg", "-c", "--info", "-i", "--hydra-help")) for a in sys.argv[1:])
    sweep = any(a in ("--multirun", "-m") for a in sys.argv[1:])
    _refuse_missing_launcher(values.get("hydra/launcher", ""))
    if sweep and not runs:
        raise SystemExit("--cfg and --info show one configuration, without --multirun; leave that out")
    if runs and new:
        key = "hydra.sweep.dir" if sweep else "hydra.run.dir"
        _refuse_unwritable(Path(values.get(key, "runs").strip("'\"")).absolute(), key)
    main()


def _num_started_together() -> int:
    """Return how many processes of one run torchrun or srun started; 1 for a process that was started by itself."""
    torchrun = os.environ.get("WORLD_SIZE", "1") if "TORCHELASTIC_RUN_ID" in os.environ else "1"
    srun = os.environ.get("SLURM_NTASKS", "1") if "SLURM_STEP_ID" in os.environ else "1"
    return max(int(torchrun), int(srun))


def _refuse_missing_launcher(name: str) -> None:
    package = {"workstation": "joblib", "slurm": "submitit", "ray_cluster": "ray"}.get(name, name.partition("_")[0])
    if package in ("joblib", "submitit", "ray") and not _is_installed(f"hydra_plugins.hydra_{package}_launcher"):
        remedy = 'pip install "htr-lightning[cluster]"'
        raise SystemExit(f"hydra/launcher={name}: hydra-{package}-launcher is not installed; run: {remedy}")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _refuse_unwritable(folder: Path, key: str) -> None:
    existing = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise SystemExit(
            f"The run folder {folder} cannot be made: {existing} "
            f"{'cannot be written' if existing.is_dir() else 'is a file'}; choose another with {key}=FOLDER"
        )


class RunFailedError(CompactHydraException):
    """A run of a sweep failed; the message is for the user, and the other runs go on."""


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def main(cfg: DictConfig) -> float | str | None:
    """Run one experiment; returns ``val/cer``, which sweeps minimize, or ``"pruned"`` of a trial that was ended.

    Raises:
        SystemExit: with a message for the user.
        RunFailedError: the same, in a sweep.
    """
    sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        return run_from(cfg)
    except SystemExit as stop:
        if not sweep or not isinstance(stop.code, str):
            raise
        record("failed", stop.code)
        log.error("%s", stop.code)
        raise RunFailedError(stop.code) from None
    except Exception as error:
        if sweep:
            record("failed", f"{type(error).__name__}: {error}")
            log.exception("The run failed")
        raise


def record(what: str, message: str) -> None:
    """Write ``failed.json`` or ``pruned.json`` into the folder of a run that is one of many, for `sweep.report`."""
    from htr_lightning.files import write_json
    from htr_lightning.training.provenance import now

    hydra = HydraConfig.get()
    folder = RunFolder(Path(hydra.runtime.output_dir))
    path = folder.failed if what == "failed" else folder.pruned
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"message": message, "time": now(), "overrides": list(hydra.overrides.task)})


def run_from(cfg: DictConfig) -> float | str | None:
    """Run what a configuration says; returns as `main` does.

    Raises:
        SystemExit: with a message for the user.
    """
    folder = RunFolder(Path(HydraConfig.get().runtime.output_dir))
    try:
        if cfg.resume not in (None, AUTO):
            cfg = resume_config(cfg, HydraConfig.get().overrides.task)
        validate(cfg)
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            refuse_several_devices(cfg)
        if cfg.resume == AUTO and (done := done_before(cfg, folder)):
            return done.get("val/cer")
    except (ConfigError, OmegaConfBaseException) as error:
        raise SystemExit(format_problems(error)) from None

    from lightning.pytorch.utilities import rank_zero_only

    from htr_lightning.training.exits import PrunedError, exit_of
    from htr_lightning.training.lightning_fixes import silence_lightning
    from htr_lightning.training.run import run

    OmegaConf.set_readonly(cfg, True)
    silence_lightning()
    try:
        scores = run(cfg, folder.path)
    except PrunedError as error:
        log.info("The trial was %s", error)
        record("pruned", str(error))
        return "pruned"
    except BaseException as error:
        sweeps = HydraConfig.get().mode == RunMode.MULTIRUN
        run_exit = exit_of(error, folder, cfg, sweeps=sweeps)
        if run_exit is None:
            raise
        if getattr(rank_zero_only, "rank", 0):  # the first process speaks; one that Lightning started must not fail
            raise SystemExit(0 if _num_started_together() == 1 else run_exit.status) from None
        if run_exit.status == 1:
            raise SystemExit(run_exit.message) from None
        print(run_exit.message, file=sys.stderr)
        raise SystemExit(run_exit.status) from None
    return scores.get("val/cer")


def done_before(cfg: DictConfig, folder: RunFolder) -> dict[str, float] | None:
    """Return the scores of the run that ``resume=auto`` finds complete; of one to go on with, check the configuration.

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


def refuse_several_devices(cfg: DictConfig) -> None:
    """Refuse a run of a sweep: Lightning starts its other processes with the whole command line, so the whole sweep.

    Raises:
        ConfigError: the run is on several devices.
    """
    several = [key for key in ("devices", "num_nodes") if cfg.trainer.get(key, 1) != 1]
    if several:
        raise ConfigError(
            f"trainer.{several[0]}: {cfg.trainer[several[0]]} in a sweep; use 1, and let trials run side by side "
            "(hydra/launcher=workstation, slurm, ray_cluster), or run the configurations one by one"
        )


def resume_config(cfg: DictConfig, overrides: list[str]) -> DictConfig:
    """Return the configuration of the run folder ``cfg.resume``, with the values given on the command line.

    Raises:
        ConfigError: no such run, or an override that chooses another group option.
    """
    path = RunFolder(Path(cfg.resume)).config
    if not path.is_file():
        raise ConfigError(f"resume: {cfg.resume} is not a run folder; it has no config.yaml")
    saved = OmegaConf.load(path)
    assert isinstance(saved, DictConfig)
    for key in (override.partition("=")[0].lstrip("+") for override in overrides):
        if key in list_groups() or key.startswith("~"):
            raise ConfigError(f"{key}: a resumed run keeps its {key.lstrip('~')}; override single values only")
        OmegaConf.update(saved, key, OmegaConf.select(cfg, key))
    saved["trial"] = None  # a trial that is trained further is none of its sweep's any more
    for name in map(str, cfg):
        if name not in saved:  # it is newer than the run
            saved[name] = cfg[name]
    return saved
