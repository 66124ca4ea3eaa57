"""Overrides whose texts Hydra takes as they were typed: folders and names with digits, accents, blanks, ``=``, ``#``.

Hydra's grammar reads ``2024_05`` as a number, and refuses ``José`` and ``scan (2024)`` unless they are quoted. Values
of parameters that are texts are quoted here, before Hydra sees them.
"""

import os
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, get_type_hints

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Quote, QuotedString
from hydra.errors import HydraException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from htr_lightning.config.schema import Config, ConfigError
from htr_lightning.config.signatures import fits, get_hints

_QUOTED = re.compile(r"""\s*('([^'\\]|\\.)*'|"([^"\\]|\\.)*")\s*""", re.DOTALL)
_OPTION = str | list[str]  # of a config group
_HYDRA_HINTS: dict[str, Any] = {"hydra.run.dir": str, "hydra.sweep.dir": str, "hydra.sweep.subdir": str}
_HYDRA_HINTS |= {"hydra.sweeper.storage": str | None}
_LISTS = ("logger",)
"""Config groups of which several options are chosen; ``logger=csv,wandb`` is both, and no sweep."""

GetHint = Callable[[str], Any]
"""The annotation of a key's parameter; None if it is not known."""


def quote_texts(
    overrides: Sequence[str],
    groups: Sequence[str],
    compose: Callable[[Sequence[str]], DictConfig | None],
    *,
    is_sweep: bool = False,
) -> list[str]:
    """Return overrides in which texts that Hydra would read as something else are quoted.

    Quoted values, interpolations and calls of Hydra's functions stay as they are.

    Args:
        overrides: as typed.
        groups: names of the config groups.
        compose: returns the configuration of some overrides, to find which parameters are texts; None if they are
            wrong.
        is_sweep: whether commas separate values.
    """
    root_hints = get_type_hints(Config)

    @lru_cache
    def composed() -> DictConfig | None:
        typed = root_hints.keys() - set(groups)  # Hydra checks their types, which a text may not fit
        keys = {override: override.partition("=")[0].lstrip("+") for override in overrides}
        kept = [o for o, key in keys.items() if key not in typed and not key.startswith("hydra")]
        return compose([_quote_anything(override) for override in kept])

    def get_hint(key: str) -> Any:
        if key in groups or "/" in key or "@" in key:
            return _OPTION
        return root_hints.get(key) or _HYDRA_HINTS.get(key) or get_parameter_hint(key, composed)

    return [_quote_texts(override, get_hint, is_sweep) for override in overrides]


def check_overrides(overrides: Sequence[str], groups: Sequence[str]) -> None:
    """Refuse overrides that Hydra would report in several lines or with a traceback.

    Args:
        overrides: in which texts are quoted.
        groups: names of the config groups.

    Raises:
        ConfigError: Hydra cannot parse an override, or the option of a group is no text.
    """
    for override in overrides:
        key, sign, value = override.partition("=")
        place = {"key": key or "=", "value": value} if sign else {"key": override}
        meaning = _parse(override)
        if meaning is None or not key.strip("+~"):
            remedy = "write KEY=VALUE, with special characters in quotes: KEY='a (b)'"
            raise ConfigError("this cannot be parsed", **place, remedy=remedy, kind="syntax")
        is_option = key.lstrip("+~").partition("@")[0] in groups or "/" in key
        no_option = int | float | dict | list if key.startswith("~") else int | float | dict
        if is_option and isinstance(meaning.value(), no_option):
            raise ConfigError("this is not the name of an option", **place, remedy="quote it, or choose another")


def _quote_texts(override: str, get_hint: GetHint, is_sweep: bool) -> str:
    key, sign, value = override.partition("=")
    name = key.lstrip("+")
    if name in _LISTS and len(_split(value)) > 1:
        return f"{key}=[{value}]"
    if not sign or key.startswith("~") or not value or "${" in value or _QUOTED.fullmatch(value):
        return override
    meaning = _parse(override)
    if is_sweep and (meaning is None or meaning.is_sweep_override()):
        if meaning is not None and not _is_list_of_choices(meaning):
            return override
        parts = _split(value)
        if len(parts) > 1:
            return f"{key}=" + ",".join(_quote_value(name, part, get_hint) for part in parts)
    return f"{key}={_quote_value(name, value, get_hint)}"


