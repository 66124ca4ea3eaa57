"""Composing configurations outside of a run, and finding the shipped ones."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from htr_lightning.config.override_errors import explain_override_error
from htr_lightning.config.overrides import (
    check_overrides,
    get_parameter_hint,
    list_values,
    quote,
    quote_texts,
)
from htr_lightning.config.schema import ConfigError
from htr_lightning.config.signatures import fits
from htr_lightning.config.trust import check_targets, read_targets
from htr_lightning.config.validate import validate
from htr_lightning.files import RunFolder
from htr_lightning.image.folder import is_file

_LAUNCHER = ("hydra/launcher", "hydra.launcher")  # its plugin may not be installed, which is said elsewhere


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
    if config_dir is not None and not config_dir.is_dir():
        raise ConfigError("there is no such folder", key="--config-dir", value=config_dir)
    if config_dir is not None:
        check_syntax(overrides, config_dir)
    groups = list(list_groups(config_dir))
    quoted = quote_texts(overrides, groups, lambda given: compose_or_none(given, config_dir))
    check_overrides(quoted, groups)
    return _compose_or_explain(quoted, config_dir)


def check_composition(overrides: Sequence[str], config_dir: Path | None, *, is_sweep: bool = False) -> None:
    """Compose what Hydra will compose, since its own messages have several lines.

    Args:
        overrides: in Hydra's grammar.
        config_dir: a folder with more files of the groups.
        is_sweep: whether commas separate values; the first of each is composed, and every option of a group.

    Raises:
        ConfigError: an override or a choice is wrong.
    """
    checked = [override for override in overrides if not override.lstrip("+~").startswith(_LAUNCHER)]
    values = [list_values(override) if is_sweep else [override] for override in checked]
    _compose_or_explain([each[0] for each in values if each], config_dir)
    groups = list_groups(config_dir)
    for override in (other for each in values for other in each[1:]):
        if override.lstrip("+").partition("=")[0] in groups:
            _compose_or_explain([override], config_dir)


def _compose_or_explain(overrides: Sequence[str], config_dir: Path | None) -> DictConfig:
    try:
        return _compose(overrides, config_dir)
    except Exception as error:  # Hydra's own, or whatever it raises for values of other types: ValueError, ...
        raise explain_override_error(
            error, overrides, list_groups(config_dir), lambda given: _compose(given, config_dir)
        ) from None


def compose_or_none(overrides: Sequence[str], config_dir: Path | None = None) -> DictConfig | None:
    """Compose overrides in Hydra's grammar without validating them; None if that is not possible."""
    try:
        return _compose(overrides, config_dir)
    except Exception:  # Hydra's own, or whatever it raises for values of other types: ValueError, AssertionError ...
        return None


def _compose(overrides: Sequence[str], config_dir: Path | None) -> DictConfig:
    searched = list(overrides)
    if config_dir is not None:
        searched.append(f"hydra.searchpath=[{quote(f'file://{config_dir.absolute()}')}]")
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=searched)


def list_groups(config_dir: Path | None = None) -> dict[str, list[str]]:
    """Return the config groups and their options, as the files in `conf_dir` and in a folder of the user have them."""
    groups: dict[str, set[str]] = {}
    for place in filter(None, [conf_dir(), config_dir]):
        for folder in sorted(path for path in place.iterdir() if path.is_dir() and path.name != "hydra"):
            if options := {path.stem for path in folder.glob("*.yaml")}:
                groups.setdefault(folder.name, set()).update(options)
    return {name: sorted(options) for name, options in groups.items()}


def list_shipped_targets() -> set[str]:
    """Return the functions and classes that the shipped configuration files name."""
    return read_targets(conf_dir())


def check_syntax(overrides: Sequence[str], config_dir: Path) -> None:
    """Check that the files of the user's folder that overrides choose can be read; Hydra would raise YAML's errors.

    Raises:
        ConfigError: a file is not valid YAML, or holds no configuration.
    """
    chosen = [override.lstrip("+").partition("=")[::2] for override in overrides]
    checked: set[Path] = set()
    while chosen:
        group, options = chosen.pop()
        for name in options.split(","):
            path = config_dir / group.partition("@")[0] / f"{name.strip()}.yaml"
            if path not in checked and is_file(path):
                checked.add(path)
                chosen += _list_defaults(read_config(path), path)


