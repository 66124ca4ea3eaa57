"""What Hydra says of overrides that it cannot compose, as one sentence with key, value and remedy."""

import difflib
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.errors import HydraException, MissingConfigException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from htr_lightning.config.schema import Config, ConfigError
from htr_lightning.config.signatures import describe_hint

Compose = Callable[[Sequence[str]], DictConfig]
"""Composes overrides, or raises what Hydra and OmegaConf raise."""


def explain_override_error(
    error: Exception,
    overrides: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    compose: Compose,
) -> ConfigError:
    """Return the error for overrides that cannot be composed.

    Args:
        error: that composing them raised.
        overrides: as Hydra takes them.
        groups: options of each config group.
        compose: to find which override is wrong.
    """
    cause = error.__cause__
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _explain_missing_option(error, groups)
    for part in (error, cause):
        if isinstance(part, ValidationError) and part.full_key:
            return _explain_value(part, overrides)
    override = _find_wrong(overrides, groups, compose)
    if override is None or not isinstance(error, HydraException | OmegaConfBaseException):
        reason = " ".join(str(error).split()) or type(error).__name__
        return ConfigError(f"{override or 'the configuration'} cannot be composed ({reason})", kind="syntax")
    if isinstance(cause, ConfigAttributeError | ConfigKeyError):
        return _explain_unknown_key(override, compose([]))
    return _explain_form(error, override, groups)


def _explain_missing_option(error: MissingConfigException, groups: Mapping[str, Sequence[str]]) -> ConfigError:
    group, _, option = str(error.missing_cfg_file).rpartition("/")
    options = error.options or groups.get(group)
    remedy = f"choose from {', '.join(options)}" if options else ""
    return ConfigError("there is no such option", key=group, value=option, remedy=remedy, kind="missing")


def _explain_value(error: ValidationError, overrides: Sequence[str]) -> ConfigError:
    """Explain a value that does not fit the type of a root key."""
    key = str(error.full_key)
    values = dict(_split(override) for override in overrides)
    place = {"key": key} | ({"value": values[key]} if key in values else {})
    hint = typing.get_type_hints(Config).get(key)
    if hint is None:
        return ConfigError(str(error).splitlines()[0], **place)
    return ConfigError("this value does not fit", **place, remedy=f"give {describe_hint(hint)}")


def _explain_unknown_key(override: str, cfg: DictConfig) -> ConfigError:
    key, value = _split(override)
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    if not (node is None or isinstance(node, DictConfig)):
        return ConfigError(
            f"{parent} is a value, not a group of keys", key=key, value=value, remedy=f"set {parent}=..."
        )
    known = [] if node is None else [str(name) for name in node]
    parameters = _list_parameters(node) if parent else []
    add = f"add it: +{key}={value}"
    close = difflib.get_close_matches(name, [*known, *(parameters or [])], n=1)
    if parameters is None or name in parameters:  # None: any
        remedy = add
    elif close:
        path = f"{parent}.{close[0]}" if parent else close[0]
        remedy = f"did you mean {path if close[0] in known else f'+{path}'}?"
    elif parameters or known:
        remedy = f"choose from {', '.join(dict.fromkeys([*known, *parameters]))}"
    else:
        remedy = add
    return ConfigError("the configuration has no such key", key=key, value=value, remedy=remedy, kind="unknown")


def _list_parameters(node: Any) -> list[str] | None:
    """Return the parameters of the class that a node names; None if it takes any, or is not known."""
    try:
        parameters = inspect.signature(get_object(node["_target_"])).parameters.values()
    except Exception:  # whatever importing it raises; validation reports it
        return []
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return [parameter.name for parameter in parameters]


def _explain_form(error: Exception, override: str, groups: Mapping[str, Sequence[str]]) -> ConfigError:
    """Explain a ``+`` or ``~`` that is too many, or a ``+`` that lacks."""
    key, value = _split(override)
    place: dict[str, Any] = {"key": override.partition("=")[0]} | ({"value": value} if value else {})
    if override.startswith("~"):
        return ConfigError("the configuration has nothing like it", **place, remedy="leave it out")
    if override.startswith("+"):
        problem = "an option is chosen already" if key in groups else "the configuration has this key already"
        return ConfigError(problem, **place, remedy=f"leave out the +: {key}={value}")
    if key in groups:
        return ConfigError("no option of this group is chosen yet", **place, remedy=f"add one: +{key}={value}")
    return ConfigError(" ".join(str(error).split()), **place)


def _find_wrong(overrides: Sequence[str], groups: Mapping[str, Sequence[str]], compose: Compose) -> str | None:
    """Return the first override, in the order in which Hydra takes them, with which composing fails."""
    ordered = sorted(overrides, key=lambda override: not _is_choice(_split(override)[0], groups))
    for number in range(1, len(ordered) + 1):
        try:
            compose(ordered[:number])
        except Exception:  # Hydra's own, or whatever it raises for values of other types
            return ordered[number - 1]
    return None


def _is_choice(key: str, groups: Mapping[str, Sequence[str]]) -> bool:
    return key.partition("@")[0] in groups or "/" in key


def _split(override: str) -> tuple[str, str]:
    key, _, value = override.lstrip("+~").partition("=")
    return key, value
