"""The reference of the configuration: the files of conf/, and the signatures and docstrings of what they name."""

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from generate.markdown import escape_cell
from htr_lightning.config.compose import conf_dir, list_groups
from htr_lightning.config.schema import Config

_SECTION = re.compile(r"^(?:Args|Attributes):\n((?:[ \t]+.*\n?|\n)+)", re.MULTILINE)
_ITEM = re.compile(r"^    (\w+)(?: \([^)]*\))?:\s*(.*(?:\n(?:     +.*|\s*$))*)", re.MULTILINE)
_DERIVED = {"num_classes": "given by the charset"}


def render_configuration() -> str:
    """Return the page: root keys, then each group with its options and the keys of what they build."""
    parts = [
        "# Configuration",
        "A run is composed of one option from each group, and of the root keys. `GROUP=OPTION` chooses an option, "
        "`GROUP.KEY=VALUE` sets a key that its file has, `+GROUP.KEY=VALUE` a key that the file lacks. This page is "
        "generated from `conf/` and from the constructors that its files name; "
        "[Configure a run](../howto/configure.md) explains it.",
        "## Root keys",
        render_root_keys(),
    ]
    for group, options in list_groups().items():
        parts += [f"## {group}", *render_group(group, options)]
    for folder in sorted((conf_dir() / "hydra").iterdir()):
        parts += [
            f"## hydra/{folder.name}",
            *render_group(f"hydra/{folder.name}", sorted(p.stem for p in folder.glob("*"))),
        ]
    return "\n\n".join(parts) + "\n"


def render_root_keys() -> str:
    """Return the table of the keys that belong to no group."""
    texts = parse_arguments(Config)
    rows = []
    for field in dataclasses.fields(Config):
        if field.type is not Any:
            default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            rows.append(_row(field.name, describe_type(field.type), default, texts.get(field.name, "")))
    return "\n".join(["| key | type | default | |", "|---|---|---|---|", *rows])


def render_group(group: str, options: list[str]) -> Iterator[str]:
    """Yield each option of a group with its file, then the keys of the classes that the options build."""
    targets: dict[str, None] = {}
    for option in options:
        path = conf_dir() / group / f"{option}.yaml"
        choice = f"+experiment={option}" if group == "experiment" else f"{group}={option}"
        comment, content = split_comment(path)
        yield f"### `{choice}` {{ #{group.replace('/', '-')}-{option} }}"
        if comment:
            yield comment.replace("<", "&lt;")
        yield f'```yaml title="conf/{group}/{option}.yaml"\n{content}\n```'
        targets |= dict.fromkeys(find_targets(yaml.safe_load(path.read_text(encoding="utf-8"))))
    for target in targets:
        yield from render_target(target)


def split_comment(path: Path) -> tuple[str, str]:
    """Return the comment at the top of a configuration file as text, and the rest of the file."""
    lines = path.read_text(encoding="utf-8").strip().splitlines()
    number = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    comment = [line.lstrip("# ") for line in lines[:number] if not line.startswith("# @package")]
    return " ".join(comment), "\n".join(lines[number:])


def find_targets(values: Any) -> Iterator[str]:
    """Yield the classes and functions that a configuration file builds."""
    if isinstance(values, dict):
        if isinstance(values.get("_target_"), str):
            yield values["_target_"]
        for value in values.values():
            yield from find_targets(value)


def render_target(target: str) -> Iterator[str]:
    """Yield the table of the keys of a class or function: those of its signature."""
    if not target.startswith("htr_lightning."):
        yield f"Keys of `{target}`: its arguments."
        return
    module, _, name = target.rpartition(".")
    build = getattr(importlib.import_module(module), name)
    texts = parse_arguments(build)
    rows = [
        _row(
            key,
            describe_type(parameter.annotation),
            parameter.default,
            _DERIVED.get(key) or texts.get(key, ""),
        )
        for key, parameter in inspect.signature(build).parameters.items()
    ]
    yield f"Keys of [`{name}`][{target}]:" if rows else f"[`{name}`][{target}] has no keys."
    if rows:
        yield "\n".join(["| key | type | default | |", "|---|---|---|---|", *rows])


def parse_arguments(documented: Any) -> dict[str, str]:
    """Return the text of each argument or attribute in a Google-style docstring."""
    docstring = inspect.getdoc(documented) or ""
    return {
        name: " ".join(text.split()) for section in _SECTION.findall(docstring) for name, text in _ITEM.findall(section)
    }


def describe_type(annotation: Any) -> str:
    """Return a type as it is written in a signature."""
    if annotation is inspect.Parameter.empty:
        return ""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(?:typing|collections\.abc|pathlib|htr_lightning)\.(?:[a-z_]+\.)*", "", text)


def _row(key: str, type_: str, default: Any, text: str) -> str:
    if default is inspect.Parameter.empty:
        value = "required" if key not in _DERIVED else ""
    else:
        dumped = "" if default == dataclasses.MISSING else yaml.safe_dump(_plain(default), default_flow_style=True)
        value = f"`{dumped.removesuffix(chr(10)).removesuffix('...').strip()}`" if dumped else ""
    written = f"`{type_}`" if type_ else ""  # Markdown takes pipes in code as they are
    return f"| `{key}` | {written} | {value} | {escape_cell(text)} |"


def _plain(value: Any) -> Any:
    """Return a default as YAML has it."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
