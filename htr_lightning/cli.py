"""The command line of experiments: compose, validate, run."""

import logging
import os
import sys
import warnings
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from htr_lightning.config import ConfigError, conf_dir, groups, validate


def start() -> None:
    """Check that the run folder can be made, which Hydra would report with a traceback, and run `main`.

    Raises:
        SystemExit: with a message for the user.
    """
    given = [a.partition("=")[2] for a in sys.argv[1:] if a.startswith(("hydra.run.dir=", "hydra.sweep.dir="))]
    folder = Path(given[-1].strip("'\"") if given else "runs").absolute()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise SystemExit(
            f"The run folder {folder} cannot be made: {existing} "
            f"{'cannot be written' if existing.is_dir() else 'is a file'}; choose another with hydra.run.dir=FOLDER"
        )
    main()


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def main(cfg: DictConfig) -> float | None:
    """Run one experiment; returns ``val/cer``, which sweeps minimise.

    Raises:
        SystemExit: with a message for the user.
    """
    try:
        cfg = resumed(cfg, HydraConfig.get().overrides.task) if cfg.resume else cfg
        validate(cfg)
    except ConfigError as error:
        raise SystemExit("The configuration cannot be run:\n  " + str(error).replace("\n", "\n  ")) from None

    from lightning.fabric.utilities.exceptions import MisconfigurationException

    from htr_lightning.charset import CharsetError
    from htr_lightning.data.line import DataError
    from htr_lightning.run import run
    from htr_lightning.task import NonFiniteLossError

    OmegaConf.set_readonly(cfg, True)
    quieten()
    try:
        scores = run(cfg, Path(HydraConfig.get().runtime.output_dir))
    except (ConfigError, DataError, CharsetError, NonFiniteLossError) as error:
        raise SystemExit(f"The run stopped: {error}") from None
    except MisconfigurationException as error:
        raise SystemExit(f"The configuration cannot be run:\n  trainer: {error}") from None
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError):
            raise SystemExit(f"The configuration cannot be run:\n  {error.__cause__}") from None
        raise
    return scores.get("val/cer")


def quieten() -> None:
    """Leave to the console what users can act on; Lightning's hints and inner deprecations are not that."""
    logging.getLogger("lightning.pytorch").handlers.clear()  # else every message comes twice
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"lightning\.pytorch\.utilities\._pytree")
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # collating is a copy; see loader


def resumed(cfg: DictConfig, overrides: list[str]) -> DictConfig:
    """Return the configuration of the run folder ``cfg.resume``, with the values given on the command line.

    Raises:
        ConfigError: no such run, or an override that chooses another group option.
    """
    path = Path(cfg.resume) / "config.yaml"
    if not path.is_file():
        raise ConfigError(f"resume: {cfg.resume} is not a run folder; it has no config.yaml")
    saved = OmegaConf.load(path)
    assert isinstance(saved, DictConfig)
    for key in (override.partition("=")[0] for override in overrides):
        if key in groups() or key.startswith(("+", "~")):
            raise ConfigError(f"{key}: a resumed run keeps its {key.lstrip('+~')}; override single values only")
        OmegaConf.update(saved, key, OmegaConf.select(cfg, key))
    return saved