def _list_defaults(cfg: DictConfig, path: Path) -> Iterator[tuple[str, str]]:
    """Yield group and options of the entries ``override /GROUP: OPTION`` in the defaults list of a file.

    Raises:
        ConfigError: the list has an entry that Hydra does not take.
    """
    entries = OmegaConf.to_container(cfg, resolve=False).get("defaults", [])  # type: ignore[union-attr]
    for entry in entries if isinstance(entries, list) else [entries]:
        if not isinstance(entries, list) or not _is_default(entry):
            remedy = "write a list of entries '- _self_' or '- override /GROUP: OPTION', with options in quotes"
            raise ConfigError("not an entry of a defaults list", file=path, key="defaults", value=entry, remedy=remedy)
        for group, options in entry.items() if isinstance(entry, dict) else ():
            names = options if isinstance(options, list) else [options]
            yield group.split(" ")[-1].strip("/"), ",".join(map(str, names))


def _is_default(entry: object) -> bool:
    """Whether an entry of a defaults list is of the types that Hydra takes."""
    if not isinstance(entry, dict):
        return isinstance(entry, str)
    options = list(entry.values())
    if len(options) != 1 or not all(isinstance(group, str) for group in entry):
        return False
    names = options[0] if isinstance(options[0], list) else options
    return options[0] is None or all(isinstance(name, str) for name in names)


def read_config(path: Path) -> DictConfig:
    """Read a configuration file, such as the ``config.yaml`` of a run folder.

    Raises:
        ConfigError: it cannot be read, or holds no configuration.
    """
    try:
        saved = OmegaConf.load(path)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"not valid YAML{place} ({error.problem})", file=path, kind="damaged") from None
    except (OSError, ValueError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"cannot be read ({str(error).splitlines()[0]})", file=path, kind="damaged") from None
    if not isinstance(saved, DictConfig):
        raise ConfigError("holds no configuration", file=path, kind="damaged")
    return saved


def build_run_folder_error(path: Path) -> ConfigError:
    """Return the error for a folder that ``resume`` names, and that holds no run."""
    problem = "not a run folder, as it has no config.yaml" if path.is_dir() else "there is no such folder"
    remedy = "give the folder of a run, such as runs/DATE/TIME-NAME"
    return ConfigError(problem, key="resume", value=path, remedy=remedy, kind="missing")


def resume_config(cfg: DictConfig, overrides: Sequence[str], trusted: Sequence[str] = ()) -> DictConfig:
    """Return the configuration of the run folder ``cfg.resume``, with the values given on the command line.

    Args:
        cfg: composed from the command line.
        overrides: of the command line.
        trusted: import paths that the folder's configuration may name, besides this package; see `check_targets`.

    Raises:
        ConfigError: there is no such run, its configuration names a function that is not trusted, or an override
            chooses another option of a group.
    """
    path = RunFolder(Path(cfg.resume)).config
    if not path.is_file():
        raise build_run_folder_error(Path(cfg.resume))
    saved = read_config(path)
    check_targets(saved, list_shipped_targets(), trusted, path)
    for key, typed in (override.lstrip("+").partition("=")[::2] for override in overrides):
        if key in list_groups() or key.startswith("~"):
            group = key.lstrip("~")
            raise ConfigError(f"a resumed run keeps its {group}", key=key, remedy="override single values only")
        value, hint = OmegaConf.select(cfg, key), get_parameter_hint(key, saved)
        is_text = hint is not None and not fits(value, hint) and fits(typed, hint)  # of the saved class: 2024_05
        OmegaConf.update(saved, key, typed if is_text else value)
    saved["trust"] = cfg.trust  # nobody but the user vouches for a class
    saved["trial"] = None  # a trial that is trained further no longer belongs to its sweep
    for name in map(str, cfg):
        if name not in saved:  # a root key that is newer than the run
            saved[name] = cfg[name]
    return saved
