"""Composing configurations outside of a run, and finding the shipped ones."""

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from htr_lightning.config.schema import ConfigError
from htr_lightning.config.validate import validate
from htr_lightning.files import RunFolder


def conf_dir() -> Path:
    """Directory of the shipped configs: beside the package in a checkout, inside it when installed.

    Raises:
        ConfigError: neither place has a ``config.yaml``; the installation is incomplete.
    """
    package = Path(__file__).resolve().parent.parent
    places = (package / "conf", package.parent / "conf")
    for place in places:
        if (place / "config.yaml").is_file():
            return place
    raise ConfigError("no config.yaml in " + " or ".join(map(str, places)))


def compose_config(overrides: Sequence[str], config_dir: Path | None = None) -> DictConfig:
    """Compose and validate a configuration outside of a run, for commands that read data.

    Args:
        overrides: as for training: ``dataset=lines``, ``dataset.root=...``.
        config_dir: a folder with more files of the groups, as ``--config-dir`` names it.

    Raises:
        ConfigError: an override, a choice or a value is wrong, or there is no such folder.
    """
    cfg = compose_unvalidated(overrides, config_dir)
    try:
        validate(cfg)
    except OmegaConfBaseException as error:
        raise ConfigError(str(error)) from None
    return cfg


def compose_unvalidated(overrides: Sequence[str], config_dir: Path | None = None) -> DictConfig:
    """Compose a configuration as `compose_config` does, without validating it.

    Raises:
        ConfigError: an override or a choice is wrong, or there is no such folder.
    """
    searched = list(overrides)
    if config_dir is not None:
        if not config_dir.is_dir():
            raise ConfigError(f"--config-dir {config_dir}: there is no such folder")
        place = str(config_dir.absolute()).replace("\\", "\\\\").replace("'", "\\'")
        searched.append(f"hydra.searchpath=['file://{place}']")
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            return compose("config", overrides=searched)
    except HydraException as error:
        # Hydra says how to add a missing key; OmegaConf says what is wrong with a value.
        raise ConfigError(str(error.__cause__ if isinstance(error.__cause__, ValidationError) else error)) from None
    except OmegaConfBaseException as error:
        raise ConfigError(str(error)) from None


def list_groups() -> dict[str, list[str]]:
    """Return the config groups and their options, as the files in `conf_dir` have them."""
    folders = sorted(path for path in conf_dir().iterdir() if path.is_dir() and path.name != "hydra")
    return {folder.name: sorted(path.stem for path in folder.glob("*.yaml")) for folder in folders}


def resume_config(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Return the configuration of the run folder ``cfg.resume``, with the values given on the command line.

    Args:
        cfg: composed from the command line.
        overrides: of the command line.

    Raises:
        ConfigError: there is no such run, or an override chooses another option of a group.
    """
    path = RunFolder(Path(cfg.resume)).config
    if not path.is_file():
        raise ConfigError("not a run folder; it has no config.yaml", key="resume", value=cfg.resume)
    saved = OmegaConf.load(path)
    assert isinstance(saved, DictConfig)
    for key in (override.partition("=")[0].lstrip("+") for override in overrides):
        if key in list_groups() or key.startswith("~"):
            group = key.lstrip("~")
            raise ConfigError(f"a resumed run keeps its {group}", key=key, remedy="override single values only")
        OmegaConf.update(saved, key, OmegaConf.select(cfg, key))
    saved["trial"] = None  # a trial that is trained further no longer belongs to its sweep
    for name in map(str, cfg):
        if name not in saved:  # a root key that is newer than the run
            saved[name] = cfg[name]
    return saved
