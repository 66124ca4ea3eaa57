"""What the signature of a constructor says of its parameters."""

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_NAMES: dict[Any, str] = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
_NAMES |= {Path: "a path", type(None): "null"}


def get_hints(target: Any) -> dict[str, Any]:
    """Return the annotations of the parameters of a class or function, as far as they can be evaluated."""
    try:
        return typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except Exception:  # annotations that exist only for the type checker
        return {}


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain config value could be an argument annotated ``hint``; True when in doubt."""
    if isinstance(value, Mapping) or value == "???" or hint is Any:
        return True
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, arg) for arg in args)
    if origin is typing.Literal:
        return value in args
    if hint in (None, type(None)):
        return value is None
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, bool):
        return isinstance(value, hint)
    if hint is Path:
        return isinstance(value, str)
    if origin in (list, tuple, Sequence) or (inspect.isclass(origin) and issubclass(origin, Sequence)):
        items = [arg for arg in args if arg is not Ellipsis]
        return isinstance(value, list) and (len(items) != 1 or all(fits(v, items[0]) for v in value))
    return True


def describe_hint(hint: Any) -> str:
    """Return what a value annotated ``hint`` has to be."""
    for part in (hint, *typing.get_args(hint)):
        origin = typing.get_origin(part)
        if inspect.isclass(origin) and issubclass(origin, Sequence):
            return "a list; write it in brackets: [...]"
    if choices := list_choices(hint):
        return f"one of {', '.join(map(str, choices))}"
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(map(describe_hint, typing.get_args(hint)))
    return _NAMES.get(hint) or str(getattr(hint, "__name__", hint))


def list_choices(hint: Any) -> list[Any]:
    """Return the values of ``Literal`` annotations, also within unions, in their order."""
    if typing.get_origin(hint) is typing.Literal:
        return list(typing.get_args(hint))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return list(dict.fromkeys(choice for part in typing.get_args(hint) for choice in list_choices(part)))
    return []