def _quote_value(name: str, value: str, get_hint: GetHint) -> str:
    if _QUOTED.fullmatch(value):
        return value
    meaning = _parse(f"key={value}")
    if meaning is None:
        in_list = _quote_elements(value)
        if in_list is not None and (not (hint := get_hint(name)) or fits([""], hint)):
            return in_list
        return quote(value)
    parsed = meaning.value()
    if isinstance(parsed, QuotedString):
        parsed = parsed.text
    if isinstance(parsed, str):
        stripped = parsed == value.strip() != value
        escaped = parsed != value.strip() and os.sep == "\\" and "\\" in value
        return quote(value) if (stripped or escaped) and _is_text(get_hint(name)) else value
    if meaning.is_sweep_override() and not _is_list_of_choices(meaning):
        return value
    hint = get_hint(name)
    if hint is None or fits(parsed, hint):
        return value
    in_list = _quote_elements(value)
    if in_list is not None and fits([""], hint):
        return in_list
    return quote(value) if fits(value, hint) else value


def quote(text: str) -> str:
    """Return a text as Hydra's grammar quotes it."""
    return QuotedString(text, Quote.single).with_quotes()


def _quote_elements(value: str) -> str | None:
    """Quote the elements of a list of texts; None if it is none."""
    if not (value.startswith("[") and value.endswith("]")):
        return None
    elements = [element.strip() for element in _split(value[1:-1])]
    quoted = [e if _QUOTED.fullmatch(e) or e.startswith(("[", "{")) else quote(e) for e in elements]
    listed = f"[{','.join(quoted)}]"
    return listed if _parse(f"key={listed}") else None


def _quote_anything(override: str) -> str:
    """Quote a value that is no plain text, so that the override can be composed whatever it is."""
    key, sign, value = override.partition("=")
    meaning = _parse(override)
    is_plain = meaning is not None and not meaning.is_sweep_override()
    if not sign or key.startswith("~") or not value or (is_plain and not isinstance(meaning.value(), int | float)):  # type: ignore[union-attr]
        return override
    first = _split(value)[0]
    return f"{key}={first if _QUOTED.fullmatch(first) else quote(first)}"


def _parse(override: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(override)
    except HydraException:
        return None


def list_values(override: str) -> list[str]:
    """Return an override of a sweep once with each of its values; empty if they are not listed."""
    meaning = _parse(override)
    if meaning is None or not meaning.is_sweep_override():
        return [override]
    key, _, value = override.partition("=")
    return [f"{key}={part}" for part in _split(value)] if _is_list_of_choices(meaning) else []


def _is_list_of_choices(meaning: Override) -> bool:
    value = meaning.value()
    return isinstance(value, ChoiceSweep) and value.simple_form


def _split(text: str) -> list[str]:
    """Split at commas that are neither quoted nor in brackets."""
    parts, depth, mark = [""], 0, ""
    for character in text:
        if mark:
            mark = "" if character == mark else mark
        elif character in "'\"" and not parts[-1].strip():
            mark = character
        else:
            depth += (character in "[({") - (character in "])}")
        if character == "," and not mark and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _is_text(hint: Any) -> bool:
    return hint is not None and hint is not Any and fits("", hint)


def get_parameter_hint(key: str, composed: DictConfig | Callable[[], DictConfig | None]) -> Any:
    """Return the annotation of a parameter of the constructor that the node of a key names; None if it is not known.

    Args:
        key: such as ``dataset.root``.
        composed: the configuration, or a function that returns it if it is needed.
    """
    parent, _, name = key.rpartition(".")
    cfg = None if not parent else composed if isinstance(composed, DictConfig) else composed()
    node = None if cfg is None else OmegaConf.select(cfg, parent, throw_on_missing=False)
    target = OmegaConf.to_container(node, resolve=False) if isinstance(node, DictConfig) else {}
    target_name = target.get("_target_") if isinstance(target, dict) else None
    if not isinstance(target_name, str) or name.startswith("_"):
        return None
    try:
        return get_hints(get_object(target_name)).get(name)
    except Exception:  # whatever importing it raises; validation reports it
        return None


def resolve_folder(value: str) -> Path:
    """Return the folder that the value of an override names, quoted or not."""
    meaning = _parse(f"key={value}")
    parsed = None if meaning is None or meaning.is_sweep_override() else meaning.value()
    return Path(parsed if isinstance(parsed, str) else value)
